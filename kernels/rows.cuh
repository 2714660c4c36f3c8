// Definitions of backend/cuda/rows.hpp.
#pragma once

#include "mor1e/backend/cuda/rows.hpp"
#include "mor1e/kernels/reduce.cuh"

namespace mor1e::backend::kernels {

template <class S, class T>
struct gather_rows_body {
  T alpha;
  device_view<const S> x;
  const std::int32_t* index;
  device_view<T> y;

  template <int N>
  __device__ void at(index_t i, index_t j) const {
    const std::int32_t from = index[i];
    pack<T, N> out;
    if (0 <= from && from < x.rows) {
      const pack<S, N> v = load<N>(x, from, j);
#pragma unroll
      for (int k = 0; k < N; ++k) out.at[k] = alpha * T(v.at[k]);
    } else {
      const T missing = from < 0 ? T(0) : T(NAN);
#pragma unroll
      for (int k = 0; k < N; ++k) out.at[k] = missing;
    }
    store(y, i, j, out);
  }
};

template <class S, class T>
void gather_rows(launch_target target, T alpha, device_view<const S> x, device_view<const std::int32_t> index,
                 device_view<T> y) {
  each_element<shared_pack<S, T>>(target, "gather_rows", y.rows, y.cols, aligned(x) && aligned(y),
                                  gather_rows_body<S, T>{alpha, x, index.address(), y});
}

template <class T>
struct plain_sum_term : sum_to<T, T> {
  device_view<const T> x;

