// The kernels of mor1e::cuda for clustering, by Thrust. One body is one kernel; Thrust launches, sorts and searches.
#include <thrust/binary_search.h>
#include <thrust/execution_policy.h>
#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/sort.h>

#include "mor1e/backend/cuda/cluster.hpp"

namespace mor1e::backend::kernels {

namespace {

/// What Thrust takes on its way, from the blocks of the device.
struct device_memory {
  using value_type = char;
  cuda* device;

  char* allocate(std::ptrdiff_t bytes) { return static_cast<char*>(device->take(std::size_t(bytes))); }
  void deallocate(char* p, std::size_t bytes) { device->give_back(p, bytes); }
};

/// f(i) for every i in [0, count), in the order of the stream
template <class F>
void each(cuda& device, index_t count, F f) {
  thrust::for_each_n(thrust::cuda::par_nosync.on(device.stream()), thrust::counting_iterator<index_t>(0), count, f);
}

template <class T>
struct square_body {
  device_view<const T> centroids;
  T* squares;

  __device__ void operator()(index_t j) const {
    squares[j] = T(squared_length(centroids.address() + j * centroids.stride, centroids.cols));
  }
};

template <class T>
struct spread_body {
  const T* squares;
  index_t k;
  T* scores;

  __device__ void operator()(index_t at) const { scores[at] = squares[at % k]; }
};

template <class T>
struct nearest_body {
  const T* scores;
  device_view<const T> x;
  const double* squares;
  device_view<const T> centroids;
  double largest;
  std::int64_t *labels, *changed;

  __device__ void operator()(index_t i) const {
    const index_t k = centroids.rows, d = centroids.cols;
    const std::int64_t label =
        nearest_centroid(scores + i * k, score_slack<T>(d, squares[i], largest), x.address() + i * x.stride,
                         centroids.address(), centroids.stride, k, d);
    if (label != labels[i]) *changed = 1;  // all who write it write the same
    labels[i] = label;
  }
};

/// Points by piece and centroid: key = piece k + label.
struct key_body {
  point_pieces pieces;
  index_t k;
  const std::int64_t* labels;
  std::int32_t *keys, *order;

  __device__ void operator()(index_t i) const {
    keys[i] = std::int32_t(pieces.piece(i) * k + labels[i]);
    order[i] = std::int32_t(i);
  }
};

/// Column c of the sums of the high and the low parts of the points of one key.
template <class T>
struct part_body {
  device_view<const T> x;
  exact_parts exact;
  const std::int32_t *order, *begins;
  double* parts;  // [keys, 2, d]

  __device__ void operator()(index_t at) const {
    const index_t key = at / x.cols, c = at % x.cols;
    double high = 0, low = 0;
    for (std::int32_t i = begins[key]; i < begins[key + 1]; ++i) {
      const double value = x.address()[order[i] * x.stride + c], upper = exact.high(value);
      high += upper;
      low += exact.low(value, upper);
    }
    parts[(2 * key) * x.cols + c] = high;
    parts[(2 * key + 1) * x.cols + c] = low;
  }
};

/// The sums of the pieces; `at` of the high parts of all centroids, then of the low ones.
struct total_body {
  index_t pieces, k, d;
  const std::int32_t* begins;
  const double* parts;
  std::int64_t* counts;
  double* sums;

  __device__ void operator()(index_t at) const {
    const index_t half = at / (k * d), j = at / d % k, c = at % d;
    double sum = 0;
    std::int64_t count = 0;
    for (index_t key = j; key < pieces * k; key += k) {
      sum += parts[(2 * key + half) * d + c];
      count += begins[key + 1] - begins[key];
    }
    sums[at] = sum;
    if (half == 0 && c == 0) counts[j] = count;
  }
};

}  // namespace

template <class T>
void centroid_squares(cuda& device, device_view<const T> centroids, device_view<T> scores) {
  const cuda_scratch<T> squares(device, 1, centroids.rows);
  each(device, centroids.rows, square_body<T>{centroids, squares.view().address()});
  each(device, scores.size(), spread_body<T>{squares.view().address(), scores.cols, scores.address()});
}

template <class T>
void nearest_centroids(cuda& device, device_view<const T> scores, device_view<const T> x,
                       device_view<const double> squares, device_view<const T> centroids, double largest,
                       device_view<std::int64_t> labels, device_view<std::int64_t> changed) {
  MOR1E_CUDA_CHECK(cudaMemsetAsync(changed.address(), 0, sizeof(std::int64_t), device.stream()));
  each(
      device, x.rows,
      nearest_body<T>{scores.address(), x, squares.address(), centroids, largest, labels.address(), changed.address()});
}

template <class T>
void centroid_sums(cuda& device, device_view<const T> x, device_view<const std::int64_t> labels,
                   const exact_parts& exact, device_view<std::int64_t> counts, device_view<double> sums) {
  const point_pieces pieces(x.rows);
  const index_t k = counts.size(), d = sums.cols, segments = pieces.count * k;
  const cuda_scratch<std::int32_t> keys(device, 1, x.rows), order(device, 1, x.rows), begins(device, 1, segments + 1);
  const cuda_scratch<double> parts(device, segments, 2 * d);
  std::int32_t *const key = keys.view().address(), *const begin = begins.view().address();
  each(device, x.rows, key_body{pieces, k, labels.address(), key, order.view().address()});

  device_memory memory{&device};
  const auto in_order = thrust::cuda::par_nosync(memory).on(device.stream());
  thrust::stable_sort_by_key(in_order, key, key + x.rows, order.view().address());
  const thrust::counting_iterator<std::int32_t> every(0);
  thrust::lower_bound(in_order, key, key + x.rows, every, every + segments + 1, begin);

  each(device, segments * d, part_body<T>{x, exact, order.view().address(), begin, parts.view().address()});
  each(device, 2 * k * d,
       total_body{pieces.count, k, d, begin, parts.view().address(), counts.address(), sums.address()});
}

template void centroid_squares(cuda&, device_view<const float>, device_view<float>);
template void nearest_centroids(cuda&, device_view<const float>, device_view<const float>, device_view<const double>,
                                device_view<const float>, double, device_view<std::int64_t>, device_view<std::int64_t>);
template void centroid_sums(cuda&, device_view<const float>, device_view<const std::int64_t>, const exact_parts&,
                            device_view<std::int64_t>, device_view<double>);

}  // namespace mor1e::backend::kernels
