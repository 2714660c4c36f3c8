// Definitions of backend/cuda/frozen.hpp.
#pragma once

#include "mor1e/backend/cuda/frozen.hpp"
#include "mor1e/kernels/reduce.cuh"
#include "mor1e/kernels/rows.cuh"

namespace mor1e::backend::kernels {

template <class From, class To>
struct convert_body {
  device_view<const From> x;
  device_view<To> y;

  template <int N>
  __device__ void at(index_t i, index_t j) const {
    const pack<From, N> v = load<N>(x, i, j);
    pack<To, N> out;
#pragma unroll
    for (int k = 0; k < N; ++k) out.at[k] = To(v.at[k]);
    store(y, i, j, out);
  }
};

template <class From, class To>
void convert(launch_target target, device_view<const From> x, device_view<To> y) {
  constexpr int N = shared_pack<From, To>;
  const bool flat = x.contiguous() && y.contiguous(), vectors = aligned(x) && aligned(y);
  const device_view<const From> from = flat ? as_row(x) : x;
  const device_view<To> to = flat ? as_row(y) : y;
  each_element<N>(target, "convert", to.rows, to.cols, vectors, convert_body<From, To>{from, to});
}

template <class S, class T>
struct row_squares_term : sum_to<double, T> {
  device_view<const S> w;

  template <int N>
  __device__ pack<double, N> at(index_t i, index_t j) const {
    const pack<S, N> v = load<N>(w, i, j);
    pack<double, N> out;
#pragma unroll
    for (int k = 0; k < N; ++k) out.at[k] = double(T(v.at[k])) * double(T(v.at[k]));
    return out;
  }
};

template <class S, class T>
void row_squares(launch_target target, device_view<const S> w, device_view<T> y) {
  reduce_rows<pack_size<S>>(target, "row_squares", w.rows, w.cols, aligned(w),
                            row_squares_term<S, T>{{y.address(), T(1), T(0)}, w});
}

}  // namespace mor1e::backend::kernels