  template <int N>
  __device__ pack<T, N> at(index_t i, index_t j) const {
    return load<N>(x, i, j);
  }
};

template <class T>
void column_sums(launch_target target, device_view<const T> x, T beta, device_view<T> s, T* parts) {
  reduce_columns<pack_size<T>>(target, "column_sums", x.rows, x.cols, aligned(x),
                               plain_sum_term<T>{{s.address(), T(1), beta}, x}, parts);
}

template <class T>
void row_sums(launch_target target, device_view<const T> x, device_view<T> s) {
  reduce_rows<pack_size<T>>(target, "row_sums", x.rows, x.cols, aligned(x),
                            plain_sum_term<T>{{s.address(), T(1), T(0)}, x});
}

/// Each block has one dy_i. The first row with an index adds all rows with it, in their order, and the others nothing:
/// so no two blocks write one row of dx.
template <int N, class T>
__global__ void __launch_bounds__(256) scatter_rows_kernel(T alpha, device_view<const T> dy, const std::int32_t* index,
                                                           device_view<T> dx, column_units columns) {
  constexpr int threads = 256;
  __shared__ int rows_of_index[threads];
  __shared__ unsigned in_warp[threads / 32];
  const index_t units = columns.count<N>();
  const int thread = threadIdx.x, warp = thread / 32, lane = thread % 32;
  for (index_t first = blockIdx.x; first < dy.rows; first += gridDim.x) {
    const std::int32_t to = index[first];
    if (to < 0 || to >= dx.rows) continue;
    bool earlier = false;
    for (index_t begin = 0; begin < first && !earlier; begin += threads) {
      const index_t i = begin + thread;
      earlier = __syncthreads_or(i < first && index[i] == to);
    }
    if (earlier) continue;
    for (index_t begin = first; begin < dy.rows; begin += threads) {
      const index_t i = begin + thread;
      const bool found = i < dy.rows && index[i] == to;
      const unsigned votes = __ballot_sync(0xffffffffu, found);
      __syncthreads();  // the list of the piece before has been read
      if (lane == 0) in_warp[warp] = votes;
      __syncthreads();
      int before = 0, count = 0;
      for (int w = 0; w < threads / 32; ++w) {
        const int of_warp = __popc(in_warp[w]);
        before += w < warp ? of_warp : 0;
        count += of_warp;
      }
      if (count == 0) continue;
      if (found) rows_of_index[before + __popc(votes & ((1u << lane) - 1))] = int(i - begin);
      __syncthreads();
      const auto add = [&](auto width, index_t j) {
        constexpr int M = decltype(width)::value;
        pack<T, M> sum = load<M>(dx, to, j);
        for (int r = 0; r < count; ++r) {
          const pack<T, M> v = load<M>(dy, begin + rows_of_index[r], j);
#pragma unroll
          for (int k = 0; k < M; ++k) sum.at[k] += alpha * v.at[k];
        }
        store(dx, to, j, sum);
      };
      for (index_t u = thread; u < units; u += threads)
        if (u < columns.packs)
          add(width_of<N>(), u * N);
        else
          add(width_of<1>(), columns.packs * N + (u - columns.packs));
    }
  }
}

template <class T>
void scatter_rows(launch_target target, T alpha, device_view<const T> dy, device_view<const std::int32_t> index,
                  device_view<T> dx) {
  constexpr int N = pack_size<T>;
  if (dy.size() == 0) return;
  const auto blocks = unsigned(std::min<index_t>(dy.rows, index_t(target.multiprocessors) * 32));
  scatter_rows_kernel<N><<<blocks, 256, 0, target.stream>>>(alpha, dy, index.address(), dx,
                                                            column_units::of<N>(dx.cols, aligned(dy) && aligned(dx)));
  check_launch("scatter_rows");
}

/// Each block has some columns of a segment.
template <int N, class T>
__global__ void __launch_bounds__(256)
    segment_mean_kernel(device_view<const T> x, device_view<const std::int32_t> segments, device_view<T> y,
                        column_units columns) {
  __shared__ pack<T, N> of_thread[256];
  const index_t u = blockIdx.x * index_t(blockDim.x) + threadIdx.x;
  const bool packed = u < columns.packs, inside = u < columns.count<N>();
  const index_t j = packed ? u * N : columns.packs * N + (u - columns.packs);
  for (index_t s = blockIdx.y; s < y.rows; s += gridDim.y) {
    const std::int32_t* range = segments.address() + s * segments.stride;
    const index_t begin = range[0], end = range[1];
    const bool sound = 0 <= begin && begin <= end && end <= x.rows;
    pack<T, N> sum = {};
    if (sound && packed) {
      for (index_t i = begin + threadIdx.y; i < end; i += blockDim.y) {
        const pack<T, N> v = load<N>(x, i, j);
#pragma unroll
        for (int k = 0; k < N; ++k) sum.at[k] += v.at[k];
      }
    } else if (sound && inside) {
      for (index_t i = begin + threadIdx.y; i < end; i += blockDim.y) sum.at[0] += load<1>(x, i, j).at[0];
    }
    __syncthreads();  // of the segment before
    of_thread[threadIdx.y * blockDim.x + threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || !inside) continue;
    for (unsigned t = 1; t < blockDim.y; ++t)
#pragma unroll
      for (int k = 0; k < N; ++k) sum.at[k] += of_thread[t * blockDim.x + threadIdx.x].at[k];
#pragma unroll
    for (int k = 0; k < N; ++k) sum.at[k] = sound ? (begin < end ? sum.at[k] / T(end - begin) : T(0)) : T(NAN);
    if (packed)
      store(y, s, j, sum);
    else
      store(y, s, j, pack<T, 1>{{sum.at[0]}});
  }
}

template <class T>
void segment_mean_forward(launch_target target, device_view<const T> x, device_view<const std::int32_t> segments,
                          device_view<T> y) {
  constexpr int N = pack_size<T>;
  if (y.size() == 0) return;
  const column_units columns = column_units::of<N>(y.cols, aligned(x) && aligned(y));
  const dim3 block = block_shape(columns.count<N>(), 32);
  const dim3 grid(unsigned((columns.count<N>() + block.x - 1) / block.x), unsigned(std::min<index_t>(y.rows, 65535)));
  segment_mean_kernel<N><<<grid, block, 0, target.stream>>>(x, segments, y, columns);
  check_launch("segment_mean_forward");
}

template <class T>
struct segment_mean_backward_body {
  device_view<const std::int32_t> segments;
  device_view<const T> dy;
  T beta;
  device_view<T> dx;

  template <int N>
  __device__ void at(index_t i, index_t j) const {
    pack<T, N> sum = {};
    for (index_t s = 0; s < dy.rows; ++s) {
      const std::int32_t* range = segments.address() + s * segments.stride;
      const index_t begin = range[0], end = range[1];
      if (i < begin || i >= end) continue;
      const pack<T, N> v = load<N>(dy, s, j);
#pragma unroll
      for (int k = 0; k < N; ++k) sum.at[k] += v.at[k] / T(end - begin);
    }
    store(dx, i, j, sum, beta);
  }
};

template <class T>
void segment_mean_backward(launch_target target, device_view<const std::int32_t> segments, device_view<const T> dy,
                           T beta, device_view<T> dx) {
  each_element<pack_size<T>>(target, "segment_mean_backward", dx.rows, dx.cols, aligned(dy) && aligned(dx),
                             segment_mean_backward_body<T>{segments, dy, beta, dx});
}

}  // namespace mor1e::backend::kernels
