// The nearest centroids of points, and sums of the points that each has.
#pragma once

#include <cstdint>

#include "mor1e/backend/cluster.hpp"
#include "mor1e/backend/cuda/gemm.hpp"

namespace mor1e::backend {

// Defined in kernels/cluster.cu, for the library mor1e::cuda alone: Thrust costs a unit half a minute.
namespace kernels {
/// scores_ij = |c_j|^2
template <class T>
void centroid_squares(cuda&, device_view<const T> centroids, device_view<T> scores);
template <class T>
void nearest_centroids(cuda&, device_view<const T> scores, device_view<const T> x, device_view<const double> squares,
                       device_view<const T> centroids, double largest, device_view<std::int64_t> labels,
                       device_view<std::int64_t> changed);
template <class T>
void centroid_sums(cuda&, device_view<const T> x, device_view<const std::int64_t> labels, const exact_parts& exact,
                   device_view<std::int64_t> counts, device_view<double> sums);
}  // namespace kernels

/// labels_i = the lowest j among the centroids nearest to x_i by distances in double, `changed` = 1 where a label is
/// not what it was, else 0. Unless `sums` [2 k, d] is empty, rows j and k + j of it are the sums of the high and of the
/// low parts of the points of centroid j, and counts_j their number; before, they are those of the labels before, of
/// which -1 is none. squares_i = |x_i|^2; largest = max |c_j|^2. Products are of T, whatever the option says:
/// `score_slack` is of their rounding.
template <class T>
void assign_to_centroids(cuda& device, device_view<const T> x, device_view<const double> squares,
                         device_view<const T> centroids, double largest, const exact_parts& exact,
                         device_view<std::int64_t> labels, device_view<std::int64_t> changed,
                         device_view<std::int64_t> counts, device_view<double> sums) {
  const cuda_scratch<T> memory(device, x.rows, centroids.rows);
  const device_view<T> scores = memory.view();
  kernels::centroid_squares<T>(device, centroids, scores);
  detail::blas_gemm<T, T>(device, std::is_same_v<T, double> ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F,
                          detail::blas_type<T>, 1, transpose::no, transpose::yes, T(-2), x, centroids, T(1), scores);
  kernels::nearest_centroids<T>(device, scores, x, squares, centroids, largest, labels, changed);
  if (!sums.empty()) kernels::centroid_sums<T>(device, x, labels, exact, counts, sums);
}

}  // namespace mor1e::backend
