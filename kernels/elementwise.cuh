// Definitions of backend/cuda/elementwise.hpp.
#pragma once

#include "mor1e/backend/cuda/elementwise.hpp"
#include "mor1e/kernels/reduce.cuh"

namespace mor1e::backend::kernels {

template <class F, class T>
struct map_forward_body {
  F f;
  device_view<const T> x;
  device_view<T> y;

  template <int N>
  __device__ void at(index_t i, index_t j) const {
    pack<T, N> v = load<N>(x, i, j);
#pragma unroll
    for (int k = 0; k < N; ++k) v.at[k] = f.f(v.at[k]);
    store(y, i, j, v);
  }
};

template <class F, class T>
struct map_backward_body {
  F f;
  device_view<const T> x, dy;
  T beta;
  device_view<T> dx;

  template <int N>
  __device__ void at(index_t i, index_t j) const {
    const pack<T, N> v = load<N>(x, i, j);
    pack<T, N> g = load<N>(dy, i, j);
#pragma unroll
    for (int k = 0; k < N; ++k) g.at[k] *= f.df(v.at[k], f.f(v.at[k]));
    store(dx, i, j, g, beta);
  }
};

/// Matrices of one shape: run as one row where they are contiguous.
template <class Make, class T, class... Views>
void each_element_of(launch_target target, const char* name, const Make& make, device_view<T> y, Views... others) {
  constexpr int N = pack_size<T>;
  const bool flat = y.contiguous() && (others.contiguous() && ...);
  const bool vectors = aligned(y) && (aligned(others) && ...);
  if (flat)
    each_element<N>(target, name, 1, y.size(), vectors, make(as_row(y), as_row(others)...));
  else
    each_element<N>(target, name, y.rows, y.cols, vectors, make(y, others...));
}

template <class F, class T>
void map_forward(launch_target target, F f, device_view<const T> x, device_view<T> y) {
  each_element_of(
      target, "map_forward",
      [f](device_view<T> y, device_view<const T> x) {
        return map_forward_body<F, T>{f, x, y};
      },
      y, x);
}

template <class F, class T>
void map_backward(launch_target target, F f, device_view<const T> x, device_view<const T> dy, T beta,
                  device_view<T> dx) {
  each_element_of(
      target, "map_backward",
      [f, beta](device_view<T> dx, device_view<const T> x, device_view<const T> dy) {
        return map_backward_body<F, T>{f, x, dy, beta, dx};
      },
      dx, x, dy);
}

template <class F, class T>
struct gated_forward_body {
  F f;
  device_view<const T> gate, up;
  device_view<T> y;

  template <int N>
  __device__ void at(index_t i, index_t j) const {
    pack<T, N> v = load<N>(gate, i, j);
    const pack<T, N> u = load<N>(up, i, j);
#pragma unroll
    for (int k = 0; k < N; ++k) v.at[k] = f.f(v.at[k]) * u.at[k];
    store(y, i, j, v);
  }
};

template <class F, class T>
struct gated_backward_body {
  F f;
  device_view<const T> gate, up, dy;
  T beta;
  device_view<T> d_gate, d_up;

  template <int N>
  __device__ void at(index_t i, index_t j) const {
    pack<T, N> v = load<N>(gate, i, j), u = load<N>(up, i, j);
    const pack<T, N> g = load<N>(dy, i, j);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const T a = f.f(v.at[k]);
      v.at[k] = g.at[k] * u.at[k] * f.df(v.at[k], a);
      u.at[k] = g.at[k] * a;
    }
    store(d_gate, i, j, v, beta);
    store(d_up, i, j, u, beta);
  }
};

template <class F, class T>
void gated_forward(launch_target target, F f, device_view<const T> x, device_view<T> y) {
  const index_t n = y.cols;
  const auto gate = x.col_range(0, n), up = x.col_range(n, n);
  each_element<pack_size<T>>(target, "gated_forward", y.rows, n, aligned(gate) && aligned(up) && aligned(y),
                             gated_forward_body<F, T>{f, gate, up, y});
}

template <class F, class T>
void gated_backward(launch_target target, F f, device_view<const T> x, device_view<const T> dy, T beta,
                    device_view<T> dx) {
  const index_t n = dy.cols;
  const auto gate = x.col_range(0, n), up = x.col_range(n, n);
  const auto d_gate = dx.col_range(0, n), d_up = dx.col_range(n, n);
  const bool vectors = aligned(gate) && aligned(up) && aligned(dy) && aligned(d_gate) && aligned(d_up);
  each_element<pack_size<T>>(target, "gated_backward", dy.rows, n, vectors,
                             gated_backward_body<F, T>{f, gate, up, dy, beta, d_gate, d_up});
}

template <class T>
struct axpby_body {
  T alpha;
  device_view<const T> x;
  T beta;
  device_view<T> y;

  template <int N>
  __device__ void at(index_t i, index_t j) const {
    pack<T, N> v = load<N>(x, i, j);
#pragma unroll
    for (int k = 0; k < N; ++k) v.at[k] *= alpha;
    store(y, i, j, v, beta);
  }
};

template <class T>
void axpby(launch_target target, T alpha, device_view<const T> x, T beta, device_view<T> y) {
  each_element_of(
      target, "axpby",
      [alpha, beta](device_view<T> y, device_view<const T> x) {
        return axpby_body<T>{alpha, x, beta, y};
      },
      y, x);
}

