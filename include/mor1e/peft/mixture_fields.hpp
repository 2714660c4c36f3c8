// The mixtures of low-rank experts as JSON knows them: their types, and their fields by key.
#pragma once

#include <type_traits>

#include "mor1e/peft/adamole.hpp"
#include "mor1e/peft/hydralora.hpp"
#include "mor1e/peft/loramoe.hpp"
#include "mor1e/peft/molora.hpp"
#include "mor1e/peft/sira.hpp"

namespace mor1e::peft {

/// The family of a mixture, and `peft_type` of its folders.
struct mixture_name {
  const char* family = nullptr;
  const char* type = nullptr;
};
template <class M>
inline constexpr mixture_name name_of = {};
template <>
inline constexpr mixture_name name_of<molora> = {"molora", "MOLORA"};
template <>
inline constexpr mixture_name name_of<sira> = {"sira", "SIRA"};
template <>
inline constexpr mixture_name name_of<loramoe> = {"loramoe", "LORAMOE"};
template <>
inline constexpr mixture_name name_of<hydralora> = {"hydralora", "HYDRALORA"};
template <>
inline constexpr mixture_name name_of<adamole> = {"adamole", "ADAMOLE"};

template <class M>
concept Mixture = name_of<std::remove_const_t<M>>
.family != nullptr;

/// f(key, field) for every hyperparameter; `M` may be const.
template <Mixture M, class F>
void each_mixture_field(M& m, F f) {
  f("experts", m.experts);
  f("r", m.rank);
  f("lora_alpha", m.alpha);
  if constexpr (requires { m.k; }) {
    f("top_k", m.k);
    f("capacity_factor", m.capacity);
    f("renormalise", m.renorm);
    f("routing_group", m.group);
    f("gate_dropout", m.gate_dropout);
  }
  if constexpr (requires { m.threshold; }) f("threshold", m.threshold);
  if constexpr (requires { m.dropout; }) f("lora_dropout", m.dropout);
  if constexpr (requires { m.order; }) f("slot_order", m.order);
  if constexpr (requires { m.products; }) {
    f("start_of_products", m.products);
    f("start_of_router", m.router);
  }
  each_loss(m.losses, f);
}

/// The same for those that came later: an adapter that does not name them was trained without.
template <Mixture M, class F>
void each_later_mixture_field(M& m, F f) {
  if constexpr (requires { m.type_balance; }) {
    f("type_balance_loss", m.type_balance);
    f("type_delta", m.delta);
  }
}

}  // namespace mor1e::peft
