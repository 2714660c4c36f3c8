// Elements as kernels read and write them: one, or as many as one access of 16 bytes moves.
#pragma once

#include <cstdint>

#include "mor1e/backend/cuda/device.hpp"

namespace mor1e::backend::kernels {

/// N adjacent elements.
template <class T, int N>
struct alignas(N * sizeof(T)) pack {
  T at[N];
};

/// The number of elements of a pack as a type, for functions that are called with packs of several sizes.
template <int M>
struct width_of {
  static constexpr int value = M;
  MOR1E_HD constexpr operator int() const { return M; }
};

/// The elements of a type that 16 bytes hold.
template <class T>
inline constexpr int pack_size = int(16 / sizeof(T));

/// Packs as wide as the wider of the two types allows.
template <class A, class B>
inline constexpr int shared_pack = pack_size<A> < pack_size<B> ? pack_size<A> : pack_size<B>;

template <int N, class T>
__device__ pack<T, N> load(const T* from) {
  return *reinterpret_cast<const pack<T, N>*>(from);
}
template <int N, class T>
__device__ pack<std::remove_const_t<T>, N> load(device_view<T> x, index_t i, index_t j) {
  return load<N>(const_cast<const std::remove_const_t<T>*>(x.address()) + i * x.stride + j);
}
template <int N, class T>
__device__ void store(device_view<T> y, index_t i, index_t j, pack<T, N> values) {
  *reinterpret_cast<pack<T, N>*>(y.address() + i * y.stride + j) = values;
}

/// y = values + beta y; with beta 0, y is not read.
template <int N, class T>
__device__ void store(device_view<T> y, index_t i, index_t j, pack<T, N> values, T beta) {
  if (beta != T(0)) {
    const pack<T, N> old = load<N>(y, i, j);
#pragma unroll
    for (int k = 0; k < N; ++k) values.at[k] += beta * old.at[k];
  }
  store(y, i, j, values);
}

/// Row i of a matrix.
template <class T>
__device__ T* row(device_view<T> x, index_t i) {
  return x.address() + i * x.stride;
}

/// value + beta old. With beta 0, `old` is not read.
template <class T>
__device__ T blend(T value, T beta, const T& old) {
  return beta == T(0) ? value : value + beta * old;
}

/// An operand that is as large as the result, or repeated along an axis of which it has one element.
template <class T>
struct repeated {
  const T* from = nullptr;
  index_t row_step = 0;
  bool along_row = false;  ///< whether it has an element for each column

  repeated() = default;
  repeated(device_view<const T> x, index_t cols)
      : from(x.address()), row_step(x.rows == 1 ? 0 : x.stride), along_row(x.cols == cols) {}

  template <int N>
  __device__ pack<T, N> at(index_t i, index_t j) const {
    const T* row = from + i * row_step;
    if (along_row) return load<N>(row + j);
    pack<T, N> out;
#pragma unroll
    for (int k = 0; k < N; ++k) out.at[k] = *row;
    return out;
  }
};

/// Whether every row of x begins where a pack may.
template <class T>
bool aligned(device_view<T> x) {
  const index_t size = pack_size<std::remove_const_t<T>>;
  return reinterpret_cast<std::uintptr_t>(x.address()) % 16 == 0 && (x.rows <= 1 || x.stride % size == 0);
}
/// The same for an operand that may be repeated along rows of `cols` elements.
template <class T>
bool aligned(device_view<const T> x, index_t cols) {
  return x.cols != cols || aligned(x);
}

/// All elements as one row, where they lie one after another.
template <class T>
device_view<T> as_row(device_view<T> x) {
  return {x.address(), 1, x.size()};
}

/// A failed launch as an exception that names the family.
inline void check_launch(const char* launcher) {
  const cudaError_t status = cudaGetLastError();
  if (status != cudaSuccess) throw cuda_error(text("kernel of ", launcher, ": ", cudaGetErrorString(status)));
}

}  // namespace mor1e::backend::kernels
