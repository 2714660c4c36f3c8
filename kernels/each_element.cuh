// One thread for each pack of elements of a matrix.
#pragma once

#include <algorithm>

#include "mor1e/kernels/pack.cuh"

namespace mor1e::backend::kernels {

/// Columns as units of work: first the packs, then single elements for what is left of the row.
struct column_units {
  index_t cols = 0;
  index_t packs = 0;

  template <int N>
  static column_units of(index_t cols, bool aligned) {
    return {cols, aligned ? cols / N : 0};
  }
  template <int N>
  MOR1E_HD index_t count() const {
    return packs + (cols - packs * N);
  }
};

/// body.at<N>(i, j) for every pack of N elements from (i, j) on, and body.at<1>(i, j) for the others.
template <int N, class Body>
__global__ void __launch_bounds__(256, 4) each_element_kernel(index_t rows, column_units columns, Body body) {
  const index_t units = columns.count<N>();
  for (index_t i = blockIdx.y * index_t(blockDim.y) + threadIdx.y; i < rows; i += gridDim.y * index_t(blockDim.y))
    for (index_t u = blockIdx.x * index_t(blockDim.x) + threadIdx.x; u < units; u += gridDim.x * index_t(blockDim.x))
      if (u < columns.packs)
        body.template at<N>(i, u * N);
      else
        body.template at<1>(i, columns.packs * N + (u - columns.packs));
}

/// A block of 256 threads for rows of `units`: as wide as they are, up to `widest`, and as many rows as then fit.
inline dim3 block_shape(index_t units, unsigned widest = 256) {
  unsigned width = 1;
  while (width < widest && width < units) width *= 2;
  return dim3(width, 256 / width);
}

/// Runs the body for all elements of a matrix. `aligned`: all that it reads and writes may be accessed by packs of N.
template <int N, class Body>
void each_element(launch_target target, const char* name, index_t rows, index_t cols, bool aligned, const Body& body) {
  if (rows == 0 || cols == 0) return;
  const column_units columns = column_units::of<N>(cols, aligned);
  const index_t units = columns.count<N>();
  const dim3 block = block_shape(units);
  // Enough to fill the device several times over; beyond it threads go on to further elements.
  const index_t most = index_t(target.multiprocessors) * 32;
  const index_t wide = std::min<index_t>((units + block.x - 1) / block.x, most);
  const index_t high = std::min<index_t>({(rows + block.y - 1) / block.y, std::max<index_t>(1, most / wide), 65535});
  each_element_kernel<N><<<dim3(unsigned(wide), unsigned(high)), block, 0, target.stream>>>(rows, columns, body);
  check_launch(name);
}

}  // namespace mor1e::backend::kernels
