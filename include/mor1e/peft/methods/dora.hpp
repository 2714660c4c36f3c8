// DoRA.
#pragma once

#include "mor1e/peft/methods/lora.hpp"

namespace mor1e::peft {

/// z = (m / n) (W + s B A) x, n the norms of the rows of W + s B A, constant in the backward; s as in LoRA.
/// m starts as the norms of W, so an untrained adapter is the base. A bias is not scaled. With dropout d, in training,
/// z = W x + (m / n - 1) W d(x) + (m / n) s B A d(x), as PEFT computes it.
/// Liu et al. 2024, section 4.3; PEFT's `use_dora`.
struct dora {
  static constexpr const char* label = "dora";
  static constexpr const char* peft_type = "LORA";
  static constexpr const char* marker = "use_dora";
  static constexpr bool peft_layout = true;
  static constexpr bool learns_magnitudes = true;  ///< see row_magnitudes

  int rank = 8;
  double alpha = 8;
  bool rank_stabilised = false;
  double dropout = 0;  ///< in training, of what the update and the rescaled part of the base read

  friend bool operator==(const dora&, const dora&) = default;
  static std::vector<preset_of<dora>> presets() { return {{"dora", {.rank = 32, .alpha = 16}}}; }
  template <class F>
  void fields(F f) {
    lora_fields(*this, f);
  }

  int update_rank() const { return rank; }
  int router_rows() const { return 0; }
  double scale() const { return lora{.rank = rank, .alpha = alpha, .rank_stabilised = rank_stabilised}.scale(); }
  void rescale(double factor) { alpha *= factor; }
  double input_dropout() const { return dropout; }
  std::vector<own_parameter> own_parameters() const { return {}; }

  template <class B, class T>
  var<T> gates(tape<B>&, var<T> products, int, std::span<const var<T>>, adapter_context<B, T>&) const {
    return products;
  }
};

}  // namespace mor1e::peft
