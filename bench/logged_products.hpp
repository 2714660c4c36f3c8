// A device that writes down the products it is asked for, so that they can be done again alone.
#pragma once

#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

#include "attention_products.hpp"
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
  /// Of what B does in a pass of its own: products that take as long as those inside.
  template <class F>
  void inside(F products) {
    if (log) log->push_back(std::move(products));
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

// Two products forward; backward five, with scores and their gradients computed anew.
template <class T>
void attention_forward(logged<cpu>& device, const attention_shape& a, view<const T> q, view<const T> k, view<const T> v,
                       view<const std::int32_t> segments, view<T> out, view<T> lse) {
  attention_forward(static_cast<cpu&>(device), a, q, k, v, segments, out, lse);
  device.inside([=, &base = static_cast<cpu&>(device)] { attention_products(base, a, q, k, segments, 2); });
}
template <class T>
void attention_backward(logged<cpu>& device, const attention_shape& a, view<const T> q, view<const T> k,
                        view<const T> v, view<const std::int32_t> segments, view<const T> out, view<const T> lse,
                        view<const T> dout, std::type_identity_t<T> beta, view<T> dq, view<T> dk, view<T> dv,
                        view<T> delta) {
  attention_backward(static_cast<cpu&>(device), a, q, k, v, segments, out, lse, dout, beta, dq, dk, dv, delta);
  device.inside([=, &base = static_cast<cpu&>(device)] { attention_products(base, a, q, k, segments, 5); });
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
