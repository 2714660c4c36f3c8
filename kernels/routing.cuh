// Definitions of backend/cuda/routing.hpp.
#pragma once

#include <cmath>

#include <climits>

#include "mor1e/backend/cuda/routing.hpp"
#include "mor1e/kernels/lane_values.cuh"

namespace mor1e::backend::kernels {

template <class T>
struct expert_slots_body {
  expert_slots_shape s;
  device_view<const T> w, h;
  device_view<T> y;

  template <int N>
  __device__ void at(index_t i, index_t j) const {
    pack<T, N> v;
#pragma unroll
    for (int k = 0; k < N; ++k) v.at[k] = row(w, i)[s.expert(int(j) + k)] * row(h, i)[s.product(int(j) + k)];
    store(y, i, j, v);
  }
};

template <class T>
void expert_slots_forward(launch_target target, const expert_slots_shape& s, device_view<const T> w,
                          device_view<const T> h, device_view<T> y) {
  each_element<1>(target, "expert_slots_forward", y.rows, s.slots(), false, expert_slots_body<T>{s, w, h, y});
}

/// A warp a row, of which it reads dy once for dw and once for dh.
template <class T>
__global__ void __launch_bounds__(256)
    expert_slots_backward_kernel(expert_slots_shape s, device_view<const T> w, device_view<const T> h,
                                 device_view<const T> dy, T beta_w, device_view<T> dw, T beta_h, device_view<T> dh) {
  const int lane = int(threadIdx.x);
  // Slot k of expert e; products are slots, or the ranks of all experts.
  const auto slot = [&](int e, int k) { return s.order == slot_order::tiled ? k * s.experts + e : e * s.rank + k; };
  for (index_t i = blockIdx.x * index_t(blockDim.y) + threadIdx.y; i < dy.rows; i += gridDim.x * index_t(blockDim.y)) {
    const T *weights = row(w, i), *products = row(h, i), *d = row(dy, i);
    if (dw.address())
      for (int e = lane; e < s.experts; e += 32) {
        T sum = T(0);
        for (int k = 0; k < s.rank; ++k) sum += d[slot(e, k)] * products[s.product(slot(e, k))];
        row(dw, i)[e] = blend(sum, beta_w, row(dw, i)[e]);
      }
    if (dh.address())
      for (int p = lane; p < s.products(); p += 32) {
        T sum = T(0);
        if (s.order == slot_order::shared)
          for (int e = 0; e < s.experts; ++e) sum += d[slot(e, p)] * weights[e];
        else
          sum = d[p] * weights[s.expert(p)];
        row(dh, i)[p] = blend(sum, beta_h, row(dh, i)[p]);
      }
  }
}

/// Blocks of 8 warps, for a row each.
inline unsigned warp_blocks(launch_target target, index_t rows) {
  return unsigned(std::min<index_t>((rows + 7) / 8, index_t(target.multiprocessors) * 32));
}
template <class T>
device_view<T> if_any(device_view<T> x) {
  return x.empty() ? device_view<T>() : x;
}

template <class T>
void expert_slots_backward(launch_target target, const expert_slots_shape& s, device_view<const T> w,
                           device_view<const T> h, device_view<const T> dy, T beta_w, device_view<T> dw, T beta_h,
                           device_view<T> dh) {
  if (dy.rows == 0) return;
  expert_slots_backward_kernel<<<warp_blocks(target, dy.rows), dim3(32, 8), 0, target.stream>>>(
      s, w, h, dy, beta_w, if_any(dw), beta_h, if_any(dh));
  check_launch("expert_slots_backward");
}

/// A place in the order of a row: larger values first, of equals the first. `column` INT_MAX: behind all.
template <class T>
struct ranked {
  T value;
  int column;

