// cuBLAS stand-in against plain loops: odd sizes, all transposes, row major by swapping, types, bad arguments.
#include <cublas_v2.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "check.hpp"

template <class T>
T from(float x);
template <>
float from(float x) {
  return x;
}
template <>
double from(float x) {
  return x;
}
template <>
__half from(float x) {
  return __float2half(x);
}
template <>
__nv_bfloat16 from(float x) {
  return __float2bfloat16(x);
}
static double val(float x) { return x; }
static double val(double x) { return x; }
static double val(__half x) { return __half2float(x); }
static double val(__nv_bfloat16 x) { return __bfloat162float(x); }
template <class T>
std::vector<T> mat(size_t n, int seed) {
  auto r = randoms(n, seed);
  std::vector<T> v(n);
  for (size_t i = 0; i < n; i++) v[i] = from<T>(r[i]);
  return v;
}
template <class TA, class TC>
void compare(const std::vector<TA>& A, const std::vector<TA>& B, const std::vector<TC>& C0, const std::vector<TC>& C,
             bool ta, bool tb, int m, int n, int k, int lda, int ldb, int ldc, double al, double be, double tol) {
  double worst = 0;
  bool pad = true;
  for (int j = 0; j < n; j++)
    for (int i = 0; i < ldc; i++) {
      if (i >= m) {
        pad &= (size_t)(i + j * ldc) >= C.size() || val(C[i + j * ldc]) == val(C0[i + j * ldc]);
        continue;
      }
      double s = 0;
      for (int x = 0; x < k; x++) s += val(A[ta ? x + i * lda : i + x * lda]) * val(B[tb ? j + x * ldb : x + j * ldb]);
      double want = al * s + (be == 0 ? 0 : be * val(C0[i + j * ldc])),
             e = std::fabs(val(C[i + j * ldc]) - want) / (1 + std::fabs(want));
      if (!(e <= worst)) worst = e;
    }
  CLOSE(worst, 0, tol);
  CHECK(pad);
}
int main() {
  cublasHandle_t h = nullptr;
  float one = 1, zero = 0;
  double d1 = 1.5, d2 = -0.5;
  float f1 = 1.5f, f2 = -0.5f;
  CHECK(cublasSgemm(nullptr, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 1, &one, nullptr, 1, nullptr, 1, &zero, nullptr, 1) ==
        CUBLAS_STATUS_NOT_INITIALIZED);
  CHECK(cublasCreate(&h) == 0);
  int ver = 0;
  CHECK(cublasGetVersion(h, &ver) == 0 && ver > 100000);
  CHECK(cublasSetStream(h, nullptr) == 0);
  int m = 13, n = 7, k = 19;
  for (int t = 0; t < 4; t++) {
    bool ta = t & 1, tb = t & 2;
    auto oa = ta ? CUBLAS_OP_T : CUBLAS_OP_N, ob = tb ? CUBLAS_OP_T : CUBLAS_OP_N;
    int ra = ta ? k : m, ca = ta ? m : k, rb = tb ? n : k, cb = tb ? k : n, lda = ra + 2, ldb = rb + 1, ldc = m + 3;
    {
      auto A = mat<float>(lda * ca, 1), B = mat<float>(ldb * cb, 2), C = mat<float>(ldc * n, 3);
      Dev<float> a(A), b(B), c(C);
      CHECK(cublasSgemm(h, oa, ob, m, n, k, &f1, a, lda, b, ldb, &f2, c, ldc) == 0);
      compare(A, B, C, c.host(), ta, tb, m, n, k, lda, ldb, ldc, 1.5, -0.5, 1e-5);
      CHECK(cublasGemmEx(h, oa, ob, m, n, k, &f1, a, CUDA_R_32F, lda, b, CUDA_R_32F, ldb, &zero, c, CUDA_R_32F, ldc,
                         CUBLAS_COMPUTE_32F_FAST_TF32, CUBLAS_GEMM_DEFAULT) == 0);
      auto r = c.host();
      double e = 0;
      for (int j = 0; j < n; j++)
        for (int i = 0; i < m; i++) {
          double s = 0;
          for (int x = 0; x < k; x++)
            s += (double)A[ta ? x + i * lda : i + x * lda] * B[tb ? j + x * ldb : x + j * ldb];
          e = std::fmax(e, std::fabs(r[i + j * ldc] - 1.5 * s));
        }
      CHECK(e > 1e-5 && e < 2e-2);
    }
    {
      auto A = mat<double>(lda * ca, 1), B = mat<double>(ldb * cb, 2), C = mat<double>(ldc * n, 3);
      Dev<double> a(A), b(B), c(C);
      CHECK(cublasDgemm(h, oa, ob, m, n, k, &d1, a, lda, b, ldb, &d2, c, ldc) == 0);
      compare(A, B, C, c.host(), ta, tb, m, n, k, lda, ldb, ldc, 1.5, -0.5, 1e-13);
    }
    {
      auto A = mat<__nv_bfloat16>(lda * ca, 1), B = mat<__nv_bfloat16>(ldb * cb, 2);
      auto C = mat<float>(ldc * n, 3);
      Dev<__nv_bfloat16> a(A), b(B);
      Dev<float> c(C);
      CHECK(cublasGemmEx(h, oa, ob, m, n, k, &f1, a, CUDA_R_16BF, lda, b, CUDA_R_16BF, ldb, &f2, c, CUDA_R_32F, ldc,
                         CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT) == 0);
      compare(A, B, C, c.host(), ta, tb, m, n, k, lda, ldb, ldc, 1.5, -0.5, 1e-5);
    }
    {
      auto A = mat<__half>(lda * ca, 1), B = mat<__half>(ldb * cb, 2), C = mat<__half>(ldc * n, 3);
      Dev<__half> a(A), b(B), c(C);
      CHECK(cublasGemmEx(h, oa, ob, m, n, k, &f1, a, CUDA_R_16F, lda, b, CUDA_R_16F, ldb, &f2, c, CUDA_R_16F, ldc,
                         CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT) == 0);
      compare(A, B, C, c.host(), ta, tb, m, n, k, lda, ldb, ldc, 1.5, -0.5, 1e-3);
    }
    int S = lda * ca, SB = ldb * cb, SC = ldc * n;
    {
      auto A = mat<float>(3 * S, 1), B = mat<float>(3 * SB, 2), C = mat<float>(3 * SC, 3);
      Dev<float> a(A), b(B), c(C);
      CHECK(cublasSgemmStridedBatched(h, oa, ob, m, n, k, &f1, a, lda, S, b, ldb, SB, &f2, c, ldc, SC, 3) == 0);
      auto r = c.host();
      for (int i = 0; i < 3; i++) {
        auto part = [i](const std::vector<float>& v, int s) {
          return std::vector<float>(v.begin() + i * s, v.begin() + (i + 1) * s);
        };
        compare(part(A, S), part(B, SB), part(C, SC), part(r, SC), ta, tb, m, n, k, lda, ldb, ldc, 1.5, -0.5, 1e-5);
      }
      Dev<float> c2(C);
      std::vector<float*> pa, pb, pc;
      for (int i = 0; i < 3; i++) pa.push_back(a.p + i * S), pb.push_back(b.p + i * SB), pc.push_back(c2.p + i * SC);
      Dev<float*> da(pa), db(pb), dc(pc);
      CHECK(cublasSgemmBatched(h, oa, ob, m, n, k, &f1, (const float* const*)da.p, lda, (const float* const*)db.p, ldb,
                               &f2, dc.p, ldc, 3) == 0);
      CHECK(c2.host() == r);
    }
  }
  {  // row major C[m,n] = A[m,k] B[k,n] by the swapped call
    auto A = mat<float>(m * k, 1), B = mat<float>(k * n, 2);
    Dev<float> a(A), b(B), c(m * n);
    CHECK(cublasSgemm(h, CUBLAS_OP_N, CUBLAS_OP_N, n, m, k, &one, b, n, a, k, &zero, c, n) == 0);
    auto r = c.host();
    for (int i = 0; i < m; i++)
      for (int j = 0; j < n; j++) {
        double s = 0;
        for (int x = 0; x < k; x++) s += (double)A[i * k + x] * B[x * n + j];
        CLOSE(r[i * n + j], s, 1e-5);
      }
  }
  {
    auto A = mat<float>(m * n, 1), X = mat<float>(40, 2), Y = mat<float>(40, 3);
    Dev<float> a(A), x(X), y(Y);
    CHECK(cublasSgemv(h, CUBLAS_OP_N, m, n, &f1, a, m, x, 2, &f2, y, 1) == 0);
    auto r = y.host();
    for (int i = 0; i < m; i++) {
      double s = 0;
      for (int j = 0; j < n; j++) s += A[i + j * m] * X[2 * j];
      CLOSE(r[i], 1.5 * s - 0.5 * Y[i], 1e-5);
    }
    CHECK(cublasSgemv(h, CUBLAS_OP_T, m, n, &f1, a, m, x, 1, &zero, y, 3) == 0);
    r = y.host();
    for (int j = 0; j < n; j++) {
      double s = 0;
      for (int i = 0; i < m; i++) s += A[i + j * m] * X[i];
      CLOSE(r[3 * j], 1.5 * s, 1e-5);
    }
  }
  {
    auto X = mat<float>(33, 2), Y = mat<float>(33, 3);
    Dev<float> x(X), y(Y);
    float r;
    double s = 0, q = 0;
    int best = 0;
    for (int i = 0; i < 33; i++) {
      s += X[i] * Y[i];
      q += X[i] * X[i];
      if (std::fabs(X[i]) > std::fabs(X[best])) best = i;
    }
    CHECK(cublasSdot(h, 33, x, 1, y, 1, &r) == 0);
    CLOSE(r, s, 1e-5);
    CHECK(cublasSnrm2(h, 33, x, 1, &r) == 0);
    CLOSE(r, std::sqrt(q), 1e-5);
    int idx;
    CHECK(cublasIsamax(h, 33, x, 1, &idx) == 0);
    CHECK(idx == best + 1);
    CHECK(cublasSaxpy(h, 33, &f1, x, 1, y, 1) == 0);
    auto v = y.host();
    for (int i = 0; i < 33; i++) CLOSE(v[i], Y[i] + 1.5f * X[i], 1e-6);
    CHECK(cublasSscal(h, 33, &f2, x, 1) == 0);
    v = x.host();
    for (int i = 0; i < 33; i++) CLOSE(v[i], -0.5f * X[i], 1e-6);
    Dev<float> dr(1);
    CHECK(cublasSetPointerMode(h, CUBLAS_POINTER_MODE_DEVICE) == 0);
    CHECK(cublasSdot(h, 33, x, 1, x, 1, dr) == 0);
    CLOSE(dr.host()[0], 0.25 * q, 1e-5);
    CHECK(cublasSetPointerMode(h, CUBLAS_POINTER_MODE_HOST) == 0);
  }
  {
    auto A = mat<float>(m * n, 1), B = mat<float>(m * n, 2);
    Dev<float> a(A), b(B), c(m * n);
    CHECK(cublasSgeam(h, CUBLAS_OP_T, CUBLAS_OP_N, m, n, &f1, a, n, &f2, b, m, c, m) == 0);
    auto r = c.host();
    for (int j = 0; j < n; j++)
      for (int i = 0; i < m; i++) CLOSE(r[i + j * m], 1.5f * A[j + i * n] - 0.5f * B[i + j * m], 1e-6);
  }
  {
    Dev<float> a(m * k), b(k * n), c(m * n);
    CHECK(cublasSgemm(h, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, a, m - 1, b, k, &zero, c, m) ==
          CUBLAS_STATUS_INVALID_VALUE);
    CHECK(cublasSgemm(h, CUBLAS_OP_N, CUBLAS_OP_N, -1, n, k, &one, a, m, b, k, &zero, c, m) ==
          CUBLAS_STATUS_INVALID_VALUE);
    CHECK(cublasGemmEx(h, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, a, CUDA_R_8I, m, b, CUDA_R_8I, k, &zero, c,
                       CUDA_R_8I, m, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT) == CUBLAS_STATUS_NOT_SUPPORTED);
    CHECK(cublasSgemm(h, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k + 1, &one, a, m, b, k + 1, &zero, c, m) ==
          CUBLAS_STATUS_EXECUTION_FAILED);
  }  // reads past A
  CHECK(cublasDestroy(h) == 0);
  CHECK(cublasDestroy(h) == CUBLAS_STATUS_NOT_INITIALIZED);
  return finish();
}
