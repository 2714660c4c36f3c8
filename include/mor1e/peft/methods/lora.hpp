// LoRA.
#pragma once

#include <cmath>

#include "mor1e/peft/description.hpp"
#include "mor1e/peft/method.hpp"

namespace mor1e::peft {

/// The fields of LoRA and of what is stored as one, under PEFT's keys.
template <class M, class F>
void lora_fields(M& m, F f) {
  f(m.rank, {.key = "r", .option = "--rank", .help = "of the update", .takes = accepts::size, .least = 1});
  f(m.alpha, {.key = "lora_alpha",
              .option = "--alpha",
              .help = "the update is multiplied by alpha / rank",
              .takes = accepts::positive,
              .of_training = true});
  f(m.rank_stabilised, {.key = "use_rslora", .kept = stored::later});
  f(m.dropout, {.key = "lora_dropout",
                .option = "--dropout",
                .help = "part of the input of the update that is dropped in training",
                .takes = accepts::rate,
                .kept = stored::when_set,
                .of_training = true});
}

/// z = W x + (alpha / rank) B A x.  Hu et al. 2021; A uniform in +-1/sqrt(in), B zero, as PEFT initialises them.
/// Rank-stabilised: alpha / sqrt(rank) instead.  Kalajdzievski 2023.
struct lora {
  static constexpr const char* label = "lora";
  static constexpr bool peft_layout = true;

  int rank = 8;
  double alpha = 8;
  bool rank_stabilised = false;
  double dropout = 0;  ///< in training, of the input of A; linears of a group miss the same part

  friend bool operator==(const lora&, const lora&) = default;
  static std::vector<preset_of<lora>> presets() {
    return {{"lora", {.rank = 32, .alpha = 16}}, {"rslora", {.rank = 32, .alpha = 16, .rank_stabilised = true}}};
  }
  template <class F>
  void fields(F f) {
    lora_fields(*this, f);
  }

  int update_rank() const { return rank; }
  int router_rows() const { return 0; }
  double scale() const { return alpha / (rank_stabilised ? std::sqrt(double(rank)) : double(rank)); }
  void rescale(double factor) { alpha *= factor; }
  double input_dropout() const { return dropout; }
  std::vector<own_parameter> own_parameters() const { return {}; }

  template <class B, class T>
  var<T> gates(tape<B>&, var<T> products, int, std::span<const var<T>>, adapter_context<B, T>&) const {
    return products;
  }
};

}  // namespace mor1e::peft
