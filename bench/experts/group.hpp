// What the methods are put on: linears that read the same input.
#pragma once

#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/backend/cpu.hpp"
#include "mor1e/nn/projection_group.hpp"

namespace mor1e::bench {

using group = nn::projection_group<cpu, float>;

/// SmolLM2's q, k and v.
struct sizes {
  index_t tokens = 1600, in = 576;
  std::vector<index_t> out{576, 192, 192};

  /// "576 -> 576, 192, 192"
  std::string linears() const {
    std::string names;
    for (const index_t o : out) names += text(names.empty() ? "" : ", ", o);
    return text(in, " -> ", names);
  }
  /// Weights of the base.
  double weights() const { return double(in) * double(std::accumulate(out.begin(), out.end(), index_t(0))); }
};

/// All processors this process may use: `taskset` chooses.
inline cpu& device() {
  static cpu all;
  return all;
}

/// Numbers in [-1, 1), quickly made: a case would else spend longer on its values than on its runs.
inline tensor<float> random(index_t rows, index_t cols, std::uint64_t key) {
  tensor<float> out(shape{rows, cols});
  auto state = std::uint32_t(key * 2654435761u + 12345u);
  for (float& v : out) {
    state = state * 1664525u + 1013904223u;
    v = float(std::int32_t(state)) * 0x1p-31f;
  }
  return out;
}

/// The linears of these sizes. The last ones asked for are kept: weights of one width serve every method.
inline group& linears_of(const sizes& s) {
  static sizes made;
  static group held;
  if (held.parts().empty() || made.in != s.in || made.out != s.out) {
    std::vector<nn::linear<cpu, float>> parts(s.out.size());
    for (std::size_t p = 0; p < parts.size(); ++p) {
      parts[p].name = text("linear", p);
      parts[p].w = nn::weight<cpu, float>(cpu::frozen<float>(device(), random(s.out[p], s.in, p)));
    }
    held = group(device(), std::move(parts)), made = s;
  }
  return held;
}

}  // namespace mor1e::bench
