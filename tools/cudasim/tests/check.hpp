// Small test helpers. A comparison with NaN fails.
#pragma once
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cuda_runtime_api.h>
#include <random>
#include <vector>

inline int failures = 0, checks = 0;
#define CHECK(x)                                                  \
  do {                                                            \
    ++checks;                                                     \
    if (!(x)) {                                                   \
      ++failures;                                                 \
      std::printf("%s:%d: failed: %s\n", __FILE__, __LINE__, #x); \
    }                                                             \
  } while (0)
#define CLOSE(a, b, tol)                                                            \
  do {                                                                              \
    ++checks;                                                                       \
    double a_ = (a), b_ = (b);                                                      \
    if (!(std::fabs(a_ - b_) <= (tol))) {                                           \
      ++failures;                                                                   \
      std::printf("%s:%d: %s = %.9g, want %.9g\n", __FILE__, __LINE__, #a, a_, b_); \
    }                                                                               \
  } while (0)
#define OK(x) CHECK((x) == cudaSuccess)
inline int finish() {
  std::printf("%d checks, %d failures\n", checks, failures);
  return failures || !checks;
}

template <class T>
struct Dev {  // device array
  T* p = nullptr;
  size_t n;
  explicit Dev(size_t n) : n(n) { OK(cudaMalloc((void**)&p, n * sizeof(T))); }
  Dev(const std::vector<T>& v) : Dev(v.size()) { OK(cudaMemcpy(p, v.data(), n * sizeof(T), cudaMemcpyHostToDevice)); }
  Dev(const Dev&) = delete;
  ~Dev() { cudaFree(p); }
  operator T*() const { return p; }
  std::vector<T> host() const {
    std::vector<T> v(n);
    OK(cudaMemcpy(v.data(), p, n * sizeof(T), cudaMemcpyDeviceToHost));
    return v;
  }
};
inline std::vector<float> randoms(size_t n, int seed) {
  std::mt19937 g(seed);
  std::normal_distribution<float> d;
  std::vector<float> v(n);
  for (auto& x : v) x = d(g);
  return v;
}
