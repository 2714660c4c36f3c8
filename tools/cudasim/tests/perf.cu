// Speed of the simulation itself (not of any device).
#include <chrono>
#include <cstdio>
#include <cuda_runtime.h>
#include <random>
#include <thrust/device_vector.h>
#include <thrust/sort.h>
#include <vector>
using clk = std::chrono::steady_clock;
static double secs(clk::time_point a) { return std::chrono::duration<double>(clk::now() - a).count(); }
__global__ void axpy(float* y, const float* x, float a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}
__global__ void adam(float* w, const float* g, float* m, float* v, int n, float lr) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float q = g[i], a = m[i] = 0.9f * m[i] + 0.1f * q, b = v[i] = 0.999f * v[i] + 0.001f * q * q;
  w[i] -= lr * a / (sqrtf(b) + 1e-8f);
}
template <int T>
__global__ void gemm(const float* A, const float* B, float* C, int n) {  // 16x16 threads, each TxT results
  __shared__ float a[16 * T][17], b[16][16 * T + 1];
  float acc[T][T] = {};
  int tx = threadIdx.x, ty = threadIdx.y, r0 = blockIdx.y * 16 * T, c0 = blockIdx.x * 16 * T;
  for (int k = 0; k < n; k += 16) {
    for (int i = 0; i < T; i++) {
      a[ty + 16 * i][tx] = A[(r0 + ty + 16 * i) * n + k + tx];
      b[ty][tx + 16 * i] = B[(k + ty) * n + c0 + tx + 16 * i];
    }
    __syncthreads();
    for (int x = 0; x < 16; x++)
      for (int i = 0; i < T; i++)
        for (int j = 0; j < T; j++) acc[i][j] += a[ty + 16 * i][x] * b[x][tx + 16 * j];
    __syncthreads();
  }
  for (int i = 0; i < T; i++)
    for (int j = 0; j < T; j++) C[(r0 + ty + 16 * i) * n + c0 + tx + 16 * j] = acc[i][j];
}
__global__ void row_sum(const float* x, float* y, int n) {
  float s = 0;
  for (int i = threadIdx.x; i < n; i += blockDim.x) s += x[blockIdx.x * n + i];
  for (int o = 16; o; o >>= 1) s += __shfl_xor_sync(~0u, s, o);
  __shared__ float w[8];
  if (threadIdx.x % 32 == 0) w[threadIdx.x / 32] = s;
  __syncthreads();
  if (threadIdx.x == 0) {
    s = 0;
    for (int i = 0; i < 8; i++) s += w[i];
    y[blockIdx.x] = s;
  }
}
__global__ void mma_loop(float* o, int n) {
  float c[4] = {};
  unsigned a[4] = {1, 2, 3, 4}, b[2] = {5, 6};
  for (int i = 0; i < n; i++)
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  o[blockIdx.x * 32 + threadIdx.x] = c[0];
}
int main() {
  int n = 1 << 21;
  float* p[4];
  for (auto& q : p) {
    cudaMalloc((void**)&q, n * 4);
    cudaMemset(q, 0, n * 4);
  }
  auto t = clk::now();
  axpy<<<n / 256, 256>>>(p[0], p[1], 2.f, n);
  std::printf("axpy %.1f ns per thread\n", secs(t) * 1e9 / n);
  t = clk::now();
  adam<<<n / 256, 256>>>(p[0], p[1], p[2], p[3], n, 1e-3f);
  std::printf("adam %.1f ns per thread\n", secs(t) * 1e9 / n);
  t = clk::now();
  gemm<1><<<dim3(16, 16), dim3(16, 16)>>>(p[0], p[1], p[2], 256);
  std::printf("tiled GEMM 16x16, 1 result per thread: %.3f GFLOP/s\n", 2. * 256 * 256 * 256 / secs(t) * 1e-9);
  t = clk::now();
  gemm<4><<<dim3(8, 8), dim3(16, 16)>>>(p[0], p[1], p[2], 512);
  std::printf("tiled GEMM 64x64, 16 results per thread: %.3f GFLOP/s\n", 2. * 512 * 512 * 512 / secs(t) * 1e-9);
  t = clk::now();
  row_sum<<<2048, 256>>>(p[0], p[1], 768);
  std::printf("row sum of 768 at 256 threads: %.1f us per row\n", secs(t) * 1e6 / 2048);
  t = clk::now();
  mma_loop<<<16, 32>>>(p[0], 1000);
  std::printf("mma.sync bf16: %.2f GFLOP/s, %.2f us each\n", 16000 * 4096 / secs(t) * 1e-9, secs(t) * 1e6 / 16000);
  std::vector<int> v(1000000);
  std::mt19937 g(1);
  for (auto& x : v) x = (int)g();
  thrust::device_vector<int> d(v.begin(), v.end());
  t = clk::now();
  thrust::sort(d.begin(), d.end());
  std::printf("thrust::sort of 1e6 ints: %.2f s\n", secs(t));
  return cudaGetLastError() != cudaSuccess;
}