template <class T>
struct multiply_body {
  device_view<const T> a;
  repeated<T> b;
  T beta;
  device_view<T> y;

  template <int N>
  __device__ void at(index_t i, index_t j) const {
    pack<T, N> v = load<N>(a, i, j);
    const pack<T, N> w = b.template at<N>(i, j);
#pragma unroll
    for (int k = 0; k < N; ++k) v.at[k] *= w.at[k];
    store(y, i, j, v, beta);
  }
};

template <class T>
void multiply(launch_target target, device_view<const T> a, device_view<const T> b, T beta, device_view<T> y) {
  const auto run = [&](device_view<const T> a, device_view<const T> b, device_view<T> y) {
    each_element<pack_size<T>>(target, "multiply", y.rows, y.cols, aligned(a) && aligned(b, y.cols) && aligned(y),
                               multiply_body<T>{a, {b, y.cols}, beta, y});
  };
  const bool number = b.size() == 1;
  if (a.contiguous() && y.contiguous() && (number || b.contiguous()))
    run(as_row(a), as_row(b), as_row(y));
  else
    run(a, b, y);
}

template <class T>
struct broadcast_body {
  repeated<T> s;
  T beta;
  device_view<T> y;

  template <int N>
  __device__ void at(index_t i, index_t j) const {
    store(y, i, j, s.template at<N>(i, j), beta);
  }
};

template <class T>
void broadcast(launch_target target, device_view<const T> s, T beta, device_view<T> y) {
  each_element<pack_size<T>>(target, "broadcast", y.rows, y.cols, aligned(s, y.cols) && aligned(y),
                             broadcast_body<T>{{s, y.cols}, beta, y});
}

/// y = value + beta y
template <class T>
struct fill_body {
  T value, beta;
  device_view<T> y;

  template <int N>
  __device__ void at(index_t i, index_t j) const {
    pack<T, N> v;
#pragma unroll
    for (int k = 0; k < N; ++k) v.at[k] = value;
    store(y, i, j, v, beta);
  }
};

template <class T>
void rescale(launch_target target, T beta, device_view<T> y) {
  each_element_of(
      target, "rescale",
      [beta](device_view<T> y) {
        return fill_body<T>{T(0), beta, y};
      },
      y);
}

template <class T>
void fill(launch_target target, T value, device_view<T> y) {
  each_element_of(
      target, "fill",
      [value](device_view<T> y) {
        return fill_body<T>{value, T(0), y};
      },
      y);
}

template <class T>
struct sum_all_term : sum_to<double, T> {
  device_view<const T> x;

  template <int N>
  __device__ pack<double, N> at(index_t i, index_t j) const {
    const pack<T, N> v = load<N>(x, i, j);
    pack<double, N> out;
#pragma unroll
    for (int k = 0; k < N; ++k) out.at[k] = double(v.at[k]);
    return out;
  }
};

template <class T>
struct dot_term : sum_to<double, T> {
  device_view<const T> x, y;

  template <int N>
  __device__ pack<double, N> at(index_t i, index_t j) const {
    const pack<T, N> v = load<N>(x, i, j), w = load<N>(y, i, j);
    pack<double, N> out;
#pragma unroll
    for (int k = 0; k < N; ++k) out.at[k] = double(v.at[k]) * double(w.at[k]);
    return out;
  }
};

template <class T>
void sum(launch_target target, device_view<const T> x, T beta, device_view<T> s, double* parts) {
  const device_view<const T> v = x.contiguous() ? as_row(x) : x;
  reduce_all<pack_size<T>>(target, "sum", v.rows, v.cols, aligned(v), sum_all_term<T>{{s.address(), T(1), beta}, v},
                           parts);
}

template <class T>
void dot(launch_target target, device_view<const T> x, device_view<const T> y, T beta, device_view<T> s,
         double* parts) {
  const bool flat = x.contiguous() && y.contiguous();
  const device_view<const T> v = flat ? as_row(x) : x, w = flat ? as_row(y) : y;
  reduce_all<pack_size<T>>(target, "dot", v.rows, v.cols, aligned(v) && aligned(w),
                           dot_term<T>{{s.address(), T(1), beta}, v, w}, parts);
}

}  // namespace mor1e::backend::kernels

/// Kernels of an elementwise op of a user's, defined in this unit: `MOR1E_CUDA_MAP(mine::cube_op::function, float)`.
#define MOR1E_CUDA_MAP(F, T)                                                                                          \
  template void mor1e::backend::kernels::map_forward<F, T>(mor1e::backend::launch_target, F,                          \
                                                           mor1e::device_view<const T>, mor1e::device_view<T>);       \
  template void mor1e::backend::kernels::map_backward<F, T>(mor1e::backend::launch_target, F,                         \
                                                            mor1e::device_view<const T>, mor1e::device_view<const T>, \
                                                            T, mor1e::device_view<T>)

/// The same for the function of a gated op.
#define MOR1E_CUDA_GATED(F, T)                                                                                    \
  template void mor1e::backend::kernels::gated_forward<F, T>(mor1e::backend::launch_target, F,                    \
                                                             mor1e::device_view<const T>, mor1e::device_view<T>); \
  template void mor1e::backend::kernels::gated_backward<F, T>(mor1e::backend::launch_target, F,                   \
                                                              mor1e::device_view<const T>,                        \
                                                              mor1e::device_view<const T>, T, mor1e::device_view<T>)
