// Root-mean-square, layer and length normalisation of each row.
#pragma once

#include <cmath>

#include "mor1e/backend/cpu/row_loops.hpp"

namespace mor1e::backend {

/// rstd = 1 / sqrt(mean x^2 + eps); y = (offset + w) * x * rstd
template <class T>
void rms_norm_forward(cpu& device, view<const T> x, view<const T> w, T eps, T offset, view<T> y, view<T> rstd) {
  each_row(device, x.rows, x.cols, [&](index_t i) {
    const T *from = x.row(i), *weight = w.data;
    const T r = rstd[i] =
        1 / std::sqrt(sum_row<T>(x.cols, [=](index_t j) { return from[j] * from[j]; }) / T(x.cols) + eps);
    write_row(y.row(i), y.cols, T(0), [=](index_t j) { return (offset + weight[j]) * (from[j] * r); });
  });
}

/// With n = x * rstd and g = dy * (offset + w): dx = rstd * (g - n * mean(g n)) + beta dx
template <class T>
void rms_norm_backward(cpu& device, view<const T> x, view<const T> w, T offset, view<const T> rstd, view<const T> dy,
                       T beta, view<T> dx) {
  each_row(device, x.rows, x.cols, [&](index_t i) {
    const T *from = x.row(i), *g = dy.row(i), *weight = w.data, r = rstd[i];
    const T dot = sum_row<T>(x.cols, [=](index_t j) { return g[j] * (offset + weight[j]) * from[j]; });
    const T mean = dot * r * r / T(x.cols);
    write_row(dx.row(i), dx.cols, beta, [=](index_t j) { return r * (g[j] * (offset + weight[j]) - from[j] * mean); });
  });
}

/// dw = sum over rows of dy * x * rstd, + beta dw
template <class T>
void rms_norm_weight_gradient(cpu& device, view<const T> x, view<const T> rstd, view<const T> dy, T beta, view<T> dw) {
  accumulate_rows(device, x.rows, beta, dw, [&](index_t i) {
    return [from = x.row(i), g = dy.row(i), r = rstd[i]](index_t j) { return g[j] * from[j] * r; };
  });
}

/// rstd = 1 / sqrt(mean (x - mean)^2 + eps); y = w (x - mean) rstd + b
template <class T>
void layer_norm_forward(cpu& device, view<const T> x, view<const T> w, view<const T> b, T eps, view<T> y, view<T> mean,
                        view<T> rstd) {
  each_row(device, x.rows, 2 * x.cols, [&](index_t i) {
    const T *from = x.row(i), *weight = w.data, *bias = b.data;
    const T m = mean[i] = sum_row<T>(x.cols, [=](index_t j) { return from[j]; }) / T(x.cols);
    const T squares = sum_row<T>(x.cols, [=](index_t j) { return (from[j] - m) * (from[j] - m); });
    const T r = rstd[i] = 1 / std::sqrt(squares / T(x.cols) + eps);
    write_row(y.row(i), y.cols, T(0), [=](index_t j) { return weight[j] * ((from[j] - m) * r) + bias[j]; });
  });
}

/// With n = (x - mean) rstd and g = dy w: dx = rstd (g - mean(g) - n mean(g n)) + beta dx
template <class T>
void layer_norm_backward(cpu& device, view<const T> x, view<const T> w, view<const T> mean, view<const T> rstd,
                         view<const T> dy, T beta, view<T> dx) {
  each_row(device, x.rows, 2 * x.cols, [&](index_t i) {
    const T *from = x.row(i), *g = dy.row(i), *weight = w.data, m = mean[i], r = rstd[i];
    const T mean_g = sum_row<T>(x.cols, [=](index_t j) { return g[j] * weight[j]; }) / T(x.cols);
    const T mean_gn = sum_row<T>(x.cols, [=](index_t j) { return g[j] * weight[j] * (from[j] - m); }) * r / T(x.cols);
    write_row(dx.row(i), dx.cols, beta,
              [=](index_t j) { return r * (g[j] * weight[j] - mean_g - (from[j] - m) * r * mean_gn); });
  });
}

/// dw = sum over rows of dy (x - mean) rstd, + beta dw
template <class T>
void layer_norm_weight_gradient(cpu& device, view<const T> x, view<const T> mean, view<const T> rstd, view<const T> dy,
                                T beta, view<T> dw) {
  accumulate_rows(device, x.rows, beta, dw, [&](index_t i) {
    return [from = x.row(i), g = dy.row(i), m = mean[i], r = rstd[i]](index_t j) { return g[j] * (from[j] - m) * r; };
  });
}

/// y = r x, r = 1 / max(|x|, eps)
template <class T>
void normalise_rows_forward(cpu& device, view<const T> x, T eps, view<T> y, view<T> r) {
  each_row(device, x.rows, x.cols, [&](index_t i) {
    const T* from = x.row(i);
    const T length = std::sqrt(sum_row<T>(x.cols, [=](index_t j) { return from[j] * from[j]; }));
    const T scale = r[i] = 1 / (length > eps ? length : eps);
    write_row(y.row(i), y.cols, T(0), [=](index_t j) { return from[j] * scale; });
  });
}

/// dx = r (dy - y <y, dy>) + beta dx, without the second term where |x| < eps
template <class T>
void normalise_rows_backward(cpu& device, view<const T> y, view<const T> r, T eps, view<const T> dy, T beta,
                             view<T> dx) {
  each_row(device, y.rows, y.cols, [&](index_t i) {
    const T *n = y.row(i), *g = dy.row(i), scale = r[i];
    const T dot = scale < 1 / eps ? sum_row<T>(y.cols, [=](index_t j) { return n[j] * g[j]; }) : T(0);
    write_row(dx.row(i), dx.cols, beta, [=](index_t j) { return scale * (g[j] - n[j] * dot); });
  });
}

}  // namespace mor1e::backend
