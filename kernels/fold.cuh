// Definitions of backend/cuda/fold.hpp.
#pragma once

#include "mor1e/backend/cuda/fold.hpp"
#include "mor1e/kernels/each_element.cuh"

namespace mor1e::backend::kernels {

template <class T>
struct fold_columns_body {
  int copies, inner;
  device_view<const T> x;
  T beta;
  device_view<T> y;

  template <int N>
  __device__ void at(index_t t, index_t column) const {
    const int j = int(column), first = j / inner * copies * inner + j % inner;
    pack<T, N> sum = load<N>(x, t, first);
#pragma unroll 1
    for (int c = 1; c < copies; ++c) {
      const pack<T, N> v = load<N>(x, t, first + c * inner);
#pragma unroll
      for (int k = 0; k < N; ++k) sum.at[k] += v.at[k];
    }
    store(y, t, column, sum, beta);
  }
};

template <class T>
struct spread_columns_body {
  int copies, inner;
  device_view<const T> x;
  T beta;
  device_view<T> y;

  template <int N>
  __device__ void at(index_t t, index_t column) const {
    const int j = int(column);
    store(y, t, column, load<N>(x, t, j / (copies * inner) * inner + j % inner), beta);
  }
};

template <class T>
void fold_columns(launch_target target, index_t copies, index_t inner, device_view<const T> x, T beta,
                  device_view<T> y) {
  constexpr int N = pack_size<T>;
  each_element<N>(target, "fold_columns", y.rows, y.cols, inner % N == 0 && aligned(x) && aligned(y),
                  fold_columns_body<T>{int(copies), int(inner), x, beta, y});
}

template <class T>
void spread_columns(launch_target target, index_t copies, index_t inner, device_view<const T> x, T beta,
                    device_view<T> y) {
  constexpr int N = pack_size<T>;
  each_element<N>(target, "spread_columns", y.rows, y.cols, inner % N == 0 && aligned(x) && aligned(y),
                  spread_columns_body<T>{int(copies), int(inner), x, beta, y});
}

}  // namespace mor1e::backend::kernels
