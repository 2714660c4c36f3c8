// Definitions of backend/cuda/row_norms.hpp.
#pragma once

#include "mor1e/backend/cuda/row_norms.hpp"
#include "mor1e/kernels/warp.cuh"

namespace mor1e::backend::kernels {

/// A thread an output: columns of d are read side by side.
template <class T>
__global__ void __launch_bounds__(128) updated_row_norms_kernel(device_view<const T> squares, device_view<const T> u,
                                                                device_view<const T> d, device_view<T> n) {
  const index_t o = blockIdx.x * index_t(blockDim.x) + threadIdx.x;
  if (o >= n.cols) return;
  double sum = double(squares.address()[o]);
  for (index_t k = 0; k < u.cols; ++k) sum += double(row(u, o)[k]) * double(row(d, k)[o]);
  n.address()[o] = sum > 0 ? sqrt(T(sum)) : T(1);
}

template <class T>
void updated_row_norms(launch_target target, device_view<const T> squares, device_view<const T> u,
                       device_view<const T> d, device_view<T> n) {
  if (n.cols == 0) return;
  updated_row_norms_kernel<<<unsigned((n.cols + 127) / 128), 128, 0, target.stream>>>(squares, u, d, n);
  check_launch("updated_row_norms");
}

template <class T>
struct scale_columns_body {
  const T *m, *n;
  device_view<const T> x;
  T beta;
  device_view<T> y;

  template <int N>
  __device__ void at(index_t i, index_t j) const {
    pack<T, N> v = load<N>(x, i, j);
    const pack<T, N> p = load<N>(m + j), q = load<N>(n + j);
#pragma unroll
    for (int k = 0; k < N; ++k) v.at[k] *= p.at[k] / q.at[k];
    store(y, i, j, v, beta);
  }
};

template <class T>
void scale_columns(launch_target target, device_view<const T> m, device_view<const T> n, device_view<const T> x, T beta,
                   device_view<T> y) {
  each_element<pack_size<T>>(target, "scale_columns", y.rows, y.cols,
                             aligned(m) && aligned(n) && aligned(x) && aligned(y),
                             scale_columns_body<T>{m.address(), n.address(), x, beta, y});
}

/// dm_j = the sum over n_j + beta dm_j
template <class T>
struct sum_over_norm {
  using value = T;
  using result = sum_over_norm;
  const T* n;
  T beta;
  T* dm;

  static __device__ T identity() { return T(0); }
  static __device__ T combine(T a, T b) { return a + b; }
  __device__ void finish(index_t j, T total) const { dm[j] = blend(total / n[j], beta, dm[j]); }
};

template <class T>
struct scale_columns_term : sum_over_norm<T> {
  device_view<const T> x, dy;

  template <int N>
  __device__ pack<T, N> at(index_t i, index_t j) const {
    pack<T, N> v = load<N>(x, i, j);
    const pack<T, N> g = load<N>(dy, i, j);
#pragma unroll
    for (int k = 0; k < N; ++k) v.at[k] *= g.at[k];
    return v;
  }
};

template <class T>
void scale_columns_gradient(launch_target target, device_view<const T> n, device_view<const T> x,
                            device_view<const T> dy, T beta, device_view<T> dm, T* parts) {
  reduce_columns<pack_size<T>>(target, "scale_columns_gradient", x.rows, x.cols, aligned(x) && aligned(dy),
                               scale_columns_term<T>{{n.address(), beta, dm.address()}, x, dy}, parts);
}

}  // namespace mor1e::backend::kernels
