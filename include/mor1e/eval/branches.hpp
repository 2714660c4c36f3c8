// Log-probabilities of several continuations of one prompt, the prompt computed once.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/models/batch.hpp"
#include "mor1e/models/language_model.hpp"
#include "mor1e/ops/cross_entropy.hpp"
#include "mor1e/ops/gather_rows.hpp"

namespace mor1e::eval {

/// A prompt and what may follow it, as tokens.
struct branching {
  std::string id;                                   ///< named in errors
  std::vector<std::int32_t> prompt;                 ///< at least one token
  std::vector<std::vector<std::int32_t>> branches;  ///< at least one token each
  index_t instance = 0;                             ///< its row of intuition
  /// How many tokens of the prompt stand before each branch, at least one; empty: all of them. Fewer where a branch's
  /// first token holds the end of the prompt, too.
  std::vector<std::size_t> seams = {};

  std::size_t seam(std::size_t branch) const { return seams.empty() ? prompt.size() : seams[branch]; }

  /// Tokens of the longest sequence that is read.
  index_t length() const {
    index_t longest = index_t(prompt.size());
    for (std::size_t c = 0; c < branches.size(); ++c)
      longest = std::max(longest, index_t(seam(c) + branches[c].size()) - 1);
    return longest;
  }
  /// Rows of a forward pass: the last token of a branch predicts nothing that is asked for.
  index_t rows() const {
    index_t sum = index_t(prompt.size());
    for (const auto& branch : branches) sum += index_t(branch.size()) - 1;
    return sum;
  }
};

struct token_score {
  double log_probability = 0;
  bool largest = false;  ///< no token of the vocabulary is more probable here
};

/// What a model says about a branching.
struct branching_score {
  std::int32_t greedy = -1;          ///< the most probable token after the prompt, the first of equal ones
  std::vector<double> first_logits;  ///< of the first token of each branch, at its seam
  std::vector<std::vector<token_score>> branches;  ///< every token of each branch, given those before it
};

struct pass_options {
  index_t tokens = 2048;                  ///< rows of one forward pass; a larger branching has one of its own
  std::size_t logit_bytes = 64ull << 20;  ///< of the logits that exist at one time
};

/// Called with finished results, in order.
using branching_done = std::function<void(std::size_t index, branching_score&&)>;

template <class B, class T>
class branch_scorer {
 public:
  branch_scorer(B& device, models::language_model<B, T>& model, const pass_options& options = {})
      : device_(&device), model_(&model), options_(options) {
    require<value_error>(options.tokens >= 1, "scoring: ", options.tokens, " tokens a pass");
  }

  /// Forward passes over packed branchings: one segment a prompt, and one a branch of several tokens, which sees the
  /// prompt up to its seam as its prefix. `intuition` [instances, clusters], for methods that use it.
  /// Throws `value_error` naming the branching for a sequence beyond the model's context, a token beyond its
  /// vocabulary, an empty part or an instance without intuition, and `error` for logits that are not finite.
  void score(std::span<const branching> all, view<const T> intuition, const branching_done& done) {
    for (const branching& item : all) check(item, intuition);
    for (std::size_t begin = 0; begin < all.size();) {
      std::size_t end = begin + 1;
      for (index_t rows = all[begin].rows(); end < all.size() && (rows += all[end].rows()) <= options_.tokens;) ++end;
      std::vector<branching_score> scores = pass(all.subspan(begin, end - begin), intuition);
      for (std::size_t i = begin; i < end; ++i) done(i, std::move(scores[i - begin]));
      begin = end;
    }
  }

 private:
  /// A row whose logits are read: at the end of a prompt or at a seam (`position` 0) for the first token of all
  /// branches from there, else for the token at `position` of `branch`.
  struct asked_row {
    std::size_t item;
    std::size_t branch;
    std::size_t position;
    std::size_t seam = 0;
  };

  void check(const branching& item, view<const T> intuition) const {
    require<value_error>(!item.prompt.empty() && !item.branches.empty(), "scoring: ", item.id,
                         " has no prompt or nothing that follows it");
    const auto known = [&](const std::vector<std::int32_t>& tokens) {
      for (const std::int32_t token : tokens)
        require<value_error>(token >= 0 && token < model_->vocabulary(), "scoring: ", item.id, " has token ", token,
                             ", the vocabulary has ", model_->vocabulary());
    };
    known(item.prompt);
    require<value_error>(item.seams.empty() || item.seams.size() == item.branches.size(), "scoring: ", item.id, " has ",
                         item.seams.size(), " seams for ", item.branches.size(), " branches");
    for (std::size_t c = 0; c < item.branches.size(); ++c) {
      require<value_error>(!item.branches[c].empty(), "scoring: ", item.id, ": what follows the prompt has no token");
      require<value_error>(item.seam(c) >= 1 && item.seam(c) <= item.prompt.size(), "scoring: ", item.id, ": branch ",
                           c, " follows ", item.seam(c), " tokens of a prompt of ", item.prompt.size());
      known(item.branches[c]);
    }
    const index_t length = item.length();
    require<value_error>(length <= model_->context(), "scoring: ", item.id, " has a sequence of ", length,
                         " tokens, the context of the model is ", model_->context());
    require<value_error>(!intuition.data || (item.instance >= 0 && item.instance < intuition.rows),
                         "scoring: ", item.id, " is instance ", item.instance, ", there are ", intuition.rows,
                         " rows of intuition");
  }

