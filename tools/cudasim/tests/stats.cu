// Known counts: read by check_stats.cmake from the JSON file.
#include "check.hpp"
__global__ void copy_coalesced(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = x[i];
}
__global__ void copy_strided(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i * 8] = x[i * 8];
}
__global__ void fma4(float* x) {
  int i = threadIdx.x;
  float v = x[i];
  for (int k = 0; k < 4; k++) v = fmaf(v, 1.5f, 2.f);
  x[i] = v;
}
__global__ void conflicts(float* o) {
  __shared__ float s[32 * 32];
  int t = threadIdx.x;
  s[t * 32] = t;
  __syncthreads();
  o[t] = s[t * 32];
}
int main() {
  Dev<float> x(8192), y(8192);
  copy_coalesced<<<4, 256>>>(x, y);
  copy_strided<<<4, 256>>>(x, y);
  fma4<<<1, 64>>>(x);
  conflicts<<<1, 32>>>(y);
  std::vector<float> back(100);
  for (int i = 0; i < 3; ++i) OK(cudaMemcpy(back.data(), y.p, 400, cudaMemcpyDeviceToHost));
  OK(cudaMemcpy(x.p, back.data(), 400, cudaMemcpyDefault));
  OK(cudaMemcpy(y.p, x.p, 4096, cudaMemcpyDeviceToDevice));
  OK(cudaDeviceSynchronize());
  return finish();
}
