// Definitions of backend/cuda/zip.hpp.
#pragma once

#include "mor1e/backend/cuda/zip.hpp"
#include "mor1e/kernels/reduce.cuh"

namespace mor1e::backend::kernels {

/// An operand of a matrix of `size` elements that is read as one row; a number stays one.
template <class T>
device_view<const T> operand_as_row(device_view<const T> x, index_t size) {
  return x.size() == size ? as_row(x) : x;
}
/// Whether an operand allows that.
template <class T>
bool flat(device_view<const T> x, index_t size) {
  return x.size() == 1 || (x.contiguous() && x.size() == size);
}

template <class F, class T>
struct zip_body {
  F f;
  repeated<T> a, b;
  T beta;
  device_view<T> y;

  template <int N>
  __device__ void at(index_t i, index_t j) const {
    pack<T, N> v = a.template at<N>(i, j);
    const pack<T, N> w = b.template at<N>(i, j);
#pragma unroll
    for (int k = 0; k < N; ++k) v.at[k] = f.f(v.at[k], w.at[k]);
    store(y, i, j, v, beta);
  }
};

template <class F, class T>
void zip_forward(launch_target target, F f, device_view<const T> a, device_view<const T> b, T beta, device_view<T> y) {
  const auto run = [&](device_view<const T> a, device_view<const T> b, device_view<T> y) {
    each_element<pack_size<T>>(target, "zip_forward", y.rows, y.cols,
                               aligned(a, y.cols) && aligned(b, y.cols) && aligned(y),
                               zip_body<F, T>{f, {a, y.cols}, {b, y.cols}, beta, y});
  };
  const index_t n = y.size();
  if (y.contiguous() && flat(a, n) && flat(b, n))
    run(operand_as_row(a, n), operand_as_row(b, n), as_row(y));
  else
    run(a, b, y);
}

/// dy f(a, b)
template <class F, class T>
struct zip_gradient {
  F f;
  repeated<T> a, b;
  device_view<const T> dy;

  template <int N>
  __device__ pack<T, N> at(index_t i, index_t j) const {
    pack<T, N> v = a.template at<N>(i, j);
    const pack<T, N> w = b.template at<N>(i, j), g = load<N>(dy, i, j);
#pragma unroll
    for (int k = 0; k < N; ++k) v.at[k] = g.at[k] * f.f(v.at[k], w.at[k]);
    return v;
  }
};

template <class F, class T>
struct zip_backward_body {
  zip_gradient<F, T> gradient;
  T beta;
  device_view<T> dx;

  template <int N>
  __device__ void at(index_t i, index_t j) const {
    store(dx, i, j, gradient.template at<N>(i, j), beta);
  }
};

/// The gradient as a term of a sum in Value.
template <class Value, class F, class T>
struct zip_gradient_term : sum_to<Value, T> {
  zip_gradient<F, T> gradient;

  template <int N>
  __device__ pack<Value, N> at(index_t i, index_t j) const {
    const pack<T, N> v = gradient.template at<N>(i, j);
    pack<Value, N> out;
#pragma unroll
    for (int k = 0; k < N; ++k) out.at[k] = Value(v.at[k]);
    return out;
  }
};

/// Whether all that a gradient reads may be accessed by packs.
template <class T>
bool zip_aligned(device_view<const T> a, device_view<const T> b, device_view<const T> dy) {
  return aligned(a, dy.cols) && aligned(b, dy.cols) && aligned(dy);
}

template <class F, class T>
void zip_backward(launch_target target, F f, device_view<const T> a, device_view<const T> b, device_view<const T> dy,
                  T beta, device_view<T> dx) {
  const auto run = [&](device_view<const T> a, device_view<const T> b, device_view<const T> dy, device_view<T> dx) {
    each_element<pack_size<T>>(target, "zip_backward", dx.rows, dx.cols, zip_aligned(a, b, dy) && aligned(dx),
                               zip_backward_body<F, T>{{f, {a, dy.cols}, {b, dy.cols}, dy}, beta, dx});
  };
  const index_t n = dy.size();
  if (dx.contiguous() && dy.contiguous() && flat(a, n) && flat(b, n))
    run(operand_as_row(a, n), operand_as_row(b, n), as_row(dy), as_row(dx));
  else
    run(a, b, dy, dx);
}

template <class Value, class F, class T>
zip_gradient_term<Value, F, T> zip_term(F f, device_view<const T> a, device_view<const T> b, device_view<const T> dy,
                                        T beta, device_view<T> dx) {
  return {{dx.address(), T(1), beta}, {f, {a, dy.cols}, {b, dy.cols}, dy}};
}

template <class F, class T>
void zip_backward_sum(launch_target target, F f, device_view<const T> a, device_view<const T> b,
                      device_view<const T> dy, T beta, device_view<T> dx, double* parts) {
  reduce_all<pack_size<T>>(target, "zip_backward", dy.rows, dy.cols, zip_aligned(a, b, dy),
                           zip_term<double>(f, a, b, dy, beta, dx), parts);
}

template <class F, class T>
void zip_backward_columns(launch_target target, F f, device_view<const T> a, device_view<const T> b,
                          device_view<const T> dy, T beta, device_view<T> dx, T* parts) {
  reduce_columns<pack_size<T>>(target, "zip_backward", dy.rows, dy.cols, zip_aligned(a, b, dy),
                               zip_term<T>(f, a, b, dy, beta, dx), parts);
}

template <class F, class T>
void zip_backward_rows(launch_target target, F f, device_view<const T> a, device_view<const T> b,
                       device_view<const T> dy, T beta, device_view<T> dx) {
  reduce_rows<pack_size<T>>(target, "zip_backward", dy.rows, dy.cols, zip_aligned(a, b, dy),
                            zip_term<T>(f, a, b, dy, beta, dx));
}

template <class F, class T>
struct zip_sum_term : sum_to<double, T> {
  F f;
  device_view<const T> a, b;

