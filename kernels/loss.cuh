// Definitions of backend/cuda/loss.hpp.
#pragma once

#include "mor1e/backend/cuda/loss.hpp"
#include "mor1e/kernels/each_row.cuh"
#include "mor1e/kernels/scaled_exp_sum.cuh"
#include "mor1e/kernels/warp.cuh"

namespace mor1e::backend::kernels {

template <class T>
struct share_of_counted {
  using value = int;
  using result = share_of_counted;
  T* s;

  static __device__ int identity() { return 0; }
  static __device__ int combine(int a, int b) { return a + b; }
  __device__ void finish(index_t, int counted) const { *s = counted ? T(1) / T(counted) : T(0); }
};

template <class T>
struct target_share_term : share_of_counted<T> {
  device_view<const std::int32_t> targets;

  template <int N>
  __device__ pack<int, N> at(index_t i, index_t j) const {
    pack<int, N> v = load<N>(targets, i, j);
#pragma unroll
    for (int k = 0; k < N; ++k) v.at[k] = v.at[k] >= 0;
    return v;
  }
};

template <class T>
void target_share(launch_target target, device_view<const std::int32_t> targets, device_view<T> s, int* parts) {
  const bool flat = targets.contiguous();
  const device_view<const std::int32_t> v = flat ? as_row(targets) : targets;
  reduce_all<4>(target, "target_share", v.rows, v.cols, aligned(v), target_share_term<T>{{s.address()}, v}, parts);
}

/// The logit of a row's target. One past the last column has none: NaN, which nobody overlooks.
template <class T>
__device__ T target_logit(const T* x, index_t cols, std::int32_t target) {
  return target < cols ? x[target] : T(NAN);
}

template <class T>
struct cross_entropy_term : scaled_exp_sum_term<T> {
  device_view<const T> x;
  device_view<const std::int32_t> targets;
  device_view<T> nll, lse;

  cross_entropy_term(device_view<const T> x, device_view<const std::int32_t> targets, device_view<T> nll,
                     device_view<T> lse)
      : x(x), targets(targets), nll(nll), lse(lse) {}
  template <int N>
  __device__ pack<scaled_exp_sum<T>, N> at(index_t i, index_t j) const {
    return scaled_exp_sum_term<T>::of(load<N>(x, i, j));
  }
  __device__ void finish(index_t i, scaled_exp_sum<T> total) const {
    const T shift = total.log();
    const std::int32_t target = *row(targets, i);
    *row(lse, i) = shift;
    *row(nll, i) = target < 0 ? T(0) : shift - target_logit(row(x, i), x.cols, target);
  }
};

template <class T>
void cross_entropy_forward(launch_target target, device_view<const T> x, device_view<const std::int32_t> targets,
                           device_view<T> nll, device_view<T> lse) {
  reduce_rows<pack_size<T>>(target, "cross_entropy_forward", x.rows, x.cols, aligned(x),
                            cross_entropy_term<T>(x, targets, nll, lse));
}

template <class T>
struct cross_entropy_backward_body {
  device_view<const T> x;
  device_view<const std::int32_t> targets;
  device_view<const T> lse, s;
  T beta;
  device_view<T> dx;

  template <int Warps, int N>
  __device__ void row(const row_threads<Warps, N>& threads, index_t i) const {
    const std::int32_t right = *kernels::row(targets, i);
    const T shift = *kernels::row(lse, i), scale = *s.address();
    threads.each([&](auto width, int, index_t j) {
      auto v = load<width>(x, i, j);
#pragma unroll
      for (int k = 0; k < width; ++k)
        v.at[k] = right < 0 ? T(0) : scale * (math::exp(v.at[k] - shift) - T(j + k == right));
      store(dx, i, j, v, beta);
    });
  }
};

template <class T>
void cross_entropy_backward(launch_target target, device_view<const T> x, device_view<const std::int32_t> targets,
                            device_view<const T> lse, device_view<const T> s, T beta, device_view<T> dx) {
  each_row<pack_size<T>>(target, "cross_entropy_backward", dx.rows, dx.cols, aligned(x) && aligned(dx),
                         cross_entropy_backward_body<T>{x, targets, lse, s, beta, dx});
}

/// Each warp or block has a row, which it reads twice and writes once.
template <int Warps, int N, class T>
__global__ void __launch_bounds__(256)
    cross_entropy_in_place_kernel(device_view<const std::int32_t> targets, column_units columns, device_view<T> x,
                                  device_view<T> nll) {
  using term = scaled_exp_sum_term<T>;
  const index_t units = columns.count<N>(), at_once = Warps == 1 ? blockDim.y : 1;
  const int thread = Warps == 1 ? threadIdx.x : threadIdx.y * 32 + threadIdx.x;
  for (index_t i = blockIdx.x * at_once + (Warps == 1 ? threadIdx.y : 0); i < x.rows; i += gridDim.x * at_once) {
    const std::int32_t right = *row(targets, i);
    if (right < 0) {
      for (index_t j = thread; j < x.cols; j += Warps * 32) row(x, i)[j] = T(0);
      if (thread == 0) *row(nll, i) = T(0);
      continue;
    }
    scaled_exp_sum<T> v = term::identity();
    for (index_t u = thread; u < units; u += Warps * 32)
      if (u < columns.packs)
        v = combine_pack<N, term>(v, term::of(load<N>(x, i, u * N)));
      else
        v = combine_pack<1, term>(v, term::of(load<1>(x, i, columns.packs * N + (u - columns.packs))));
    v = combine_block<term, Warps>(v);
    if (thread == 0) *row(nll, i) = v.log() - target_logit<T>(row(x, i), x.cols, right);
    if constexpr (Warps > 1)
      __syncthreads();  // the target's logit is read
    else
      __syncwarp();
    const T share = T(1) / v.sum;
    const auto write = [&]<int M>(index_t j) {
      pack<T, M> p = load<M>(x, i, j);
#pragma unroll
      for (int k = 0; k < M; ++k) p.at[k] = math::exp(p.at[k] - v.largest) * share - T(j + k == right);
      store(x, i, j, p);
    };
    for (index_t u = thread; u < units; u += Warps * 32)
      if (u < columns.packs)
        write.template operator()<N>(u * N);
      else
        write.template operator()<1>(columns.packs * N + (u - columns.packs));
  }
}

template <class T>
void cross_entropy_in_place(launch_target target, device_view<const std::int32_t> targets, device_view<T> x,
                            device_view<T> nll) {
  if (x.rows == 0 || x.cols == 0) return;
  constexpr int N = pack_size<T>;
  const column_units columns = column_units::of<N>(x.cols, aligned(x));
  const dim3 block(32, 8);
  const index_t most = index_t(target.multiprocessors) * 32;
  if (columns.count<N>() <= warp_units)
    cross_entropy_in_place_kernel<1, N>
        <<<unsigned(std::min((x.rows + 7) / 8, most)), block, 0, target.stream>>>(targets, columns, x, nll);
  else
    cross_entropy_in_place_kernel<8, N>
        <<<unsigned(std::min(x.rows, most)), block, 0, target.stream>>>(targets, columns, x, nll);
  check_launch("cross_entropy_in_place");
}

}  // namespace mor1e::backend::kernels
