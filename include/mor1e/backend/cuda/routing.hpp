// Routing of tokens to experts: choices, capacity, weights, means over groups.
#pragma once

#include <cstdint>

#include "mor1e/backend/cuda/elementwise.hpp"
#include "mor1e/backend/routing.hpp"

namespace mor1e::backend {

// Defined in kernels/routing.cuh.
namespace kernels {
template <class T>
void expert_slots_forward(launch_target, const expert_slots_shape& s, device_view<const T> w, device_view<const T> h,
                          device_view<T> y);
template <class T>
void expert_slots_backward(launch_target, const expert_slots_shape& s, device_view<const T> w, device_view<const T> h,
                           device_view<const T> dy, T beta_w, device_view<T> dw, T beta_h, device_view<T> dh);
template <class T>
void top_k_mask(launch_target, int k, device_view<const T> x, device_view<const std::int32_t> instances,
                device_view<T> y);
/// `counts` holds zeros.
template <class T>
void capacity_mask(launch_target, const capacity_shape& s, device_view<const T> chosen,
                   device_view<const std::int32_t> instances, device_view<T> y, device_view<T> counts);
template <class T>
void group_mean(launch_target, token_group group, device_view<const T> x, device_view<const std::int32_t> instances,
                T beta, device_view<T> y, device_view<T> sums, T* parts);
template <class T>
void normalise_sum_forward(launch_target, device_view<const T> x, device_view<T> y);
template <class T>
void normalise_sum_backward(launch_target, device_view<const T> x, device_view<const T> y, device_view<const T> dy,
                            T beta, device_view<T> dx);
template <class T>
void excess_forward(launch_target, device_view<const T> x, device_view<const T> s, device_view<T> y);
template <class T>
void excess_backward(launch_target, device_view<const T> y, device_view<const T> dy, T beta_x, device_view<T> dx,
                     T beta_s, device_view<T> ds);
}  // namespace kernels

/// y_j = w_expert(j) h_product(j)
template <class T>
void expert_slots_forward(cuda& device, const expert_slots_shape& s, device_view<const T> w, device_view<const T> h,
                          device_view<T> y) {
  kernels::expert_slots_forward<T>(device.target(), s, w, h, y);
}

/// dw_e = sum over its slots of dy_j h_product(j), dh likewise with the weights; where their views are not empty.
template <class T>
void expert_slots_backward(cuda& device, const expert_slots_shape& s, device_view<const T> w, device_view<const T> h,
                           device_view<const T> dy, T beta_w, device_view<T> dw, T beta_h, device_view<T> dh) {
  kernels::expert_slots_backward<T>(device.target(), s, w, h, dy, beta_w, dw, beta_h, dh);
}

/// 1 at the k largest of each row, of equals the first; 0 elsewhere, at NaNs and in dead rows.
template <class T>
void top_k_mask(cuda& device, int k, device_view<const T> x, device_view<const std::int32_t> instances,
                device_view<T> y) {
  kernels::top_k_mask<T>(device.target(), k, x, instances, y);
}

/// Of the chosen (1) in each column and group, the first C = ceil(factor choices S / experts) in the order of rows
/// stay, S being the live rows of the group. `counts` [rows, experts + 1] is workspace.
template <class T>
void capacity_mask(cuda& device, const capacity_shape& s, device_view<const T> chosen,
                   device_view<const std::int32_t> instances, device_view<T> y, device_view<T> counts) {
  fill(device, T(0), counts);
  kernels::capacity_mask<T>(device.target(), s, chosen, instances, y, counts);
}

/// y_i = mean of x over the live rows of i's group, + beta y_i; zeros for a dead row. `sums` [rows, columns + 1] is
/// workspace.
template <class T>
void group_mean(cuda& device, token_group group, device_view<const T> x, device_view<const std::int32_t> instances,
                T beta, device_view<T> y, device_view<T> sums) {
  const index_t columns = x.cols + 1;
  const cuda_scratch<T> parts(device, group == token_group::batch ? kernels::column_parts(x.rows, columns) : 0,
                              columns);
  kernels::group_mean<T>(device.target(), group, x, instances, beta, y, sums, parts.view().address());
}

/// y = x / sum x of each row, x >= 0; zeros where the sum is 0
template <class T>
void normalise_sum_forward(cuda& device, device_view<const T> x, device_view<T> y) {
  kernels::normalise_sum_forward<T>(device.target(), x, y);
}

/// dx = (dy - <dy, y>) / sum x + beta dx
template <class T>
void normalise_sum_backward(cuda& device, device_view<const T> x, device_view<const T> y, device_view<const T> dy,
                            T beta, device_view<T> dx) {
  kernels::normalise_sum_backward<T>(device.target(), x, y, dy, beta, dx);
}

/// y_ij = max(x_ij - s_i, 0)
template <class T>
void excess_forward(cuda& device, device_view<const T> x, device_view<const T> s, device_view<T> y) {
  kernels::excess_forward<T>(device.target(), x, s, y);
}

/// dx_ij = dy_ij where y_ij > 0, ds_i = -sum of these; where their views are not empty
template <class T>
void excess_backward(cuda& device, device_view<const T> y, device_view<const T> dy, T beta_x, device_view<T> dx,
                     T beta_s, device_view<T> ds) {
  kernels::excess_backward<T>(device.target(), y, dy, beta_x, dx, beta_s, ds);
}

}  // namespace mor1e::backend

#ifdef __CUDACC__
#include "mor1e/kernels/routing.cuh"
#endif
