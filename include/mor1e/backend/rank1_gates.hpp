// Constants of the mixture of rank-1 experts, shared by the back ends.
#pragma once

#include "mor1e/core/config.hpp"

namespace mor1e::backend {

/// z = W x + U (w * V^T x) with w = c_token t softmax(R x) + c_intuition (1 - t) I, times an output gate o.
/// Learned gates: t = sigmoid(100 a), o = sigmoid(100 b). Without: t and 1 - t are dropped, and o = 1.
struct rank1_gates_shape {
  int parts = 1;    ///< linears of the group
  int experts = 1;  ///< of each linear
  double c_token = 1;
  double c_intuition = 1;
  bool router = true;     ///< off: the router's term is 0 ("intuition only")
  bool intuition = true;  ///< off: the intuition's term is 0 ("rank-1 only")
  bool learned_gates = false;
  bool own_intuition = false;  ///< each part has its own columns of I, side by side

  /// First column of the products V^T x and of the router's logits of a part in the fused projection.
  MOR1E_HD int products(int part) const { return part * experts; }
  MOR1E_HD int logits(int part) const { return (parts + part) * experts; }
  /// First column of a part in I, and how many I has.
  MOR1E_HD int intuition_column(int part) const { return own_intuition ? part * experts : 0; }
  MOR1E_HD int intuition_columns() const { return own_intuition ? parts * experts : experts; }
  MOR1E_HD int columns() const { return parts * experts * (router ? 2 : 1); }
};

/// The released code's factor in sigmoid(100 a): with Adam it makes gates that saturate within a few hundred steps.
inline constexpr double gate_sharpness = 100;

}  // namespace mor1e::backend