  __device__ bool before(const ranked& other) const {
    return other.column == INT_MAX
               ? column != INT_MAX
               : column != INT_MAX && (value > other.value || (value == other.value && column < other.column));
  }
};

/// A warp a row: k times the first of those behind the last one found.
template <class T, int Held>
__global__ void __launch_bounds__(256)
    top_k_mask_kernel(int k, device_view<const T> x, device_view<const std::int32_t> instances, device_view<T> y) {
  const int columns = int(x.cols);
  for (index_t i = blockIdx.x * index_t(blockDim.y) + threadIdx.y; i < x.rows; i += gridDim.x * index_t(blockDim.y)) {
    const lane_values<T, Held> values(row(x, i), columns);
    const bool live = *row(instances, i) >= 0;
    ranked<T> last{T(0), -1};
    for (int taken = 0; taken < k && live && last.column != INT_MAX; ++taken) {
      ranked<T> best{T(0), INT_MAX};
      each_lane_value<Held>(columns, [&](int n, int j) {
        const ranked<T> own{values.at(n), j};
        if (own.value == own.value && (last.column < 0 || last.before(own)) && own.before(best)) best = own;
      });
#pragma unroll
      for (int step = 16; step > 0; step /= 2) {
        const ranked<T> other{__shfl_xor_sync(0xffffffffu, best.value, step),
                              __shfl_xor_sync(0xffffffffu, best.column, step)};
        if (other.before(best)) best = other;
      }
      last = best;
    }
    each_lane_value<Held>(columns, [&](int n, int j) {
      const ranked<T> own{values.at(n), j};
      const bool taken = live && k > 0 && own.value == own.value && !last.before(own);
      row(y, i)[j] = taken ? T(1) : T(0);
    });
  }
}

template <class T>
void top_k_mask(launch_target target, int k, device_view<const T> x, device_view<const std::int32_t> instances,
                device_view<T> y) {
  if (x.rows == 0) return;
  with_held_values(int(x.cols), [&](auto held) {
    top_k_mask_kernel<T, decltype(held)::value>
        <<<warp_blocks(target, x.rows), dim3(32, 8), 0, target.stream>>>(k, x, instances, y);
  });
  check_launch("top_k_mask");
}

/// counts(g, columns) += the live rows of group g. Whole numbers: the order of the additions does not matter.
template <class T>
__global__ void __launch_bounds__(256)
    group_sizes_kernel(token_group group, index_t rows, device_view<const std::int32_t> instances, index_t columns,
                       device_view<T> counts) {
  for (index_t i = blockIdx.x * index_t(blockDim.x) + threadIdx.x; i < (rows + 31) / 32 * 32;
       i += gridDim.x * index_t(blockDim.x)) {
    const int g = i < rows ? int(group_of(group, *row(instances, i), i)) : -1;
    const unsigned same = __match_any_sync(0xffffffffu, g);
    if (g >= 0 && int(threadIdx.x % 32) == __ffs(int(same)) - 1) atomicAdd(row(counts, g) + columns, T(__popc(same)));
  }
}

/// A warp an expert: 32 rows at a time, in order; counts(g, e) are the chosen of group g so far.
template <class T>
__global__ void __launch_bounds__(256)
    capacity_mask_kernel(capacity_shape s, device_view<const T> chosen, device_view<const std::int32_t> instances,
                         device_view<T> y, device_view<T> counts) {
  const int e = int(blockIdx.x * blockDim.y + threadIdx.y), lane = int(threadIdx.x), experts = int(y.cols);
  if (e >= experts) return;
  for (index_t begin = 0; begin < y.rows; begin += 32) {
    const index_t i = begin + lane;
    const int g = i < y.rows ? int(group_of(s.group, *row(instances, i), i)) : -1;
    const bool wanted = g >= 0 && row(chosen, i)[e] != T(0);
    const unsigned same = __match_any_sync(0xffffffffu, wanted ? g : -1);
    bool stays = false;
    T before = T(0);
    if (wanted) {
      before = row(counts, g)[e] + T(__popc(same & ((1u << lane) - 1)));
      stays = double(before) < ceil(s.factor * s.choices * double(row(counts, g)[experts]) / double(experts));
    }
    __syncwarp();
    // Once the places are taken it does not matter how many more are counted.
    if (wanted && lane == 31 - __clz(int(same))) row(counts, g)[e] = before + T(1);
    __syncwarp();
    if (i < y.rows) row(y, i)[e] = stays ? T(1) : T(0);
  }
}

template <class T>
void capacity_mask(launch_target target, const capacity_shape& s, device_view<const T> chosen,
                   device_view<const std::int32_t> instances, device_view<T> y, device_view<T> counts) {
  if (y.rows == 0 || y.cols == 0) return;
  group_sizes_kernel<<<unsigned(std::min<index_t>((y.rows + 255) / 256, 1024)), 256, 0, target.stream>>>(
      s.group, y.rows, instances, y.cols, counts);
  capacity_mask_kernel<<<unsigned((y.cols + 7) / 8), dim3(32, 8), 0, target.stream>>>(s, chosen, instances, y, counts);
  check_launch("capacity_mask");
}

/// The live rows of x: their sums, and in one column more how many they are.
template <class T>
struct live_sums_term : sum_to<T, T> {
  device_view<const T> x;
  device_view<const std::int32_t> instances;

