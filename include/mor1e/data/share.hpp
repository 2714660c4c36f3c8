// Which examples of a step a process takes.
#pragma once

#include <algorithm>
#include <numeric>
#include <span>
#include <vector>

#include "mor1e/core/error.hpp"
#include "mor1e/data/packing.hpp"

namespace mor1e::data {

/// Those of `order` that part `part` of `parts` takes, in their order, so that all have about as many tokens: the
/// longest example first, each goes to the part that has the fewest, the first of such. Throws `value_error` for fewer
/// examples than parts.
inline std::vector<index_t> share(std::span<const encoded_example> examples, std::span<const index_t> order, int part,
                                  int parts) {
  require<value_error>(index_t(order.size()) >= parts, "a step of ", order.size(), " examples for ", parts,
                       " processes");
  const auto length = [&](std::size_t place) { return examples[std::size_t(order[place])].ids.size(); };
  std::vector<std::size_t> by_length(order.size());
  std::iota(by_length.begin(), by_length.end(), std::size_t(0));
  std::stable_sort(by_length.begin(), by_length.end(), [&](auto a, auto b) { return length(a) > length(b); });
  std::vector<std::size_t> tokens(std::size_t(parts), 0), mine;
  for (const std::size_t place : by_length) {
    const auto fewest = std::min_element(tokens.begin(), tokens.end());
    *fewest += length(place);
    if (fewest - tokens.begin() == part) mine.push_back(place);
  }
  std::sort(mine.begin(), mine.end());
  std::vector<index_t> out;
  for (const std::size_t place : mine) out.push_back(order[place]);
  return out;
}

}  // namespace mor1e::data
