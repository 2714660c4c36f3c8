// Definitions of backend/cuda/softmax.hpp.
#pragma once

#include "mor1e/backend/cuda/softmax.hpp"
#include "mor1e/core/math.hpp"
#include "mor1e/kernels/each_row.cuh"
#include "mor1e/kernels/warp.cuh"

namespace mor1e::backend::kernels {

/// The largest element of a row, in every thread.
template <int Warps, int N, class Part>
__device__ auto row_max(const row_threads<Warps, N>& threads, const Part& x) {
  using T = std::remove_cvref_t<decltype(*x.from)>;
  T largest = T(-INFINITY);
  threads.each([&](auto width, int k, index_t j) {
    const auto v = x.template at<width>(k, j);
    for (int q = 0; q < width; ++q) largest = lane_max<T>::combine(largest, v.at[q]);
  });
  return combine_block<lane_max<T>, Warps>(largest);
}

/// The sum of exp(x - shift) over a row, in every thread.
template <class T, int Warps, int N, class Part>
__device__ T exp_sum(const row_threads<Warps, N>& threads, const Part& x, T shift) {
  return threads.template sum<T>([&](auto width, int k, index_t j, T& sum) {
    const auto v = x.template at<width>(k, j);
    for (int q = 0; q < width; ++q) sum += math::exp(v.at[q] - shift);
  });
}

template <class T>
struct softmax_forward_body {
  device_view<const T> x;
  device_view<T> y;

  template <int Warps, int N>
  __device__ void row(const row_threads<Warps, N>& threads, index_t i) const {
    const auto from = threads.hold(x, i);
    const T largest = row_max(threads, from), scale = T(1) / exp_sum(threads, from, largest);
    threads.each([&](auto width, int k, index_t j) {
      auto v = from.template at<width>(k, j);
      for (int q = 0; q < width; ++q) v.at[q] = math::exp(v.at[q] - largest) * scale;
      store(y, i, j, v);
    });
  }
};

template <class T>
struct softmax_backward_body {
  device_view<const T> y, dy;
  T beta;
  device_view<T> dx;

  template <int Warps, int N>
  __device__ void row(const row_threads<Warps, N>& threads, index_t i) const {
    const auto p = threads.hold(y, i), g = threads.hold(dy, i);
    const T dot = threads.template dot<T>(p, g);
    threads.each([&](auto width, int k, index_t j) {
      auto v = p.template at<width>(k, j);
      const auto w = g.template at<width>(k, j);
      for (int q = 0; q < width; ++q) v.at[q] *= w.at[q] - dot;
      store(dx, i, j, v, beta);
    });
  }
};

template <class T>
struct log_softmax_forward_body {
  device_view<const T> x;
  device_view<T> y;

  template <int Warps, int N>
  __device__ void row(const row_threads<Warps, N>& threads, index_t i) const {
    const auto from = threads.hold(x, i);
    const T largest = row_max(threads, from), lse = largest + std::log(exp_sum(threads, from, largest));
    threads.each([&](auto width, int k, index_t j) {
      auto v = from.template at<width>(k, j);
      for (int q = 0; q < width; ++q) v.at[q] -= lse;
      store(y, i, j, v);
    });
  }
};

template <class T>
struct log_softmax_backward_body {
  device_view<const T> y, dy;
  T beta;
  device_view<T> dx;

  template <int Warps, int N>
  __device__ void row(const row_threads<Warps, N>& threads, index_t i) const {
    const auto g = threads.hold(dy, i);
    const T total = threads.template sum<T>([&](auto width, int k, index_t j, T& sum) {
      const auto w = g.template at<width>(k, j);
      for (int q = 0; q < width; ++q) sum += w.at[q];
    });
    threads.each([&](auto width, int k, index_t j) {
      const auto v = load<width>(y, i, j);
      auto w = g.template at<width>(k, j);
      for (int q = 0; q < width; ++q) w.at[q] -= math::exp(v.at[q]) * total;
      store(dx, i, j, w, beta);
    });
  }
};

template <class T>
struct log_sum_exp_forward_body {
  device_view<const T> x;
  T* y;

  template <int Warps, int N>
  __device__ void row(const row_threads<Warps, N>& threads, index_t i) const {
    const auto from = threads.hold(x, i);
    const T largest = row_max(threads, from), lse = largest + std::log(exp_sum(threads, from, largest));
    if (threads.thread == 0) y[i] = lse;
  }
};

template <class T>
struct log_sum_exp_backward_body {
  device_view<const T> x;
  const T *y, *dy;
  T beta;
  device_view<T> dx;

  template <int N>
  __device__ void at(index_t i, index_t j) const {
    pack<T, N> v = load<N>(x, i, j);
#pragma unroll
    for (int k = 0; k < N; ++k) v.at[k] = dy[i] * math::exp(v.at[k] - y[i]);
    store(dx, i, j, v, beta);
  }
};

template <class T>
void softmax_forward(launch_target target, device_view<const T> x, device_view<T> y) {
  each_row<pack_size<T>>(target, "softmax_forward", x.rows, x.cols, aligned(x) && aligned(y),
                         softmax_forward_body<T>{x, y});
}

template <class T>
void softmax_backward(launch_target target, device_view<const T> y, device_view<const T> dy, T beta,
                      device_view<T> dx) {
  each_row<pack_size<T>>(target, "softmax_backward", y.rows, y.cols, aligned(y) && aligned(dy) && aligned(dx),
                         softmax_backward_body<T>{y, dy, beta, dx});
}

template <class T>
void log_softmax_forward(launch_target target, device_view<const T> x, device_view<T> y) {
  each_row<pack_size<T>>(target, "log_softmax_forward", x.rows, x.cols, aligned(x) && aligned(y),
                         log_softmax_forward_body<T>{x, y});
}

template <class T>
void log_softmax_backward(launch_target target, device_view<const T> y, device_view<const T> dy, T beta,
                          device_view<T> dx) {
  each_row<pack_size<T>>(target, "log_softmax_backward", y.rows, y.cols, aligned(y) && aligned(dy) && aligned(dx),
                         log_softmax_backward_body<T>{y, dy, beta, dx});
}

template <class T>
void log_sum_exp_forward(launch_target target, device_view<const T> x, device_view<T> y) {
  each_row<pack_size<T>>(target, "log_sum_exp_forward", x.rows, x.cols, aligned(x),
                         log_sum_exp_forward_body<T>{x, y.address()});
}

template <class T>
void log_sum_exp_backward(launch_target target, device_view<const T> x, device_view<const T> y, device_view<const T> dy,
                          T beta, device_view<T> dx) {
  each_element<pack_size<T>>(target, "log_sum_exp_backward", x.rows, x.cols, aligned(x) && aligned(dx),
                             log_sum_exp_backward_body<T>{x, y.address(), dy.address(), beta, dx});
}

}  // namespace mor1e::backend::kernels
