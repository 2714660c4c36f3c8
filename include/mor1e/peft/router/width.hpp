// What a router must give.
#pragma once

#include "mor1e/peft/adapter_context.hpp"

namespace mor1e::peft {

/// Throws `shape_error` naming the linear for weights that are not one an expert.
template <class B, class T>
void require_router_width(const adapter_context<B, T>& step, int linear, index_t width, index_t experts) {
  const auto name = [&] {
    return std::size_t(linear) < step.linears.size() ? step.linears[std::size_t(linear)] : text("linear ", linear);
  };
  if (width != experts)
    throw shape_error(text("router: ", width, " weights a token for ", name(), ", which has ", experts, " experts"));
}

}  // namespace mor1e::peft
