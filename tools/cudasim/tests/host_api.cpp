// Runtime API from a translation unit that nvcc never sees.
#include <cstring>

#include "check.hpp"
#include "launchers.hpp"

int main() {
  int n = 0;
  OK(cudaGetDeviceCount(&n));
  CHECK(n == 1);
  cudaDeviceProp p;
  OK(cudaGetDeviceProperties(&p, 0));
  CHECK(p.warpSize == 32 && p.major == 8);
  CHECK(cudaGetDeviceProperties(&p, 3) == cudaErrorInvalidDevice);
  CHECK(cudaGetLastError() == cudaErrorInvalidDevice);
  OK(cudaGetLastError());
  int v = 0;
  OK(cudaDeviceGetAttribute(&v, cudaDevAttrMaxSharedMemoryPerBlock, 0));
  CHECK(v == 49152);
  size_t f, t, f2;
  OK(cudaMemGetInfo(&f, &t));
  // copies
  int N = 1000;
  auto hx = randoms(N, 1), hy = randoms(N, 2);
  {
    Dev<float> x(hx), y(hy);
    launch_saxpy(N, 2.5f, x, y, nullptr);
    OK(cudaGetLastError());
    OK(cudaDeviceSynchronize());
    auto r = y.host();
    for (int i = 0; i < N; i++) CLOSE(r[i], hy[i] + 2.5f * hx[i], 1e-6);
    OK(cudaMemGetInfo(&f2, &t));
    CHECK(f2 + 8000 <= f);
    std::vector<float> sub(3 * 5);
    OK(cudaMemcpy2D(sub.data(), 5 * 4, (float*)x, 100 * 4, 5 * 4, 3, cudaMemcpyDeviceToHost));
    CHECK(sub[5 + 2] == hx[102] && sub[10] == hx[200]);
    OK(cudaMemset(y.p, 0, 40));
    r = y.host();
    CHECK(r[9] == 0 && r[10] != 0);
    CHECK(cudaMemcpy(y.p, x.p, 4, cudaMemcpyDefault) == cudaSuccess);
    cudaPointerAttributes a;
    OK(cudaPointerGetAttributes(&a, x.p));
    CHECK(a.type == cudaMemoryTypeDevice);
    OK(cudaPointerGetAttributes(&a, &v));
    CHECK(a.type == cudaMemoryTypeUnregistered);
  }
  OK(cudaMemGetInfo(&f2, &t));
  CHECK(f2 == f);
  {
    Dev<float> fresh(64);
    for (float x : fresh.host()) CHECK(std::isnan(x));
  }  // fresh memory is NaN
  void* huge = nullptr;
  CHECK(cudaMalloc(&huge, 1ull << 60) == cudaErrorMemoryAllocation);
  cudaGetLastError();
  float* h;
  OK(cudaMallocHost((void**)&h, 4096));
  for (int i = 0; i < 64; i++) h[i] = i;
  {
    Dev<float> y(std::vector<float>(64, 1.f));
    launch_saxpy(64, 1.f, h, y, nullptr);
    CHECK(y.host()[63] == 64);
  }
  OK(cudaFreeHost(h));
  // symbols
  {
    float tab[8];
    for (int i = 0; i < 8; i++) tab[i] = i * 1.5f;
    set_table(tab, 8);
    Dev<float> o(8);
    launch_table(o, 8);
    auto r = o.host();
    for (int i = 0; i < 8; i++) CHECK(r[i] == 3.f * i + 7);
  }
  // streams, events
  cudaStream_t s, s2;
  OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  OK(cudaStreamCreate(&s2));
  cudaEvent_t e0, e1;
  OK(cudaEventCreate(&e0));
  OK(cudaEventCreate(&e1));
  {
    Dev<int> d(1);
    OK(cudaEventRecord(e0, s));
    launch_set(d, 41, s);
    launch_add(d, 1, s);
    OK(cudaEventRecord(e1, s));
    OK(cudaEventSynchronize(e1));
    OK(cudaEventQuery(e1));
    float ms = -1;
    OK(cudaEventElapsedTime(&ms, e0, e1));
    CHECK(ms >= 0);
    OK(cudaStreamSynchronize(s));
    OK(cudaStreamQuery(s));
    CHECK(d.host()[0] == 42);
    // capture over two streams, replay
    cudaGraph_t g;
    cudaGraphExec_t x;
    cudaStreamCaptureStatus st;
    OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal));
    OK(cudaStreamIsCapturing(s, &st));
    CHECK(st == cudaStreamCaptureStatusActive);
    launch_add(d, 10, s);
    OK(cudaEventRecord(e0, s));
    OK(cudaStreamWaitEvent(s2, e0, 0));
    launch_add(d, 100, s2);
    OK(cudaEventRecord(e1, s2));
    OK(cudaStreamWaitEvent(s, e1, 0));
    int k = 1000;
    void* args[] = {&d.p, &k};
    OK(cudaLaunchKernel(add_kernel(), dim3(1), dim3(1), args, 0, s));
    OK(cudaStreamEndCapture(s, &g));
    size_t nodes;
    OK(cudaGraphGetNodes(g, nullptr, &nodes));
    CHECK(nodes == 3);
    CHECK(d.host()[0] == 42);
    OK(cudaGraphInstantiate(&x, g, 0));
    OK(cudaGraphDestroy(g));
    OK(cudaGraphLaunch(x, s));
    OK(cudaGraphLaunch(x, s));
    OK(cudaStreamSynchronize(s));
    CHECK(d.host()[0] == 42 + 2 * 1110);
    OK(cudaGraphExecDestroy(x));
  }
  // pools
  {
    void* p;
    OK(cudaMallocAsync(&p, 1000, s));
    OK(cudaMemsetAsync(p, 1, 1000, s));
    OK(cudaFreeAsync(p, s));
    cudaMemPool_t pool;
    OK(cudaDeviceGetDefaultMemPool(&pool, 0));
    uint64_t th = 1 << 20;
    OK(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &th));
    OK(cudaMemPoolTrimTo(pool, 0));
  }
  // attributes, shared memory limit, occupancy
  {
    Dev<float> o(64);
    cudaFuncAttributes fa;
    OK(cudaFuncGetAttributes(&fa, big_shared_kernel()));
    CHECK(fa.maxThreadsPerBlock == 1024);
    OK(cudaFuncSetAttribute(big_shared_kernel(), cudaFuncAttributeMaxDynamicSharedMemorySize, 100 * 1024));
    launch_big_shared(o, 100 * 1024, nullptr);
    OK(cudaGetLastError());
    CHECK(o.host()[0] == 63);
    int blocks = 0;
    OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, big_shared_kernel(), 64, 100 * 1024));
    CHECK(blocks == 1);
  }
  CHECK(!strcmp(cudaGetErrorName(cudaErrorInvalidValue), "cudaErrorInvalidValue"));
  CHECK(!strcmp(cudaGetErrorString(cudaErrorMemoryAllocation), "out of memory"));
  OK(cudaEventDestroy(e0));
  OK(cudaEventDestroy(e1));
  OK(cudaStreamDestroy(s));
  OK(cudaStreamDestroy(s2));
  return finish();
}
