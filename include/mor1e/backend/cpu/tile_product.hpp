// Product of small matrices that stay in registers and the first cache: what attention is made of.
#pragma once

#include <cstring>

#include "mor1e/core/shape.hpp"

namespace mor1e::backend::detail {

#if defined(__AVX512F__)
inline constexpr int register_bytes = 64;
#elif defined(__AVX__)
inline constexpr int register_bytes = 32;
#else
inline constexpr int register_bytes = 16;
#endif

/// A vector register of T.
template <class T>
struct pack {
  typedef T type __attribute__((vector_size(register_bytes)));
};
template <class T>
inline constexpr int pack_size = register_bytes / int(sizeof(T));

/// A matrix read at data[i * row + k * inner]: rows or columns adjacent.
template <class T>
struct factor {
  const T* data;
  index_t row;
  index_t inner;
};

/// Rows x (Packs registers) of c += a b, b and c with adjacent columns.
template <int Rows, int Packs, class T>
[[gnu::noinline]] void product_block(index_t inner, factor<T> a, const T* b, index_t b_stride, T* c, index_t c_stride) {
  using pack = typename pack<T>::type;
  constexpr int size = pack_size<T>;
  pack sum[Rows][Packs];
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 4
    for (int p = 0; p < Packs; ++p) std::memcpy(&sum[i][p], c + i * c_stride + p * size, sizeof(pack));
  for (index_t k = 0; k < inner; ++k) {
    pack from[Packs];
#pragma GCC unroll 4
    for (int p = 0; p < Packs; ++p) std::memcpy(&from[p], b + k * b_stride + p * size, sizeof(pack));
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
      const T one = a.data[i * a.row + k * a.inner];
#pragma GCC unroll 4
      for (int p = 0; p < Packs; ++p) sum[i][p] += one * from[p];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 4
    for (int p = 0; p < Packs; ++p) std::memcpy(c + i * c_stride + p * size, &sum[i][p], sizeof(pack));
}

/// Rows at a time: with two registers of columns the sums leave room for the factors, and hide the latency.
inline constexpr int block_rows = register_bytes == 64 ? 8 : 6;

/// Packs registers of columns, all rows.
template <int Packs, int Rows = block_rows, class T>
void product_columns(index_t rows, index_t inner, factor<T> a, const T* b, index_t b_stride, T* c, index_t c_stride) {
  for (; rows >= Rows; rows -= Rows, a.data += Rows * a.row, c += Rows * c_stride)
    product_block<Rows, Packs>(inner, a, b, b_stride, c, c_stride);
  if constexpr (Rows > 1)
    if (rows > 0) product_columns<Packs, Rows - 1>(rows, inner, a, b, b_stride, c, c_stride);
}

/// c [rows, cols] += a [rows, inner] b [inner, cols]
template <class T>
void tile_product(index_t rows, index_t cols, index_t inner, factor<T> a, const T* b, index_t b_stride, T* c,
                  index_t c_stride) {
  constexpr int size = pack_size<T>;
  for (; cols >= 2 * size; cols -= 2 * size, b += 2 * size, c += 2 * size)
    product_columns<2>(rows, inner, a, b, b_stride, c, c_stride);
  if (cols >= size) {
    product_columns<1>(rows, inner, a, b, b_stride, c, c_stride);
    cols -= size, b += size, c += size;
  }
  for (index_t i = 0; i < rows && cols > 0; ++i)
    for (index_t k = 0; k < inner; ++k) {
      const T one = a.data[i * a.row + k * a.inner];
#pragma omp simd
      for (index_t j = 0; j < cols; ++j) c[i * c_stride + j] += one * b[k * b_stride + j];
    }
}

}  // namespace mor1e::backend::detail
