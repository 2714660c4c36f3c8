// A generated suite of small tasks whose evaluation words never occur in training.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/core/rng.hpp"
#include "mor1e/core/shape.hpp"
#include "mor1e/data/data_folder.hpp"

namespace mor1e::data {

/// Whether " " + word is one token of the model's tokenizer. With one-token answers, log-likelihood and greedy scoring
/// both need one forward pass an item.
using one_token_predicate = std::function<bool(std::string_view word)>;

enum class suite_split { train, eval };

/// Three words of ten belong to evaluation: crc32(word in lower case) % 10 < 3.
MOR1E_INLINE bool held_out(std::string_view word);

/// The words one split may use. Further families add their words here.
struct suite_pools {
  struct domain {
    std::string good, bad;  // the advice on a good and on a bad thing
    std::vector<std::string> nouns;
  };
  struct antonyms {
    std::string more, less;
  };
  struct kind {
    std::string name, asked, meaning;  // "animal", "an animal", "a living creature"
    std::vector<std::string> words;
  };
  std::vector<std::string> women, men;          // one-token names
  std::vector<std::string> positive, negative;  // adjectives
  std::vector<std::string> nouns;               // of all domains
  std::vector<domain> domains;
  std::vector<antonyms> comparatives;
  std::vector<kind> kinds;
};

/// The pools of a split.
MOR1E_INLINE suite_pools pools_of(suite_split split, const one_token_predicate& one_token);

/// A question, the words to choose from and the index of the right one.
struct suite_item {
  std::string question;
  std::vector<std::string> choices;
  int answer = 0;
};

/// A rule that makes items. The choices of a `balanced` family are fixed labels, each the answer equally often.
struct suite_family {
  std::string_view name;
  bool balanced;
  suite_item (*draw)(rng& random, const suite_pools& pools);
};

/// The names of the suites: "suite" and "suite-hard".
MOR1E_INLINE bool is_suite(std::string_view name);

/// The families of "suite":
/// review:  the feeling of a one-line review, positive or negative; 3 of 10 reviews are negated ("not dull at all");
/// flip:    the opposite label of such a review;
/// house:   advice on it in words of a house style that is stated nowhere: watch/skip a film, eat/spit food ...;
/// coref:   "Anna called Tom after he had supper. Who had supper?";
/// compare: "Tom is older than Emma. Who is younger?".
///
/// Those of "suite-hard", which a small model learns in part. The last three show the same lists of words, and only the
/// question tells them apart:
/// twist:      whether to recommend a thing by a one-line review: films and lodging that are praised, food and devices
///             that are not, which is stated nowhere;
/// kind:       "Words: cousin, rice, baker. Name the kind of most.", one of six;
/// pick_kind:  "Words: elbow, otter, rice, harbor, baker, rope. Which one is an animal?";
/// pick_place: the first, second, ... or last of such a list;
/// pick_next:  the word one or two places before or after a named one.
/// Throws `value_error` for another name.
MOR1E_INLINE std::span<const suite_family> suite_families(std::string_view suite = "suite");

/// `count` different items of a family as examples of template `bare` and style `text`, a function of all arguments.
/// Throws `value_error` for a label that is not one token, a pool without words, or a family that cannot give so many.
MOR1E_INLINE std::vector<example> suite_examples(const suite_family& family, suite_split split, index_t count,
                                                 std::uint64_t seed, const one_token_predicate& one_token);

struct suite_options {
  index_t train_items = 240;  // of each family
  index_t eval_items = 60;
  std::uint64_t train_seed = 0;
  std::uint64_t eval_seed = 1000;  // apart, so that runs of several training seeds share their evaluation
};

/// One task a family, as any data folder holds them. Throws as `suite_examples`.
MOR1E_INLINE std::vector<task_data> make_suite(const one_token_predicate& one_token, const suite_options& options = {},
                                               std::span<const suite_family> families = suite_families());

}  // namespace mor1e::data

#ifndef MOR1E_COMPILED
#include "mor1e/data/suite.ipp"
#endif
