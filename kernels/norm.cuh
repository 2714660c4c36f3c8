// Definitions of backend/cuda/norm.hpp.
#pragma once

#include <cmath>

#include "mor1e/backend/cuda/norm.hpp"
#include "mor1e/kernels/each_row.cuh"

namespace mor1e::backend::kernels {

template <class T>
struct rms_norm_forward_body {
  device_view<const T> x;
  const T* w;
  T eps, offset;
  device_view<T> y;
  T* rstd;

  template <int Warps, int N>
  __device__ void row(const row_threads<Warps, N>& threads, index_t i) const {
    const auto from = threads.hold(x, i);
    const T r = T(1) / std::sqrt(threads.template dot<T>(from, from) / T(x.cols) + eps);
    if (threads.thread == 0) rstd[i] = r;
    threads.each([&](auto width, int k, index_t j) {
      auto v = from.template at<width>(k, j);
      const auto weight = load<width>(w + j);
      for (int e = 0; e < width; ++e) v.at[e] = (offset + weight.at[e]) * (v.at[e] * r);
      store(y, i, j, v);
    });
  }
};

template <class T>
struct rms_norm_backward_body {
  device_view<const T> x;
  const T* w;
  T offset;
  const T* rstd;
  device_view<const T> dy;
  T beta;
  device_view<T> dx;

  template <int Warps, int N>
  __device__ void row(const row_threads<Warps, N>& threads, index_t i) const {
    const auto from = threads.hold(x, i), g = threads.hold(dy, i);
    const T r = rstd[i];
    const T dot = threads.template sum<T>([&](auto width, int k, index_t j, T& sum) {
      const auto v = from.template at<width>(k, j), d = g.template at<width>(k, j);
      const auto weight = load<width>(w + j);
      for (int e = 0; e < width; ++e) sum += d.at[e] * (offset + weight.at[e]) * v.at[e];
    });
    const T mean = dot * r * r / T(x.cols);
    threads.each([&](auto width, int k, index_t j) {
      auto v = from.template at<width>(k, j);
      const auto d = g.template at<width>(k, j);
      const auto weight = load<width>(w + j);
      for (int e = 0; e < width; ++e) v.at[e] = r * (d.at[e] * (offset + weight.at[e]) - v.at[e] * mean);
      store(dx, i, j, v, beta);
    });
  }
};

/// dy (x - mean) rstd; without means of rows, dy x rstd.
template <class T>
struct norm_weight_term : sum_to<T, T> {
  device_view<const T> x, dy;
  const T *mean, *rstd;

  template <int N>
  __device__ pack<T, N> at(index_t i, index_t j) const {
    pack<T, N> v = load<N>(x, i, j);
    const pack<T, N> g = load<N>(dy, i, j);
    const T m = mean ? mean[i] : T(0), r = rstd[i];
#pragma unroll
    for (int k = 0; k < N; ++k) v.at[k] = g.at[k] * (v.at[k] - m) * r;
    return v;
  }
};

template <class T>
struct layer_norm_forward_body {
  device_view<const T> x;
  const T *w, *b;
  T eps;
  device_view<T> y;
  T *mean, *rstd;

  template <int Warps, int N>
  __device__ void row(const row_threads<Warps, N>& threads, index_t i) const {
    const auto from = threads.hold(x, i);
    const T m = threads.template sum<T>([&](auto width, int k, index_t j, T& sum) {
      const auto v = from.template at<width>(k, j);
      for (int e = 0; e < width; ++e) sum += v.at[e];
    }) / T(x.cols);
    const T squares = threads.template sum<T>([&](auto width, int k, index_t j, T& sum) {
      const auto v = from.template at<width>(k, j);
      for (int e = 0; e < width; ++e) sum += (v.at[e] - m) * (v.at[e] - m);
    });
    const T r = T(1) / std::sqrt(squares / T(x.cols) + eps);
    if (threads.thread == 0) mean[i] = m, rstd[i] = r;
    threads.each([&](auto width, int k, index_t j) {
      auto v = from.template at<width>(k, j);
      const auto weight = load<width>(w + j), bias = load<width>(b + j);
      for (int e = 0; e < width; ++e) v.at[e] = weight.at[e] * ((v.at[e] - m) * r) + bias.at[e];
      store(y, i, j, v);
    });
  }
};

template <class T>
struct layer_norm_backward_body {
  device_view<const T> x;
  const T *w, *mean, *rstd;
  device_view<const T> dy;
  T beta;
  device_view<T> dx;

  template <int Warps, int N>
  __device__ void row(const row_threads<Warps, N>& threads, index_t i) const {
    const auto from = threads.hold(x, i), d = threads.hold(dy, i);
    const T m = mean[i], r = rstd[i];
    const T mean_g = threads.template sum<T>([&](auto width, int k, index_t j, T& sum) {
      const auto g = d.template at<width>(k, j);
      const auto weight = load<width>(w + j);
      for (int e = 0; e < width; ++e) sum += g.at[e] * weight.at[e];
    }) / T(x.cols);
    const T mean_gn = threads.template sum<T>([&](auto width, int k, index_t j, T& sum) {
      const auto v = from.template at<width>(k, j), g = d.template at<width>(k, j);
      const auto weight = load<width>(w + j);
      for (int e = 0; e < width; ++e) sum += g.at[e] * weight.at[e] * (v.at[e] - m);
    }) * r / T(x.cols);
    threads.each([&](auto width, int k, index_t j) {
      auto v = from.template at<width>(k, j);
      const auto g = d.template at<width>(k, j);
      const auto weight = load<width>(w + j);
      for (int e = 0; e < width; ++e) v.at[e] = r * (g.at[e] * weight.at[e] - mean_g - (v.at[e] - m) * r * mean_gn);
      store(dx, i, j, v, beta);
    });
  }
};

template <class T>
struct normalise_rows_forward_body {
  device_view<const T> x;
  T eps;
  device_view<T> y;
  T* r;

