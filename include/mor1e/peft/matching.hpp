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
inline method_cost cost_on(const adapter_spec& spec, std::span<const linear_size> linears) {
  method_cost sum;
  for (const linear_size& l : linears) sum = sum + cost_on(spec, l.inputs, l.outputs);
  return sum;
}

/// The spec with the number of trainable parameters on `linears` nearest to `parameters`: of LoRA and DoRA by the rank,
/// of MoR1E by its experts, of mix-and-match by r2, of a mixture of low-rank experts by their rank or their number,
/// whichever comes nearer (where k of them work for a token, as large a share goes on working). The scale of the update
/// is kept.
MOR1E_INLINE adapter_spec match_parameters(const adapter_spec& spec, std::span<const linear_size> linears,
                                           std::int64_t parameters);

/// "rank 32", "7 experts of rank 4", "21 experts", "4 x 12 pairs"
MOR1E_INLINE std::string size_of(const adapter_spec& spec);

/// The factor on the update, s in z = W x + s U g.
inline double scale_of(const adapter_spec& spec) {
  return std::visit([](const auto& method) { return method.scale(); }, spec.method);
}
/// The spec with an update of `factor` times the scale.
MOR1E_INLINE adapter_spec scaled(const adapter_spec& spec, double factor);

}  // namespace mor1e::peft

#ifndef MOR1E_COMPILED
#include "mor1e/peft/matching.ipp"
#endif
