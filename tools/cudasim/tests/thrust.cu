// Thrust and CUB on their CUDA back end.
#include <algorithm>
#include <cub/cub.cuh>
#include <numeric>
#include <thrust/device_vector.h>
#include <thrust/functional.h>
#include <thrust/iterator/discard_iterator.h>
#include <thrust/reduce.h>
#include <thrust/scan.h>
#include <thrust/sequence.h>
#include <thrust/sort.h>
#include <thrust/transform.h>

#include "check.hpp"
struct Square {
  __host__ __device__ float operator()(float x) const { return x * x; }
};
__global__ void block_sort(int* x) {
  using S = cub::BlockRadixSort<int, 64, 4>;
  __shared__ typename S::TempStorage t;
  int v[4];
  for (int i = 0; i < 4; i++) v[i] = x[threadIdx.x * 4 + i];
  S(t).Sort(v);
  for (int i = 0; i < 4; i++) x[threadIdx.x * 4 + i] = v[i];
}
int main() {
  int n = 5000;
  auto x = randoms(n, 3);
  thrust::device_vector<float> d(x.begin(), x.end()), z(n);
  thrust::transform(d.begin(), d.end(), z.begin(), Square());
  CHECK((float)z[17] == x[17] * x[17]);
  float s = thrust::reduce(d.begin(), d.end(), 0.f, thrust::plus<float>());
  CLOSE(s, std::accumulate(x.begin(), x.end(), 0.0), 1e-2);
  std::vector<int> k(n);
  for (int i = 0; i < n; i++) k[i] = i / 37;
  thrust::device_vector<int> dk(k.begin(), k.end());
  thrust::device_vector<float> sums(n);
  auto e = thrust::reduce_by_key(dk.begin(), dk.end(), d.begin(), thrust::make_discard_iterator(), sums.begin());
  CHECK(e.second - sums.begin() == k.back() + 1);
  double w = 0;
  for (int i = 37; i < 74; i++) w += x[i];
  CLOSE((float)sums[1], w, 1e-4);
  std::vector<unsigned> keys(n);
  for (int i = 0; i < n; i++) keys[i] = (i * 2654435761u) >> 8;
  thrust::device_vector<unsigned> sk(keys.begin(), keys.end());
  thrust::device_vector<int> sv(n);
  thrust::sequence(sv.begin(), sv.end());
  thrust::sort_by_key(sk.begin(), sk.end(), sv.begin());
  std::vector<unsigned> hk(n);
  std::vector<int> hv(n);
  thrust::copy(sk.begin(), sk.end(), hk.begin());
  thrust::copy(sv.begin(), sv.end(), hv.begin());
  CHECK(std::is_sorted(hk.begin(), hk.end()));
  for (int i = 0; i < n; i++) CHECK(keys[hv[i]] == hk[i]);
  thrust::exclusive_scan(dk.begin(), dk.end(), sv.begin());
  int run = 0;
  thrust::copy(sv.begin(), sv.end(), hv.begin());
  for (int i = 0; i < n; i++) {
    CHECK(hv[i] == run);
    run += k[i];
  }
  {
    thrust::device_vector<float> a(d), top(10);
    thrust::device_vector<int> idx(n);
    thrust::sequence(idx.begin(), idx.end());
    thrust::sort_by_key(a.begin(), a.end(), idx.begin(), thrust::greater<float>());
    auto y = x;
    std::sort(y.begin(), y.end(), std::greater<float>());
    for (int i = 0; i < 10; i++) {
      CHECK((float)a[i] == y[i]);
      CHECK(x[(int)idx[i]] == y[i]);
    }
  }
  {
    size_t bytes = 0;
    thrust::device_vector<float> out(1);
    cub::DeviceReduce::Max(nullptr, bytes, thrust::raw_pointer_cast(d.data()), thrust::raw_pointer_cast(out.data()), n);
    thrust::device_vector<char> tmp(bytes);
    cub::DeviceReduce::Max(thrust::raw_pointer_cast(tmp.data()), bytes, thrust::raw_pointer_cast(d.data()),
                           thrust::raw_pointer_cast(out.data()), n);
    CHECK((float)out[0] == *std::max_element(x.begin(), x.end()));
  }
  {
    std::vector<int> v(256);
    for (int i = 0; i < 256; i++) v[i] = (i * 7919) % 1009 - 500;
    Dev<int> dv(v);
    block_sort<<<1, 64>>>(dv);
    std::sort(v.begin(), v.end());
    CHECK(dv.host() == v);
  }
  OK(cudaGetLastError());
  return finish();
}
