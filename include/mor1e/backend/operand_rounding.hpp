// Whether a product may round its operands.
#pragma once

namespace mor1e::backend {

/// What the products of a device may do to a frozen weight and to what it multiplies: `allowed` where an error of a
/// hundredth of a term is harmless, as in the linears of a model; `avoided` for logits, whose gradients have a long
/// tail that few steps would round to zero.
enum class operand_rounding : bool { allowed, avoided };

}  // namespace mor1e::backend