  template <int N>
  __device__ pack<T, N> at(index_t i, index_t j) const {
    static_assert(N == 1, "the last column is of another kind");
    return {{*row(instances, i) < 0 ? T(0) : j < x.cols ? row(x, i)[j] : T(1)}};
  }
};

/// The block of the first row of an instance adds the rows of it, in an order that does not depend on where they lie
/// between others. The rows of an instance usually follow each other: then every other block sees at once that it is
/// not the first.
template <class T>
__global__ void __launch_bounds__(256)
    instance_sums_kernel(device_view<const T> x, device_view<const std::int32_t> instances, device_view<T> sums) {
  constexpr int rows_at_once = 256;
  __shared__ std::int32_t of_row[rows_at_once];
  __shared__ T of_thread[8][32];
  const index_t first = blockIdx.x;
  const std::int32_t own = *row(instances, first);
  if (own < 0 || (first > 0 && *row(instances, first - 1) == own)) return;
  const int thread = int(threadIdx.y * 32 + threadIdx.x);
  bool earlier = false;
  for (index_t i = thread; i < first; i += 256) earlier |= *row(instances, i) == own;
  if (__syncthreads_or(earlier)) return;
  index_t count = 0;
  for (index_t column = 0; column < x.cols; column += 32) {
    const index_t j = column + threadIdx.x;
    T sum = T(0);
    count = 0;
    for (index_t begin = first; begin < x.rows; begin += rows_at_once) {
      const index_t i = begin + thread;
      const std::int32_t instance = i < x.rows ? *row(instances, i) : -1;
      const int here = __syncthreads_count(instance == own);
      if (here == 0) continue;
      of_row[thread] = instance;
      __syncthreads();
      count += here;
      for (int r = int(threadIdx.y); r < rows_at_once; r += 8)
        if (of_row[r] == own && j < x.cols) sum += row(x, begin + r)[j];
      __syncthreads();
    }
    of_thread[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && j < x.cols) {
      for (int t = 1; t < 8; ++t) sum += of_thread[t][threadIdx.x];
      row(sums, own)[j] = sum;
    }
    __syncthreads();
  }
  if (thread == 0) row(sums, own)[x.cols] = T(count);
}

/// y_i = sums of i's group over its size + beta y_i; without sums (each row its own group) x_i.
template <class T>
struct group_mean_body {
  token_group group;
  device_view<const T> x, sums;
  device_view<const std::int32_t> instances;
  T beta;
  device_view<T> y;