  template <int Warps, int N>
  __device__ void row(const row_threads<Warps, N>& threads, index_t i) const {
    const auto from = threads.hold(x, i);
    const T length = std::sqrt(threads.template dot<T>(from, from)), scale = T(1) / (length > eps ? length : eps);
    if (threads.thread == 0) r[i] = scale;
    threads.each([&](auto width, int k, index_t j) {
      auto v = from.template at<width>(k, j);
      for (int e = 0; e < width; ++e) v.at[e] *= scale;
      store(y, i, j, v);
    });
  }
};

template <class T>
struct normalise_rows_backward_body {
  device_view<const T> y;
  const T* r;
  T eps;
  device_view<const T> dy;
  T beta;
  device_view<T> dx;

  template <int Warps, int N>
  __device__ void row(const row_threads<Warps, N>& threads, index_t i) const {
    const auto n = threads.hold(y, i), g = threads.hold(dy, i);
    const T scale = r[i], along = threads.template dot<T>(n, g), dot = scale < T(1) / eps ? along : T(0);
    threads.each([&](auto width, int k, index_t j) {
      auto v = n.template at<width>(k, j);
      const auto d = g.template at<width>(k, j);
      for (int e = 0; e < width; ++e) v.at[e] = scale * (d.at[e] - v.at[e] * dot);
      store(dx, i, j, v, beta);
    });
  }
};

template <class T>
void rms_norm_forward(launch_target target, device_view<const T> x, device_view<const T> w, T eps, T offset,
                      device_view<T> y, device_view<T> rstd) {
  each_row<pack_size<T>>(target, "rms_norm_forward", x.rows, x.cols, aligned(x) && aligned(as_row(w)) && aligned(y),
                         rms_norm_forward_body<T>{x, w.address(), eps, offset, y, rstd.address()});
}

template <class T>
void rms_norm_backward(launch_target target, device_view<const T> x, device_view<const T> w, T offset,
                       device_view<const T> rstd, device_view<const T> dy, T beta, device_view<T> dx) {
  const bool vectors = aligned(x) && aligned(as_row(w)) && aligned(dy) && aligned(dx);
  each_row<pack_size<T>>(target, "rms_norm_backward", x.rows, x.cols, vectors,
                         rms_norm_backward_body<T>{x, w.address(), offset, rstd.address(), dy, beta, dx});
}

template <class T>
void rms_norm_weight_gradient(launch_target target, device_view<const T> x, device_view<const T> rstd,
                              device_view<const T> dy, T beta, device_view<T> dw, T* parts) {
  reduce_columns<pack_size<T>>(target, "rms_norm_weight_gradient", x.rows, x.cols, aligned(x) && aligned(dy),
                               norm_weight_term<T>{{dw.address(), T(1), beta}, x, dy, nullptr, rstd.address()}, parts);
}

template <class T>
void layer_norm_forward(launch_target target, device_view<const T> x, device_view<const T> w, device_view<const T> b,
                        T eps, device_view<T> y, device_view<T> mean, device_view<T> rstd) {
  const bool vectors = aligned(x) && aligned(as_row(w)) && aligned(as_row(b)) && aligned(y);
  each_row<pack_size<T>>(
      target, "layer_norm_forward", x.rows, x.cols, vectors,
      layer_norm_forward_body<T>{x, w.address(), b.address(), eps, y, mean.address(), rstd.address()});
}

template <class T>
void layer_norm_backward(launch_target target, device_view<const T> x, device_view<const T> w,
                         device_view<const T> mean, device_view<const T> rstd, device_view<const T> dy, T beta,
                         device_view<T> dx) {
  const bool vectors = aligned(x) && aligned(as_row(w)) && aligned(dy) && aligned(dx);
  each_row<pack_size<T>>(target, "layer_norm_backward", x.rows, x.cols, vectors,
                         layer_norm_backward_body<T>{x, w.address(), mean.address(), rstd.address(), dy, beta, dx});
}

template <class T>
void layer_norm_weight_gradient(launch_target target, device_view<const T> x, device_view<const T> mean,
                                device_view<const T> rstd, device_view<const T> dy, T beta, device_view<T> dw,
                                T* parts) {
  reduce_columns<pack_size<T>>(target, "layer_norm_weight_gradient", x.rows, x.cols, aligned(x) && aligned(dy),
                               norm_weight_term<T>{{dw.address(), T(1), beta}, x, dy, mean.address(), rstd.address()},
                               parts);
}

template <class T>
void normalise_rows_forward(launch_target target, device_view<const T> x, T eps, device_view<T> y, device_view<T> r) {
  each_row<pack_size<T>>(target, "normalise_rows_forward", x.rows, x.cols, aligned(x) && aligned(y),
                         normalise_rows_forward_body<T>{x, eps, y, r.address()});
}

template <class T>
void normalise_rows_backward(launch_target target, device_view<const T> y, device_view<const T> r, T eps,
                             device_view<const T> dy, T beta, device_view<T> dx) {
  each_row<pack_size<T>>(target, "normalise_rows_backward", y.rows, y.cols, aligned(y) && aligned(dy) && aligned(dx),
                         normalise_rows_backward_body<T>{y, r.address(), eps, dy, beta, dx});
}

}  // namespace mor1e::backend::kernels
