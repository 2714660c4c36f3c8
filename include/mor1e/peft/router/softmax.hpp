// The softmax router.
#pragma once

#include "mor1e/ops/softmax.hpp"

namespace mor1e::peft {

/// p = softmax(R x), dense. With this router MoR1E runs fused; any other callable of this form is composed.
struct softmax_router {
  auto operator()(auto& tape, auto logits, auto&) const { return ops::softmax(tape, logits); }
  friend bool operator==(const softmax_router&, const softmax_router&) = default;
};

}  // namespace mor1e::peft
