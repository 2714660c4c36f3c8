// What the methods are put on: linears that read the same input.
#pragma once

#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/core/tensor.hpp"
#include "mor1e/nn/projection_group.hpp"

namespace mor1e::bench {

template <class B>
using group = nn::projection_group<B, float>;

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

/// The linears of some sizes. The last ones asked for are kept: weights of one width serve every method.
template <class B>
class kept_linears {
 public:
  explicit kept_linears(B& device) : device_(&device) {}

  B& device() const { return *device_; }
  group<B>& of(const sizes& s) {
    if (held_.parts().empty() || made_.in != s.in || made_.out != s.out) {
      std::vector<nn::linear<B, float>> parts(s.out.size());
      for (std::size_t p = 0; p < parts.size(); ++p) {
        parts[p].name = text("linear", p);
        parts[p].w = nn::weight<B, float>(typename B::template frozen<float>(*device_, random(s.out[p], s.in, p)));
      }
      held_ = group<B>(*device_, std::move(parts)), made_ = s;
    }
    return held_;
  }

 private:
  B* device_;
  sizes made_;
  group<B> held_;
};

}  // namespace mor1e::bench
