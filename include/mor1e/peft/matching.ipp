#pragma once

#include <cmath>
#include <cstdlib>
#include <type_traits>

#include "mor1e/peft/matching.hpp"

namespace mor1e::peft {

namespace detail {

/// Multiplies the scale of a method's update.
template <class M>
void scale_update(M& method, double factor) {
  if constexpr (requires { method.update_scale; })
    method.update_scale *= factor;
  else  // alpha 0 stands for no factor
    method.alpha = (method.alpha == 0 ? method.rank : method.alpha) * factor;
}

/// Calls resized(own, least, with) for the numbers a method may be given; `with(method, count)` gives it one, and of
/// experts of which k work, as large a share of them.
template <class M, class F>
void each_size(const M& of, F resized) {
  const auto keep_share = [&](M& m, double ratio) {
    if constexpr (requires { m.k; })
      if (of.k) m.k = std::max(1, int(std::lround(of.k * ratio)));
  };
  if constexpr (requires { of.rank; }) resized(of.rank, 1, [](M& m, int rank) { m.rank = rank; });
  if constexpr (requires { of.experts; })
    resized(of.experts, 2, [&](M& m, int experts) {  // one expert is no mixture
      m.experts = experts;
      keep_share(m, double(experts) / of.experts);
    });
  if constexpr (requires { of.r2; })
    resized(of.r2, 1, [&](M& m, int r2) {
      m.r2 = r2;
      keep_share(m, double(r2) / of.r2);
    });
}

}  // namespace detail

MOR1E_INLINE adapter_spec match_parameters(const adapter_spec& spec, std::span<const linear_size> linears,
                                           std::int64_t parameters) {
  adapter_spec best = spec;
  std::int64_t nearest = std::abs(cost_on(spec, linears).parameters - parameters);
  std::visit(
      [&]<class M>(const M& method) {
        detail::each_size(method, [&](int own, int least, auto with) {
          const auto sized = [&](int count) {
            M m = method;
            with(m, count);
            detail::scale_update(m, method.scale() / m.scale());
            adapter_spec out = spec;
            out.method = m;
            return out;
          };
          const auto cost = [&](int count) { return cost_on(sized(count), linears).parameters; };
          // Costs grow with the size: the two around the target.
          int low = least, high = std::max(low + 1, own);
          while (cost(high) < parameters && high < detail::most_experts) high *= 2;
          while (high - low > 1) (cost((low + high) / 2) < parameters ? low : high) = (low + high) / 2;
          for (const int count : {low, high})
            if (const std::int64_t off = std::abs(cost(count) - parameters); off < nearest)
              nearest = off, best = sized(count);
        });
      },
      spec.method);
  return best;
}

MOR1E_INLINE std::string size_of(const adapter_spec& spec) {
  return std::visit(
      []<class M>(const M& m) {
        if constexpr (requires { m.r1; })
          return text(m.r1, " x ", m.r2, " pairs");
        else if constexpr (requires {
                             m.experts;
                             m.rank;
                           })
          return text(m.experts, " experts of rank ", m.rank);
        else if constexpr (requires { m.experts; })
          return text(m.experts, " experts");
        else
          return text("rank ", m.rank);
      },
      spec.method);
}

MOR1E_INLINE adapter_spec scaled(const adapter_spec& spec, double factor) {
  require<value_error>(factor > 0 && std::isfinite(factor), "scale: a factor of ", factor);
  adapter_spec out = spec;
  std::visit([&](auto& method) { detail::scale_update(method, factor); }, out.method);
  return out;
}

}  // namespace mor1e::peft
