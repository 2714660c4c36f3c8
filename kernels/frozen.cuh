// Definitions of backend/cuda/frozen.hpp.
#pragma once

#include "mor1e/backend/cuda/frozen.hpp"
#include "mor1e/kernels/reduce.cuh"

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

/// Packs as wide as the wider of the two types allows.
template <class From, class To>
inline constexpr int shared_pack = pack_size<From> < pack_size<To> ? pack_size<From> : pack_size<To>;

template <class From, class To>
void convert(launch_target target, device_view<const From> x, device_view<To> y) {
  constexpr int N = shared_pack<From, To>;
  const bool flat = x.contiguous() && y.contiguous(), vectors = aligned(x) && aligned(y);
  const device_view<const From> from = flat ? as_row(x) : x;
  const device_view<To> to = flat ? as_row(y) : y;
  each_element<N>(target, "convert", to.rows, to.cols, vectors, convert_body<From, To>{from, to});
}

template <class S, class T>
struct row_squares_term : sum_term<double> {
  device_view<const S> w;
  T* y;

  row_squares_term(device_view<const S> w, T* y) : w(w), y(y) {}
  template <int N>
  __device__ pack<double, N> at(index_t i, index_t j) const {
    const pack<S, N> v = load<N>(w, i, j);
    pack<double, N> out;
#pragma unroll
    for (int k = 0; k < N; ++k) out.at[k] = double(T(v.at[k])) * double(T(v.at[k]));
    return out;
  }
  __device__ void finish(index_t i, double total) const { y[i] = T(total); }
};

template <class S, class T>
void row_squares(launch_target target, device_view<const S> w, device_view<T> y) {
  reduce_rows<pack_size<S>>(target, "row_squares", w.rows, w.cols, aligned(w), row_squares_term<S, T>(w, y.address()));
}

template <class S, class T>
struct gather_rows_body {
  T alpha;
  device_view<const S> x;
  const std::int32_t* index;
  device_view<T> y;

  template <int N>
  __device__ void at(index_t i, index_t j) const {
    const std::int32_t from = index[i];
    pack<T, N> out;
    if (0 <= from && from < x.rows) {
      const pack<S, N> v = load<N>(x, from, j);
#pragma unroll
      for (int k = 0; k < N; ++k) out.at[k] = alpha * T(v.at[k]);
    } else {
      const T missing = from < 0 ? T(0) : T(NAN);
#pragma unroll
      for (int k = 0; k < N; ++k) out.at[k] = missing;
    }
    store(y, i, j, out);
  }
};

template <class S, class T>
void gather_rows(launch_target target, T alpha, device_view<const S> x, device_view<const std::int32_t> index,
                 device_view<T> y) {
  each_element<shared_pack<S, T>>(target, "gather_rows", y.rows, y.cols, aligned(x) && aligned(y),
                                  gather_rows_body<S, T>{alpha, x, index.address(), y});
}

}  // namespace mor1e::backend::kernels