  template <int N>
  __device__ void at(index_t i, index_t j) const {
    const index_t g = group_of(group, *row(instances, i), i);
    pack<T, N> v{};
    if (g >= 0 && group == token_group::token) v = load<N>(x, i, j);
    if (g >= 0 && group != token_group::token)
#pragma unroll
      for (int k = 0; k < N; ++k) v.at[k] = row(sums, g)[j + k] / row(sums, g)[x.cols];
    store(y, i, j, v, beta);
  }
};

template <class T>
void group_mean(launch_target target, token_group group, device_view<const T> x,
                device_view<const std::int32_t> instances, T beta, device_view<T> y, device_view<T> sums, T* parts) {
  if (x.rows == 0 || x.cols == 0) return;
  if (group == token_group::batch)
    reduce_columns<1>(target, "group_mean", x.rows, x.cols + 1, false,
                      live_sums_term<T>{{sums.address(), T(1), T(0)}, x, instances}, parts);
  if (group == token_group::instance)
    instance_sums_kernel<<<unsigned(x.rows), dim3(32, 8), 0, target.stream>>>(x, instances, sums);
  each_element<pack_size<T>>(target, "group_mean", y.rows, y.cols, aligned(x) && aligned(y),
                             group_mean_body<T>{group, x, sums, instances, beta, y});
}

/// A warp a row, which it reads once.
template <class T, int Held>
__global__ void __launch_bounds__(256) normalise_sum_forward_kernel(device_view<const T> x, device_view<T> y) {
  const int columns = int(x.cols);
  for (index_t i = blockIdx.x * index_t(blockDim.y) + threadIdx.y; i < x.rows; i += gridDim.x * index_t(blockDim.y)) {
    const lane_values<T, Held> values(row(x, i), columns);
    T sum = T(0);
    each_lane_value<Held>(columns, [&](int k, int) { sum += values.at(k); });
    sum = warp_sum(sum);
    each_lane_value<Held>(columns, [&](int k, int j) { row(y, i)[j] = sum > T(0) ? values.at(k) / sum : T(0); });
  }
}

template <class T>
void normalise_sum_forward(launch_target target, device_view<const T> x, device_view<T> y) {
  if (x.rows == 0) return;
  with_held_values(int(x.cols), [&](auto held) {
    normalise_sum_forward_kernel<T, decltype(held)::value>
        <<<warp_blocks(target, x.rows), dim3(32, 8), 0, target.stream>>>(x, y);
  });
  check_launch("normalise_sum_forward");
}

template <class T, int Held>
__global__ void __launch_bounds__(256)
    normalise_sum_backward_kernel(device_view<const T> x, device_view<const T> y, device_view<const T> dy, T beta,
                                  device_view<T> dx) {
  const int columns = int(x.cols);
  for (index_t i = blockIdx.x * index_t(blockDim.y) + threadIdx.y; i < x.rows; i += gridDim.x * index_t(blockDim.y)) {
    const lane_values<T, Held> d(row(dy, i), columns);
    T sum = T(0), dot = T(0);
    each_lane_value<Held>(columns, [&](int k, int j) { sum += row(x, i)[j], dot += d.at(k) * row(y, i)[j]; });
    sum = warp_sum(sum), dot = warp_sum(dot);
    each_lane_value<Held>(columns, [&](int k, int j) {
      T& to = row(dx, i)[j];
      to = blend(sum > T(0) ? (d.at(k) - dot) / sum : T(0), beta, to);
    });
  }
}

template <class T>
void normalise_sum_backward(launch_target target, device_view<const T> x, device_view<const T> y,
                            device_view<const T> dy, T beta, device_view<T> dx) {
  if (x.rows == 0) return;
  with_held_values(int(x.cols), [&](auto held) {
    normalise_sum_backward_kernel<T, decltype(held)::value>
        <<<warp_blocks(target, x.rows), dim3(32, 8), 0, target.stream>>>(x, y, dy, beta, dx);
  });
  check_launch("normalise_sum_backward");
}

template <class T>
struct excess_body {
  device_view<const T> x, s;
  device_view<T> y;

  template <int N>
  __device__ void at(index_t i, index_t j) const {
    const T at = *row(s, i);
    pack<T, N> v = load<N>(x, i, j);
#pragma unroll
    for (int k = 0; k < N; ++k) v.at[k] = v.at[k] > at ? v.at[k] - at : T(0);
    store(y, i, j, v);
  }
};

template <class T>
void excess_forward(launch_target target, device_view<const T> x, device_view<const T> s, device_view<T> y) {
  each_element<pack_size<T>>(target, "excess_forward", y.rows, y.cols, aligned(x) && aligned(y),
                             excess_body<T>{x, s, y});
}

template <class T>
__global__ void __launch_bounds__(256) excess_backward_kernel(device_view<const T> y, device_view<const T> dy, T beta_x,
                                                              device_view<T> dx, T beta_s, device_view<T> ds) {
  for (index_t i = blockIdx.x * index_t(blockDim.y) + threadIdx.y; i < y.rows; i += gridDim.x * index_t(blockDim.y)) {
    T sum = T(0);
    for (int j = int(threadIdx.x); j < y.cols; j += 32) {
      const T d = row(y, i)[j] > T(0) ? row(dy, i)[j] : T(0);
      sum += d;
      if (dx.address()) row(dx, i)[j] = blend(d, beta_x, row(dx, i)[j]);
    }
    sum = warp_sum(sum);
    if (ds.address() && threadIdx.x == 0) *row(ds, i) = blend(-sum, beta_s, *row(ds, i));
  }
}

template <class T>
void excess_backward(launch_target target, device_view<const T> y, device_view<const T> dy, T beta_x, device_view<T> dx,
                     T beta_s, device_view<T> ds) {
  if (y.rows == 0) return;
  excess_backward_kernel<<<warp_blocks(target, y.rows), dim3(32, 8), 0, target.stream>>>(y, dy, beta_x, if_any(dx),
                                                                                         beta_s, if_any(ds));
  check_launch("excess_backward");
}

}  // namespace mor1e::backend::kernels
