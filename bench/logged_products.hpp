// A device that writes down the products it is asked for, so that they can be done again alone.
#pragma once

#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

#include "mor1e/backend/concept.hpp"

namespace mor1e::bench {

/// Computes as B does. While `log` is set, each product is added to it: on the memory that it had, which must still be
/// there when it is called again.
template <class B>
struct logged : B {
  using B::B;
  std::vector<std::function<void()>>* log = nullptr;

  template <class F>
  void done(F again) {
    again();
    if (log) log->push_back(std::move(again));
  }
};

template <class B, class T>
void gemm(logged<B>& device, backend::transpose ta, backend::transpose tb, T alpha, view_of<B, const T> a,
          view_of<B, const T> b, std::type_identity_t<T> beta, view_of<B, T> c) {
  device.done([=, &base = static_cast<B&>(device)] { gemm(base, ta, tb, alpha, a, b, beta, c); });
}
template <class B, class T>
void batched_gemm(logged<B>& device, index_t n, backend::transpose ta, backend::transpose tb, T alpha,
                  view_of<B, const T> a, view_of<B, const T> b, std::type_identity_t<T> beta, view_of<B, T> c) {
  device.done([=, &base = static_cast<B&>(device)] { batched_gemm(base, n, ta, tb, alpha, a, b, beta, c); });
}
template <class B, class T, class W>
void frozen_gemm(logged<B>& device, backend::transpose tw, view_of<B, const T> x, const W& w, T beta, view_of<B, T> y,
                 backend::operand_rounding rounding) {
  device.done([=, &w, &base = static_cast<B&>(device)] { frozen_gemm(base, tw, x, w, beta, y, rounding); });
}

/// A device like the one given, that keeps a log.
template <class B>
logged<B> with_log(const B& device) {
  if constexpr (requires { device.options(); })
    return logged<B>(device.options());
  else
    return logged<B>(device.threads().size(), device.products());
}

}  // namespace mor1e::bench
