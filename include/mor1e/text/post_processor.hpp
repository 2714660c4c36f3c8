// Post-processors: the special tokens around a text.
#pragma once

#include <utility>
#include <vector>

#include "mor1e/text/vocabulary.hpp"

namespace mor1e::texts {

/// What is put before and behind the ids of one text: `[CLS] A [SEP]`, `<s> A`, or nothing.
struct post_processor {
  std::vector<token_id> before;
  std::vector<token_id> behind;

  std::size_t size() const { return before.size() + behind.size(); }

  /// Both, `outer` around this.
  post_processor within(const post_processor& outer) const {
    post_processor both = outer;
    both.before.insert(both.before.end(), before.begin(), before.end());
    both.behind.insert(both.behind.begin(), behind.begin(), behind.end());
    return both;
  }
};

}  // namespace mor1e::texts
