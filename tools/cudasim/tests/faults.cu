// Planted bugs: each must be reported. Argument: which one.
#include <cassert>
#include <cstring>

#include "check.hpp"
__global__ void k_past_end(float* p, int n) { p[threadIdx.x + n] = 1; }
__global__ void k_misaligned(char* p) { *(int*)(p + 2) = 1; }
__global__ void k_misaligned_vector(float* p) { ((float4*)(p + 1))[0] = make_float4(1, 2, 3, 4); }
__global__ void k_shared_range(float* p) {
  extern __shared__ float s[];
  s[threadIdx.x + 40] = 1;
  __syncthreads();
  p[threadIdx.x] = s[threadIdx.x];
}
__global__ void k_divergent(float* p) {
  if (threadIdx.x < 16) __syncthreads();
  p[threadIdx.x] = 1;
}
__global__ void k_two_barriers(float* p) {
  if (threadIdx.x < 32) {
    p[0] = 1;
    __syncthreads();
  } else {
    p[1] = 2;
    __syncthreads();
    p[2] = 3;
  }
}
__global__ void k_shuffle(float* p) {
  float v = p[threadIdx.x];
  if (threadIdx.x < 16) v = __shfl_xor_sync(~0u, v, 1);
  __syncthreads();
  p[threadIdx.x] = v;
}
__global__ void k_shuffle_mask(float* p) {
  float v = p[threadIdx.x];
  if (threadIdx.x < 16) v = __shfl_xor_sync(0xffff, v, 16);
  p[threadIdx.x] = v;
}
__global__ void k_read(const float* p, float* q) { q[threadIdx.x] = p[threadIdx.x]; }
__global__ void k_assert(int* p) { assert(p[0] == 12345); }
__global__ void k_trap() { __trap(); }
__global__ void k_race(float* out, bool fix) {
  __shared__ float s[64];
  int t = threadIdx.x;
  s[t] = t;
  if (fix) __syncthreads();
  out[t] = s[63 - t];
}
__global__ void k_warp_race(float* out, bool fix) {
  __shared__ float s[32];
  int t = threadIdx.x;
  s[t] = t;
  if (fix) __syncwarp();
  out[t] = s[31 - t];
}
__global__ void k_write_race(int* out) {
  __shared__ int s;
  s = threadIdx.x;
  __syncthreads();
  out[threadIdx.x] = s;
}
__global__ void k_same_value(int* out) {
  __shared__ int s;
  s = 7;
  __syncthreads();
  out[threadIdx.x] = s;
}
__global__ void k_war(float* out) {
  __shared__ float s[64];
  int t = threadIdx.x;
  s[t] = t;
  __syncthreads();
  float v = s[63 - t];
  s[t] = v;
  __syncthreads();
  out[t] = s[t];
}
__global__ void k_uncovered(int* p) {
  unsigned r;
  asm volatile("vadd4.u32.u32.u32 %0, %1, %2, %3;" : "=r"(r) : "r"(p[0]), "r"(p[1]), "r"(0));
  p[2] = r;
}
__global__ void k_hang(volatile int* p) {
  while (p[0] == 0) {
  }
}
__global__ void k_uninitialised(float* out) {
  __shared__ float s[64];
  if (threadIdx.x < 16) s[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = s[threadIdx.x];
}
int main(int, char** argv) {
  const char* w = argv[1];
  auto is = [&](const char* n) { return !strcmp(w, n); };
  float *p = nullptr, host[64] = {};
  cudaMalloc((void**)&p, 64 * 4);
  cudaMemset(p, 0, 256);
  cudaError_t e = cudaSuccess;
  if (is("past_end"))
    k_past_end<<<1, 64>>>(p, 1);
  else if (is("misaligned"))
    k_misaligned<<<1, 1>>>((char*)p);
  else if (is("misaligned_vector"))
    k_misaligned_vector<<<1, 1>>>(p);
  else if (is("shared_range"))
    k_shared_range<<<1, 64, 256>>>(p);
  else if (is("divergent"))
    k_divergent<<<1, 64>>>(p);
  else if (is("two_barriers"))
    k_two_barriers<<<1, 64>>>(p);
  else if (is("shuffle"))
    k_shuffle<<<1, 32>>>(p);
  else if (is("shuffle_mask"))
    k_shuffle_mask<<<1, 32>>>(p);
  else if (is("host_pointer"))
    k_read<<<1, 64>>>(host, p);
  else if (is("null_pointer"))
    k_read<<<1, 64>>>(nullptr, p);
  else if (is("use_after_free")) {
    float* q;
    cudaMalloc((void**)&q, 256);
    cudaFree(q);
    k_read<<<1, 64>>>(q, p);
  } else if (is("double_free")) {
    cudaFree(p);
    e = cudaFree(p);
  } else if (is("host_access"))
    host[0] = p[0];
  else if (is("copy_past_end"))
    e = cudaMemcpy(host, p, 260, cudaMemcpyDeviceToHost);
  else if (is("copy_kind"))
    e = cudaMemcpy(p, host, 256, cudaMemcpyDeviceToHost);
  else if (is("assert"))
    k_assert<<<1, 1>>>((int*)p);
  else if (is("trap"))
    k_trap<<<1, 1>>>();
  else if (is("too_many_threads"))
    k_trap<<<1, 2048>>>();
  else if (is("too_much_shared"))
    k_shared_range<<<1, 64, 60000>>>(p);
  else if (is("leak")) {
    cudaMalloc((void**)&p, 100);
    return 0;
  } else if (is("race"))
    k_race<<<2, 64>>>(p, false);
  else if (is("no_race")) {
    k_race<<<2, 64>>>(p, true);
    k_warp_race<<<1, 32>>>(p, true);
    k_same_value<<<1, 64>>>((int*)p);
  } else if (is("warp_race"))
    k_warp_race<<<1, 32>>>(p, false);
  else if (is("write_race"))
    k_write_race<<<1, 64>>>((int*)p);
  else if (is("war_race"))
    k_war<<<1, 64>>>(p);
  else if (is("uncovered"))
    k_uncovered<<<1, 1>>>((int*)p);
  else if (is("uncovered_function")) {
    cudaArray_t a;
    cudaChannelFormatDesc d{};
    cudaMallocArray(&a, &d, 4, 4, 0);
  } else if (is("hang"))
    k_hang<<<1, 1>>>((int*)p);
  else if (is("uninitialised")) {
    k_uninitialised<<<1, 64>>>(p);
    cudaMemcpy(host, p, 256, cudaMemcpyDeviceToHost);
    int bad = 0;
    for (float x : host) bad += std::isnan(x);
    std::printf("%d NaN\n", bad);
    return bad == 48 ? 3 : 0;
  } else if (is("order")) {
    k_race<<<1, 64>>>(p, false);
    cudaMemcpy(host, p, 256, cudaMemcpyDeviceToHost);
    int bad = 0;
    for (int t = 0; t < 64; t++) bad += !(host[t] == 63 - t);
    std::printf("%d wrong\n", bad);
    return bad ? 3 : 0;
  } else {
    std::printf("unknown case\n");
    return 1;
  }
  cudaError_t l = cudaDeviceSynchronize();
  if (!e) e = l;
  if (!e) e = cudaGetLastError();
  std::printf("status %s\n", cudaGetErrorName(e));
  if (!is("leak")) cudaFree(p);
  return 0;
}
