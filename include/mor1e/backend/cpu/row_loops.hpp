// The loops that row kernels share.
#pragma once

#include <algorithm>
#include <array>

#include "mor1e/backend/cpu/device.hpp"
#include "mor1e/core/math.hpp"

namespace mor1e::backend {

/// to_j = f(j) + beta to_j for j < n, vectorised. With beta 0, what `to` held is not read.
template <class T, class F>
[[gnu::flatten]] inline void write_row(T* to, index_t n, T beta, const F& f) {
  if (beta == T(0)) {
#pragma omp simd
    for (index_t j = 0; j < n; ++j) to[j] = f(j);
  } else {
#pragma omp simd
    for (index_t j = 0; j < n; ++j) to[j] = f(j) + beta * to[j];
  }
}

/// sum over j < n of f(j), vectorised.
template <class T, class F>
[[gnu::flatten]] inline T sum_row(index_t n, const F& f) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (index_t j = 0; j < n; ++j) sum += f(j);
  return sum;
}

/// max_j x_j, n > 0
template <class T>
T row_max(const T* x, index_t n) {
  T largest = x[0];
#pragma omp simd reduction(max : largest)
  for (index_t j = 0; j < n; ++j) largest = x[j] > largest ? x[j] : largest;
  return largest;
}

/// to_j = exp(x_j - shift); returns their sum.
template <class T>
T exp_row(const T* x, T shift, T* to, index_t n) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (index_t j = 0; j < n; ++j) {
    const T e = math::exp(x[j] - shift);
    to[j] = e;
    sum += e;
  }
  return sum;
}

/// f(i) for each row i of a matrix [rows, cols], shared among the threads.
template <class F>
void each_row(cpu& device, index_t rows, index_t cols, const F& f) {
  parallel_rows(device, rows, cols, [&](index_t begin, index_t end) {
    for (index_t i = begin; i < end; ++i) f(i);
  });
}

/// sum over i < rows of f(i), a double. The rows are cut the same way whatever the number of threads, so the sum has
/// the same bits.
template <class F>
double sum_over_rows(cpu& device, index_t rows, index_t cols, const F& f) {
  constexpr index_t pieces = 64;
  std::array<double, pieces> partial{};
  parallel_rows(device, pieces, rows * cols / pieces, [&](index_t begin, index_t end) {
    for (index_t p = begin; p < end; ++p)
      for (index_t i = rows * p / pieces; i < rows * (p + 1) / pieces; ++i) partial[p] += f(i);
  });
  double sum = 0;
  for (double part : partial) sum += part;
  return sum;
}

/// w = beta w + sum over i < rows of f(i), f(i) being a function of the column. Threads share the columns, so the sum
/// does not depend on their number.
template <class T, class F>
void accumulate_rows(cpu& device, index_t rows, T beta, view<T> w, const F& f) {
  parallel_for(device.threads(), w.cols, 64, [&](index_t begin, index_t end) {
    write_row(w.data + begin, end - begin, beta, [](index_t) { return T(0); });
    for (index_t i = 0; i < rows; ++i)
      write_row(w.data + begin, end - begin, T(1), [begin, g = f(i)](index_t j) { return g(begin + j); });
  });
}

}  // namespace mor1e::backend
