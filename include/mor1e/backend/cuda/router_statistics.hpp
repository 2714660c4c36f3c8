// What the weights of experts say, on average.
#pragma once

#include <cstdint>

#include "mor1e/backend/cuda/device.hpp"
#include "mor1e/backend/cuda/reduction.hpp"

namespace mor1e::backend {

// Defined in kernels/router_statistics.cuh.
namespace kernels {
template <class T>
void router_statistics(launch_target, device_view<const T> w, device_view<const std::int32_t> instances, double* parts,
                       device_view<T> out);
}  // namespace kernels

/// The share of expert j in a token's weights is |w_j| / sum |w|. Over the rows of an instance whose weights are not
/// all 0: out = [mean entropy of the shares in nats, mean share of each expert]; zeros without such a row.
template <class T>
void router_statistics(cuda& device, device_view<const T> w, device_view<const std::int32_t> instances,
                       device_view<T> out) {
  const index_t columns = w.cols + 2;
  const cuda_scratch<double> parts(device, kernels::column_parts(w.rows, columns), columns);
  kernels::router_statistics<T>(device.target(), w, instances, parts.view().address(), out);
}

}  // namespace mor1e::backend

#ifdef __CUDACC__
#include "mor1e/kernels/router_statistics.cuh"
#endif
