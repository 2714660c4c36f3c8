// What a model answers to the items of a task, in the ways it can be asked.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/data/example.hpp"
#include "mor1e/eval/shared_branches.hpp"
#include "mor1e/text/prompt.hpp"
#include "mor1e/text/prompt_encoder.hpp"

namespace mor1e::eval {

/// How probable one choice is as what follows the prompt.
struct choice_score {
  std::vector<double> log_probabilities;  ///< of its tokens
  double sum = 0;
  double mean = 0;      ///< per token
  double per_byte = 0;  ///< sum / bytes of the text, the space before it included
  bool greedy = false;  ///< generation without sampling writes it
};

/// The choices are not listed; each is scored as the text that follows the prompt. Picks are the first largest.
struct loglik_score {
  std::vector<choice_score> choices;
  int pick_sum = -1, pick_mean = -1, pick_per_byte = -1;
  bool exact = false;                 ///< generation writes a right answer
  double answer_log_probability = 0;  ///< of the right answer, the most probable of several
};

/// The choices are listed under letters; the model answers with one. Beyond Z there are none.
struct letter_score {
  std::vector<double> logits;      ///< of the first token of each letter
  int pick = -1;                   ///< the most probable letter among those listed
  std::int32_t greedy_token = -1;  ///< the most probable token of all
  std::string greedy_text;
  int greedy = -1;  ///< the letter it stands for, white space and case aside; -1: none, the format is wrong
  double answer_log_probability = 0;
};

/// An instruction with a free answer: the answer as given, its end token included.
struct output_score {
  index_t tokens = 0;
  double log_probability = 0;
};

/// One item and what was asked about it.
struct item_score {
  std::string id, task;
  int choices = 0;
  std::vector<int> answers;  ///< every one of them is right
  std::optional<loglik_score> loglik;
  std::optional<letter_score> letter;
  std::optional<output_score> output;

  MOR1E_INLINE bool accepts(int choice) const;
};

/// What "right" can mean.
enum class metric { sum, mean, per_byte, exact, letter, greedy };
inline constexpr std::array metrics{metric::sum,   metric::mean,   metric::per_byte,
                                    metric::exact, metric::letter, metric::greedy};
/// "sum", "mean", "per_byte", "exact", "letter", "greedy"
MOR1E_INLINE std::string_view name_of(metric m);
/// Whether the item is right in that sense; none if it was not asked.
MOR1E_INLINE std::optional<bool> is_right(const item_score& item, metric m);
/// Of the right answer's letter for `letter` and `greedy`, else of its text; none if it was not asked or has no letter.
MOR1E_INLINE std::optional<double> answer_log_probability(const item_score& item, metric m);

/// How the items are asked. Instructions are always scored by their output.
enum class scoring {
  loglik,
  letter,
  both,
  rows  ///< both, but loglik alone for rows that say they answer with text
};
/// "loglik", "letter", "both", "rows". Throws `value_error` listing them.
MOR1E_INLINE scoring scoring_named(std::string_view name);

struct scoring_options {
  scoring how = scoring::rows;
  std::string template_name = {};  ///< empty: what the rows say
  pass_options pass = {};
  bool truncate = false;  ///< cut a prompt that is too long at its left, for all choices of the item alike
};

/// The branchings of items, loglik before letter, and how their scores become item scores.
class item_encoder {
 public:
  /// For a model that reads at most `context` tokens.
  item_encoder(texts::prompt_encoder encoder, scoring_options options,
               index_t context = std::numeric_limits<index_t>::max())
      : encoder_(std::move(encoder)), options_(std::move(options)), context_(context) {}

  /// One to two branchings. Each choice is encoded as one text with the prompt (see `texts::prompt_encoder`), whatever
  /// the other choices are. Throws `value_error` naming an item without an answer or a prompt, a token that the model
  /// lacks, or a sequence beyond the context.
  MOR1E_INLINE std::vector<branching> encode(const data::example& row, index_t instance) const;
  /// An item without scores.
  MOR1E_INLINE item_score begin(const data::example& row) const;
  /// Enters the score of branching number `part` of the row.
  MOR1E_INLINE void enter(const data::example& row, std::size_t part, const branching_score& score,
                          item_score& into) const;

 private:
  struct asked {
    bool loglik, letter;
  };
  MOR1E_INLINE asked asked_of(const data::example& row) const;
  texts::prompt_options wording(data::answer_style style) const { return {options_.template_name, style}; }
  MOR1E_INLINE void fit(branching& item) const;

  texts::prompt_encoder encoder_;
  scoring_options options_;
  index_t context_;
};

/// Called with each item as soon as it is scored; of a process alone, in order.
using item_done = std::function<void(const item_score&)>;

/// Scores items with a model, packed into passes of bounded size: an item's score does not depend on the others.
/// Processes that score together call the same functions with the same items, and all get all scores.
template <class B, class T>
class scorer {
 public:
  scorer(B& device, models::language_model<B, T>& model, texts::tokenizer tokenizer,
         const scoring_options& options = {}, distributed::process_group& processes = distributed::alone())
      : processes_(&processes),
        encoder_({std::move(tokenizer), model.vocabulary()}, options, model.context()),
        branches_(device, model, options.pass) {}

  const item_encoder& encoder() const { return encoder_; }

  /// `intuition`: one row an item, for methods that use it. Throws as `branch_scorer::score` and
  /// `item_encoder::encode`, before anything is computed.
  std::vector<item_score> score(std::span<const data::example> items, view<const T> intuition = {},
                                const item_done& done = {}) {
    require<value_error>(!items.empty(), "scoring: there are no items");
    require<value_error>(!intuition.data || intuition.rows == index_t(items.size()), "scoring: ", items.size(),
                         " items, ", intuition.rows, " rows of intuition");
    std::vector<branching> all;
    std::vector<std::pair<std::size_t, std::size_t>> whose;  // item, part
    std::vector<std::size_t> missing;
    std::vector<item_score> out;
    for (std::size_t i = 0; i < items.size(); ++i) {
      out.push_back(encoder_.begin(items[i]));
      missing.push_back(0);
      for (branching& b : encoder_.encode(items[i], index_t(i))) {
        whose.emplace_back(i, missing[i]++);
        all.push_back(std::move(b));
      }
    }
    score_shared<B, T>(*processes_, branches_, all, intuition, [&](std::size_t index, branching_score&& score) {
      const auto [item, part] = whose[index];
      encoder_.enter(items[item], part, score, out[item]);
      if (--missing[item] == 0 && done) done(out[item]);
    });
    return out;
  }

 private:
  distributed::process_group* processes_;
  item_encoder encoder_;
  branch_scorer<B, T> branches_;
};

}  // namespace mor1e::eval

#ifndef MOR1E_COMPILED
#include "mor1e/eval/scoring.ipp"
#endif
