// Gradients of many tensors: cleared, measured and clipped, each in a launch or two, whatever their number.
#pragma once

#include <span>

#include "mor1e/backend/cuda/tensor_chunks.hpp"

namespace mor1e::backend {

namespace kernels {

/// A tensor in the table that the kernels read. The chunks of all tensors are numbered one after another.
template <class T>
struct tensor_entry {
  T* at;
  index_t size, first_chunk;
  index_t packs;  ///< 1 if it may be accessed by 16 bytes
};

// Defined in kernels/gradients.cuh.
template <class T>
void clear_tensors(launch_target, const tensor_entry<T>* tensors, int count, index_t chunks);
template <class T>
void square_sums(launch_target, const tensor_entry<T>* tensors, int count, index_t chunks, double* of_chunk, double* y);
template <class T>
void clip_tensors(launch_target, const tensor_entry<T>* tensors, int count, index_t chunks, double max_norm,
                  device_view<const double> squares, double* norm);

}  // namespace kernels

namespace detail {

template <class T>
tensor_table<kernels::tensor_entry<T>> table_of(cuda& device, std::span<const device_view<T>> tensors) {
  return {device, tensors, [](const device_view<T>& x, index_t chunk) {
            return kernels::tensor_entry<T>{x.address(), x.size(), chunk, by_16_bytes(x)};
          }};
}

}  // namespace detail

/// All elements of all tensors = 0
template <class T>
void clear_tensors(cuda& device, std::span<const device_view<T>> tensors) {
  const auto table = detail::table_of(device, tensors);
  kernels::clear_tensors<T>(device.target(), table.entries, table.count, table.chunks);
}

/// y_i = sum of the squares of tensor i, added in double
template <class T>
void square_sums(cuda& device, std::span<const device_view<T>> tensors, device_view<double> y) {
  const auto table = detail::table_of(device, tensors);
  const cuda_scratch<double> of_chunk(device, 1, table.chunks);
  kernels::square_sums<T>(device.target(), table.entries, table.count, table.chunks, of_chunk.view().address(),
                          y.address());
}

/// norm = sqrt(sum of squares); all tensors *= clip_factor(norm, max_norm)
template <class T>
void clip_tensors(cuda& device, double max_norm, device_view<const double> squares,
                  std::span<const device_view<T>> tensors, device_view<double> norm) {
  const auto table = detail::table_of(device, tensors);
  kernels::clip_tensors<T>(device.target(), table.entries, table.count, table.chunks, max_norm, squares,
                           norm.address());
}

}  // namespace mor1e::backend

#ifdef __CUDACC__
#include "mor1e/kernels/gradients.cuh"
#endif
