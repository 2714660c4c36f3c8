// Matrix product: Eigen's kernel on one block of the result per thread.
#pragma once

#include "mor1e/backend/cpu/device.hpp"
#include "mor1e/backend/transpose.hpp"

namespace mor1e::backend {

/// One thread's product: c = alpha op(a) op(b) + beta c. For callers that divide the work themselves.
template <class T>
void gemm_serial(transpose ta, transpose tb, T alpha, view<const T> a, view<const T> b, T beta, view<T> c);

/// c = alpha op(a) op(b) + beta c, the longer side of c divided among the threads. T: float or double.
template <class T>
void gemm(cpu& device, transpose ta, transpose tb, T alpha, view<const T> a, view<const T> b, T beta, view<T> c);

/// y = x op(W) + beta y for a frozen W [out, in]; `yes` reads it transposed: y = x W^T.
template <class T>
void frozen_gemm(cpu& device, transpose tw, view<const T> x, const host_frozen<T>& w, T beta, view<T> y) {
  gemm(device, transpose::no, tw, T(1), x, w.values(), beta, y);
}

}  // namespace mor1e::backend

// Eigen costs each unit seconds; with the compiled library only that library includes it.
#ifndef MOR1E_COMPILED
#include "mor1e/backend/cpu/gemm.ipp"
#endif