  template <int N>
  __device__ pack<double, N> at(index_t i, index_t j) const {
    const pack<T, N> v = load<N>(a, i, j), w = load<N>(b, i, j);
    pack<double, N> out;
#pragma unroll
    for (int k = 0; k < N; ++k) out.at[k] = double(f.f(v.at[k], w.at[k]));
    return out;
  }
};

template <class F, class T>
void zip_sum(launch_target target, F f, T alpha, device_view<const T> a, device_view<const T> b, device_view<T> y,
             double* parts) {
  const bool flat = a.contiguous() && b.contiguous();
  const device_view<const T> v = flat ? as_row(a) : a, w = flat ? as_row(b) : b;
  reduce_all<pack_size<T>>(target, "zip_sum", v.rows, v.cols, aligned(v) && aligned(w),
                           zip_sum_term<F, T>{{y.address(), alpha, T(0)}, f, v, w}, parts);
}

template <class F, class T>
struct zip_sum_backward_body {
  F f;
  T alpha;
  device_view<const T> a, b;
  const T* dy;
  T beta;
  device_view<T> dx;

  template <int N>
  __device__ void at(index_t i, index_t j) const {
    pack<T, N> v = load<N>(a, i, j);
    const pack<T, N> w = load<N>(b, i, j);
    const T scale = alpha * *dy;
#pragma unroll
    for (int k = 0; k < N; ++k) v.at[k] = scale * f.f(v.at[k], w.at[k]);
    store(dx, i, j, v, beta);
  }
};

template <class F, class T>
void zip_sum_backward(launch_target target, F f, T alpha, device_view<const T> a, device_view<const T> b,
                      device_view<const T> dy, T beta, device_view<T> dx) {
  each_element_of(
      target, "zip_sum_backward",
      [f, alpha, dy, beta](device_view<T> dx, device_view<const T> a, device_view<const T> b) {
        return zip_sum_backward_body<F, T>{f, alpha, a, b, dy.address(), beta, dx};
      },
      dx, a, b);
}

template <class T>
struct select_body {
  repeated<T> mask, a, b;
  device_view<T> y;

  template <int N>
  __device__ void at(index_t i, index_t j) const {
    const pack<T, N> m = mask.template at<N>(i, j), w = b.template at<N>(i, j);
    pack<T, N> v = a.template at<N>(i, j);
#pragma unroll
    for (int k = 0; k < N; ++k) v.at[k] = m.at[k] > T(0) ? v.at[k] : w.at[k];
    store(y, i, j, v);
  }
};

template <class T>
void select(launch_target target, device_view<const T> mask, device_view<const T> a, device_view<const T> b,
            device_view<T> y) {
  const bool vectors = aligned(mask, y.cols) && aligned(a, y.cols) && aligned(b, y.cols) && aligned(y);
  each_element<pack_size<T>>(target, "select", y.rows, y.cols, vectors,
                             select_body<T>{{mask, y.cols}, {a, y.cols}, {b, y.cols}, y});
}

}  // namespace mor1e::backend::kernels

/// Kernels of a function of two elements.
#define MOR1E_CUDA_ZIP_FORWARD(F, T)                                                                                 \
  template void mor1e::backend::kernels::zip_forward<F, T>(mor1e::backend::launch_target, F,                         \
                                                           mor1e::device_view<const T>, mor1e::device_view<const T>, \
                                                           T, mor1e::device_view<T>)

/// Kernels that bring dy back to one operand, F being the derivative by it.
#define MOR1E_CUDA_ZIP_BACKWARD(F, T)                                                                                 \
  template void mor1e::backend::kernels::zip_backward<F, T>(mor1e::backend::launch_target, F,                         \
                                                            mor1e::device_view<const T>, mor1e::device_view<const T>, \
                                                            mor1e::device_view<const T>, T, mor1e::device_view<T>);   \
  template void mor1e::backend::kernels::zip_backward_sum<F, T>(                                                      \
      mor1e::backend::launch_target, F, mor1e::device_view<const T>, mor1e::device_view<const T>,                     \
      mor1e::device_view<const T>, T, mor1e::device_view<T>, double*);                                                \
  template void mor1e::backend::kernels::zip_backward_columns<F, T>(                                                  \
      mor1e::backend::launch_target, F, mor1e::device_view<const T>, mor1e::device_view<const T>,                     \
      mor1e::device_view<const T>, T, mor1e::device_view<T>, T*);                                                     \
  template void mor1e::backend::kernels::zip_backward_rows<F, T>(                                                     \
      mor1e::backend::launch_target, F, mor1e::device_view<const T>, mor1e::device_view<const T>,                     \
      mor1e::device_view<const T>, T, mor1e::device_view<T>)

/// Kernels of a loss that is the mean of a function of two elements: of the function,
#define MOR1E_CUDA_ZIP_SUM(F, T)                                                                                 \
  template void mor1e::backend::kernels::zip_sum<F, T>(mor1e::backend::launch_target, F, T,                      \
                                                       mor1e::device_view<const T>, mor1e::device_view<const T>, \
                                                       mor1e::device_view<T>, double*)
/// and of a derivative.
#define MOR1E_CUDA_ZIP_SUM_BACKWARD(F, T)                                                            \
  template void mor1e::backend::kernels::zip_sum_backward<F, T>(                                     \
      mor1e::backend::launch_target, F, T, mor1e::device_view<const T>, mor1e::device_view<const T>, \
      mor1e::device_view<const T>, T, mor1e::device_view<T>)
