// LoRA.
#pragma once

#include <cmath>

#include "mor1e/peft/method.hpp"

namespace mor1e::peft {

/// z = W x + (alpha / rank) B A x.  Hu et al. 2021; A uniform in +-1/sqrt(in), B zero, as PEFT initialises them.
/// Rank-stabilised: alpha / sqrt(rank) instead.  Kalajdzievski 2023.
struct lora {
  int rank = 8;
  double alpha = 8;
  bool rank_stabilised = false;
  double dropout = 0;  ///< in training, of the input of A; linears of a group miss the same part

  friend bool operator==(const lora&, const lora&) = default;
  int slots() const { return rank; }
  int router_rows() const { return 0; }
  double scale() const { return alpha / (rank_stabilised ? std::sqrt(double(rank)) : double(rank)); }
  std::vector<extra_parameter> extra() const { return {}; }

  template <class B, class T>
  var<T> gates(tape<B>&, var<T> products, int, std::span<const var<T>>, nn::step_context<B, T>&) const {
    return products;
  }
};

}  // namespace mor1e::peft