  /// Where the first tokens are asked for: the end of the prompt, and the seams before it.
  static std::vector<std::size_t> seams_of(const branching& item) {
    std::vector<std::size_t> out{item.prompt.size()};
    for (const std::size_t seam : item.seams)
      if (std::find(out.begin(), out.end(), seam) == out.end()) out.push_back(seam);
    return out;
  }

  std::vector<branching_score> pass(std::span<const branching> items, view<const T> intuition) {
    data::packed_batch batch;
    std::vector<asked_row> asked;
    std::vector<std::int32_t> asked_at, target;  // the row, and one of the tokens asked for
    const auto extend = [&](std::span<const std::int32_t> tokens, std::size_t item, std::size_t first_position) {
      const auto begin = std::int32_t(batch.tokens.size());
      for (std::size_t i = 0; i < tokens.size(); ++i) {
        batch.tokens.push_back(tokens[i]);
        batch.positions.push_back(std::int32_t(first_position + i));
        batch.instances.push_back(std::int32_t(item));
      }
      batch.segments.push_back({.begin = begin, .end = std::int32_t(batch.tokens.size()), .keys = begin});
    };
    for (std::size_t k = 0; k < items.size(); ++k) {
      const branching& item = items[k];
      extend(item.prompt, k, 0);
      const segment prompt = batch.segments.back();
      for (const std::size_t seam : seams_of(item)) {
        asked.push_back({k, 0, 0, seam});
        asked_at.push_back(prompt.begin + std::int32_t(seam) - 1);
        target.push_back(item.branches[0][0]);
      }
      for (std::size_t c = 0; c < item.branches.size(); ++c) {
        const auto& branch = item.branches[c];
        if (branch.size() == 1) continue;
        extend(std::span(branch).first(branch.size() - 1), k, item.seam(c));
        segment& own = batch.segments.back();
        own.prefix_begin = prompt.begin;
        own.prefix_end = prompt.begin + std::int32_t(item.seam(c));
        for (std::size_t j = 1; j < branch.size(); ++j) {
          asked.push_back({k, c, j});
          asked_at.push_back(own.begin + std::int32_t(j) - 1);
          target.push_back(branch[j]);
        }
      }
    }

    std::vector<branching_score> out(items.size());
    for (std::size_t k = 0; k < items.size(); ++k) {
      out[k].first_logits.resize(items[k].branches.size());
      for (const auto& branch : items[k].branches) out[k].branches.emplace_back(branch.size());
    }

    tape<B> t(*device_, recording::forward);
    auto step = models::place_batch<B, T>(t, batch);
    std::vector<T> felt;
    if (intuition.data) {
      for (const branching& item : items)
        felt.insert(felt.end(), intuition.row(item.instance), intuition.row(item.instance) + intuition.cols);
      step.batch.intuition = t.input(view<const T>(felt.data(), index_t(items.size()), intuition.cols));
    }
    const var<T> body = model_->body(t, step);
    const T one(1);
    const var<T> scale = t.input(view<const T>(&one, 1, 1));
    const index_t wide = model_->vocabulary(), count = index_t(asked.size());
    const index_t chunk = std::max<index_t>(1, index_t(options_.logit_bytes / (sizeof(T) * std::size_t(wide))));
    for (index_t begin = 0; begin < count; begin += chunk) {
      const index_t rows = std::min(chunk, count - begin);
      const auto column = [&](const std::vector<std::int32_t>& all) {
        return view<const std::int32_t>(all.data() + begin, rows, 1);
      };
      t.stretch(false, [&] {
        const var<T> last = ops::gather_rows(t, body, t.input(column(asked_at)));
        const var<T> logits = model_->logits(t, model_->final_norm(t, last));
        const var<T> nll = ops::cross_entropy(t, logits, t.input(column(target)), scale).nll;
        // Megabytes that every chunk would ask for anew.
        if (logits_.size() < rows * wide) logits_ = tensor<T>(shape{rows, wide});
        t.read_to(logits, view<T>(logits_.data(), rows, wide));
        const tensor<T> losses = t.read(nll);
        for (index_t i = 0; i < rows; ++i) {
          const asked_row& row = asked[std::size_t(begin + i)];
          const T* z = logits_.data() + i * wide;
          // log sum exp, from the loss of one token
          const double lse = double(losses[i]) + double(z[target[std::size_t(begin + i)]]);
          require<error>(std::isfinite(lse), "scoring: ", items[row.item].id, ": the logits are not finite");
          read_row(items[row.item], row, z, wide, lse, out[row.item]);
        }
        return nll;
      });
    }
    return out;
  }

  static void read_row(const branching& item, const asked_row& row, const T* z, index_t wide, double lse,
                       branching_score& out) {
    T most = z[0];
#pragma omp simd reduction(max : most)
    for (index_t j = 1; j < wide; ++j) most = z[j] > most ? z[j] : most;
    const auto score = [&](std::int32_t token) { return token_score{double(z[token]) - lse, z[token] == most}; };
    if (row.position > 0) {
      out.branches[row.branch][row.position] = score(item.branches[row.branch][row.position]);
      return;
    }
    if (row.seam == item.prompt.size()) out.greedy = std::int32_t(std::find(z, z + wide, most) - z);
    for (std::size_t c = 0; c < item.branches.size(); ++c) {
      if (item.seam(c) != row.seam) continue;
      const std::int32_t token = item.branches[c][0];
      out.first_logits[c] = double(z[token]);
      out.branches[c][0] = score(token);
    }
  }

  B* device_;
  models::language_model<B, T>* model_;
  pass_options options_;
  tensor<T> logits_;
};

}  // namespace mor1e::eval
