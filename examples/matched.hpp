// A method at the size of another.
#pragma once

#include "mor1e/models/language_model.hpp"
#include "mor1e/peft/accounting.hpp"
#include "mor1e/peft/matching.hpp"
#include "program.hpp"

namespace mor1e::program {

/// The spec with as many parameters on the model as `reference`, which it says.
template <class B>
peft::adapter_spec matched(models::language_model<B, float>& model, const peft::adapter_spec& spec,
                           const peft::adapter_spec& reference, const common_options& common) {
  const auto groups = model.groups();
  const auto linears = peft::linears_of(groups, spec.targets);
  if (linears.empty()) return spec;  // which `attach` refuses by name
  const auto target = peft::cost_on(reference.method, peft::linears_of(groups, reference.targets)).parameters;
  peft::adapter_spec out = spec;
  out.method = peft::match_parameters(spec.method, linears, target);
  const auto own = peft::cost_on(spec.method, linears).parameters, now = peft::cost_on(out.method, linears).parameters;
  say(common, "parameters: {} with {} ({} by itself, LoRA has {}: {:+.1f} %)\n", now, out.method.size(), own, target,
      100 * (double(now) / double(target) - 1));
  return out;
}

}  // namespace mor1e::program
