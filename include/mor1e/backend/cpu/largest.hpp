// The largest element of a matrix, of each column or of each row.
#pragma once

#include <array>
#include <cstdint>

#include "mor1e/backend/cpu/elementwise.hpp"

namespace mor1e::backend {

namespace detail {
/// The first place of the largest of sign x_j, j < n, n > 0.
template <class T>
index_t place_of_largest(T sign, const T* x, index_t n) {
  // Two passes: a maximum vectorises, a search for its place ends early.
  T best = sign * x[0];
  int nans = 0;
#pragma omp simd reduction(max : best) reduction(+ : nans)
  for (index_t j = 0; j < n; ++j) {
    best = sign * x[j] > best ? sign * x[j] : best;
    nans += x[j] != x[j];
  }
  index_t j = 0;
  if (nans)
    while (x[j] == x[j]) ++j;
  else
    while (sign * x[j] != best) ++j;
  return j;
}
}  // namespace detail

/// y = the largest element of sign x, times sign: the smallest for sign = -1. The shape of y says of what: [1, 1] of
/// all, [1, cols] of each column, [rows, 1] of each row, none of them empty. `at` is its place in row-major order; of
/// equal elements it is the first, and the first NaN, if there is one, counts as the largest.
template <class T>
void largest(cpu& device, T sign, view<const T> x, view<T> y, view<std::int64_t> at) {
  if (y.size() == 0) return;
  if (y.cols > 1)
    return parallel_for(device.threads(), y.cols, 64, [&](index_t begin, index_t end) {
      T* best = y.data;
      std::int64_t* place = at.data;
      for (index_t j = begin; j < end; ++j) best[j] = x(0, j), place[j] = j;
      for (index_t i = 1; i < x.rows; ++i) {
        const T* from = x.row(i);
#pragma omp simd
        for (index_t j = begin; j < end; ++j) {
          const bool taken = exceeds(sign * from[j], sign * best[j]);
          best[j] = taken ? from[j] : best[j];
          place[j] = taken ? i * x.cols + j : place[j];
        }
      }
    });
  if (y.rows > 1)
    return each_row(device, x.rows, x.cols, [&](index_t i) {
      const index_t j = detail::place_of_largest(sign, x.row(i), x.cols);
      y[i] = x(i, j), at[i] = i * x.cols + j;
    });
  // Of all: each piece of the rows has its own, and the first of the largest is the same however they are cut.
  constexpr index_t pieces = 64;
  std::array<std::int64_t, pieces> place;
  place.fill(-1);
  const auto value = [&](std::int64_t k) { return x(k / x.cols, k % x.cols); };
  const auto offer = [&](std::int64_t& to, std::int64_t k) {
    if (to < 0 || exceeds(sign * value(k), sign * value(to))) to = k;
  };
  parallel_rows(device, pieces, x.size() / pieces, [&](index_t begin, index_t end) {
    for (index_t p = begin; p < end; ++p)
      for (index_t i = x.rows * p / pieces; i < x.rows * (p + 1) / pieces; ++i)
        offer(place[p], i * x.cols + detail::place_of_largest(sign, x.row(i), x.cols));
  });
  at[0] = -1;
  for (std::int64_t k : place)
    if (k >= 0) offer(at[0], k);
  y[0] = value(at[0]);
}

/// dx = beta dx, then dx at place k += dy_k; no place occurs twice
template <class T>
void scatter_elements(cpu& device, view<const T> dy, view<const std::int64_t> at, T beta, view<T> dx) {
  rescale(device, beta, dx);
  for (index_t k = 0; k < dy.size(); ++k) dx(at[k] / dx.cols, at[k] % dx.cols) += dy[k];
}

}  // namespace mor1e::backend
