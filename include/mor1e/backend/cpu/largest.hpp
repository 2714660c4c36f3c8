// The largest element of a matrix, of each column or of each row.
#pragma once

#include <array>
#include <limits>

#include "mor1e/backend/cpu/elementwise.hpp"

namespace mor1e::backend {

namespace detail {

/// The largest of sign x_j, j < n, n > 0; NaN if one is NaN.
template <class T>
T row_largest(T sign, const T* x, index_t n) {
  T best = sign * x[0];
  int nans = 0;
#pragma omp simd reduction(max : best) reduction(+ : nans)
  for (index_t j = 0; j < n; ++j) {
    best = sign * x[j] > best ? sign * x[j] : best;
    nans += x[j] != x[j];
  }
  return nans ? std::numeric_limits<T>::quiet_NaN() : best;
}

/// The first j < n with x_j the same as y, n if there is none. By pieces, as a search with an exit does not vectorise.
template <class T>
index_t first_place(const T* x, index_t n, T y) {
  constexpr index_t piece = 64;
  for (index_t begin = 0; begin < n; begin += piece) {
    const index_t end = std::min(begin + piece, n);
    int hits = 0;
#pragma omp simd reduction(+ : hits)
    for (index_t j = begin; j < end; ++j) hits += same(x[j], y);
    if (!hits) continue;
    index_t j = begin;
    while (!same(x[j], y)) ++j;
    return j;
  }
  return n;
}

}  // namespace detail

/// y = the largest element of sign x, times sign: the smallest for sign = -1. The shape of y says of what: [1, 1] of
/// all, [1, cols] of each column, [rows, 1] of each row, none of them empty. NaN if one is NaN.
template <class T>
void largest(cpu& device, T sign, view<const T> x, view<T> y) {
  if (y.cols > 1)
    return parallel_for(device.threads(), y.cols, 64, [&](index_t begin, index_t end) {
      T* best = y.data;
      std::copy(x.data + begin, x.data + end, best + begin);
      for (index_t i = 1; i < x.rows; ++i)
        write_row(best + begin, end - begin, T(0), [=, from = x.row(i) + begin, to = best + begin](index_t j) {
          return exceeds(sign * from[j], sign * to[j]) ? from[j] : to[j];
        });
    });
  if (y.rows > 1)
    return each_row(device, x.rows, x.cols,
                    [&](index_t i) { y[i] = sign * detail::row_largest(sign, x.row(i), x.cols); });
  // Of all: each piece of the rows has its own; the largest of them is the same however they are cut.
  constexpr index_t pieces = 64;
  std::array<T, pieces> best;
  best.fill(-std::numeric_limits<T>::infinity());
  parallel_rows(device, pieces, x.size() / pieces, [&](index_t begin, index_t end) {
    for (index_t p = begin; p < end; ++p)
      for (index_t i = x.rows * p / pieces; i < x.rows * (p + 1) / pieces; ++i)
        if (const T row = detail::row_largest(sign, x.row(i), x.cols); exceeds(row, best[p])) best[p] = row;
  });
  if (y.size() > 0) y[0] = sign * detail::row_largest(T(1), best.data(), pieces);
}

/// dx = beta dx, then dy is added at the first element of x that is y, y being as above
template <class T>
void largest_backward(cpu& device, view<const T> x, view<const T> y, view<const T> dy, T beta, view<T> dx) {
  rescale(device, beta, dx);
  if (y.cols > 1)
    return parallel_for(device.threads(), y.cols, 64, [&](index_t begin, index_t end) {
      constexpr index_t block = 64;
      std::array<index_t, block> place;
      for (index_t left = begin; left < end; left += block) {
        const index_t n = std::min(block, end - left);
        const T* wanted = y.data + left;
        place.fill(0);
        for (index_t i = x.rows - 1; i >= 0; --i)  // upwards, so that the first one is the last found
          write_row(place.data(), n, index_t(0), [=, &place, from = x.row(i) + left](index_t j) {
            return same(from[j], wanted[j]) ? i : place[std::size_t(j)];
          });
        for (index_t j = 0; j < n; ++j) dx(place[std::size_t(j)], left + j) += dy[left + j];
      }
    });
  if (y.rows > 1)
    return each_row(device, x.rows, x.cols,
                    [&](index_t i) { dx(i, detail::first_place(x.row(i), x.cols, y[i])) += dy[i]; });
  for (index_t i = 0; i < x.rows; ++i)
    if (const index_t j = detail::first_place(x.row(i), x.cols, y[0]); j < x.cols) return void(dx(i, j) += dy[0]);
}

}  // namespace mor1e::backend
