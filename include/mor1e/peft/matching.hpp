// Methods made comparable: as many trainable parameters, updates of one scale.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/peft/accounting.hpp"
#include "mor1e/peft/adapter_spec.hpp"
#include "mor1e/peft/targets.hpp"

namespace mor1e::peft {

/// A linear by its size.
struct linear_size {
  std::int64_t inputs = 0;
  std::int64_t outputs = 0;
};

/// The linears of projection groups that `targets` mean.
template <class Groups>
std::vector<linear_size> linears_of(const Groups& groups, const std::vector<std::string>& targets) {
  std::vector<linear_size> out;
  for (const auto* group : groups)
    for (const auto& part : group->parts())
      if (is_targeted(part.name, targets)) out.push_back({part.w.cols(), part.w.rows()});
  return out;
}
/// The cost of a method on linears, all of which it adapts.
inline method_cost cost_on(const any_method& method, std::span<const linear_size> linears) {
  method_cost sum;
  for (const linear_size& l : linears) sum = sum + method.cost_on(l.inputs, l.outputs);
  return sum;
}

/// The method with the number of trainable parameters on `linears` nearest to `parameters`, by one of the fields that
/// name a `least` value: of LoRA and DoRA the rank, of MoR1E its experts, of mix-and-match r2, of a mixture of low-rank
/// experts their rank or their number, whichever comes nearer. Where k of them work for a token, as large a share goes
/// on working. The scale of the update is kept.
MOR1E_INLINE any_method match_parameters(const any_method& method, std::span<const linear_size> linears,
                                         std::int64_t parameters);

/// The spec with an update of `factor` times the scale.
MOR1E_INLINE adapter_spec scaled(const adapter_spec& spec, double factor);

}  // namespace mor1e::peft

#ifndef MOR1E_COMPILED
#include "mor1e/peft/matching.ipp"
#endif
