// Definitions of backend/cuda/largest.hpp.
#pragma once

#include <cmath>
#include <cstdint>

#include "mor1e/backend/cuda/largest.hpp"
#include "mor1e/backend/host.hpp"
#include "mor1e/kernels/reduce.cuh"

namespace mor1e::backend::kernels {

template <class T>
struct largest_to {
  using value = T;
  using result = largest_to;
  T* y;
  T sign;

  static __device__ T identity() { return T(-INFINITY); }
  static __device__ T combine(T a, T b) { return exceeds(b, a) ? b : a; }
  __device__ void finish(index_t k, T v) const { y[k] = sign * v; }
};

template <class T>
struct largest_term : largest_to<T> {
  device_view<const T> x;

  template <int N>
  __device__ pack<T, N> at(index_t i, index_t j) const {
    pack<T, N> v = load<N>(x, i, j);
#pragma unroll
    for (int k = 0; k < N; ++k) v.at[k] *= this->sign;
    return v;
  }
};

template <class T>
void largest(launch_target target, T sign, device_view<const T> x, device_view<T> y, T* parts) {
  constexpr int N = pack_size<T>;
  const largest_term<T> term{{y.address(), sign}, x};
  if (y.cols > 1)
    reduce_columns<N>(target, "largest", x.rows, x.cols, aligned(x), term, parts);
  else if (y.rows > 1)
    reduce_rows<N>(target, "largest", x.rows, x.cols, aligned(x), term);
  else
    reduce_all<N>(target, "largest", x.rows, x.cols, aligned(x), term, parts);
}

/// What was reduced: everything, each column or each row.
enum class reduced { all, columns, rows };

/// The first place of an element, and dy added to dx there. A place is a row, a column, or i cols + j.
template <reduced Axis, class T>
struct place_to {
  using value = index_t;
  using result = place_to;
  const T* dy;
  device_view<T> dx;

  static __device__ index_t identity() { return INT64_MAX; }
  static __device__ index_t combine(index_t a, index_t b) { return a < b ? a : b; }
  __device__ void finish(index_t k, index_t place) const {
    if (place == identity()) return;  // the element is not there
    const index_t i = Axis == reduced::all ? place / dx.cols : (Axis == reduced::columns ? place : k);
    const index_t j = Axis == reduced::all ? place % dx.cols : (Axis == reduced::columns ? k : place);
    dx.address()[i * dx.stride + j] += dy[k];
  }
};

template <reduced Axis, class T>
struct place_term : place_to<Axis, T> {
  device_view<const T> x;
  const T* y;

  template <int N>
  __device__ pack<index_t, N> at(index_t i, index_t j) const {
    const pack<T, N> v = load<N>(x, i, j);
    pack<index_t, N> out;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const T wanted = y[Axis == reduced::all ? 0 : (Axis == reduced::columns ? j + k : i)];
      const index_t place = Axis == reduced::all ? i * x.cols + j + k : (Axis == reduced::columns ? i : j + k);
      out.at[k] = same(v.at[k], wanted) ? place : this->identity();
    }
    return out;
  }
};

template <class T>
void largest_backward(launch_target target, device_view<const T> x, device_view<const T> y, device_view<const T> dy,
                      device_view<T> dx, index_t* parts) {
  constexpr int N = pack_size<T>;
  if (y.cols > 1)
    reduce_columns<N>(target, "largest_backward", x.rows, x.cols, aligned(x),
                      place_term<reduced::columns, T>{{dy.address(), dx}, x, y.address()}, parts);
  else if (y.rows > 1)
    reduce_rows<N>(target, "largest_backward", x.rows, x.cols, aligned(x),
                   place_term<reduced::rows, T>{{dy.address(), dx}, x, y.address()});
  else
    reduce_all<N>(target, "largest_backward", x.rows, x.cols, aligned(x),
                  place_term<reduced::all, T>{{dy.address(), dx}, x, y.address()}, parts);
}

}  // namespace mor1e::backend::kernels
