// The part of cuBLAS that frameworks use, on a CBLAS (or on plain loops where none is found).
#include <algorithm>
#include <cstdio>
#include <cublas_v2.h>
#include <set>
#include <vector>

#include "runtime.hpp"
#ifdef CUDASIM_CBLAS
#include <cblas.h>
#endif

using namespace cudasim;
using S = cublasStatus_t;

struct cublasContext {
  cudaStream_t stream = nullptr;
  cublasMath_t math = CUBLAS_DEFAULT_MATH;
  cublasPointerMode_t mode = CUBLAS_POINTER_MODE_HOST;
  cublasAtomicsMode_t atomics = CUBLAS_ATOMICS_NOT_ALLOWED;
};
static std::set<cublasHandle_t>& handles() {
  static auto* h = new std::set<cublasHandle_t>;
  return *h;
}
#define CHECK_HANDLE \
  if (!handles().count(h)) return CUBLAS_STATUS_NOT_INITIALIZED
static S bad(const char* f, const char* why) {
  warn("%s: %s", f, why);
  return CUBLAS_STATUS_INVALID_VALUE;
}
static S done(int e) {
  return e == 0 ? CUBLAS_STATUS_SUCCESS : e == 1 ? CUBLAS_STATUS_INVALID_VALUE : CUBLAS_STATUS_EXECUTION_FAILED;
}

// Storage of n bytes of device (or pinned) memory; a wrong pointer is reported and the call fails.
static char* mem(const char* f, const char* what, const void* p, uint64_t n) {
  if (is_device(p) && dev_range(p, n)) return storage(p);
  if (pinned(p, n)) return (char*)p;
  warn("%s: %s of %lu bytes: %s", f, what, n, dev_describe((uint64_t)p).c_str());
  return nullptr;
}
static double scalar(cublasHandle_t h, const void* p, cudaDataType t) {
  const char* q = h->mode == CUBLAS_POINTER_MODE_DEVICE && is_device(p) ? storage(p) : (const char*)p;
  switch (t) {
    case CUDA_R_64F: return LD<double>(q);
    case CUDA_R_16F: return (float)LD<f16>(q);
    case CUDA_R_16BF: return (float)LD<bf16>(q);
    default: return LD<float>(q);
  }
}
static int width(cudaDataType t) {
  return t == CUDA_R_64F ? 8 : t == CUDA_R_32F ? 4 : t == CUDA_R_16F || t == CUDA_R_16BF ? 2 : 0;
}

static void gemm_f(bool ta, bool tb, int m, int n, int k, float al, const float* A, int lda, const float* B, int ldb,
                   float be, float* C, int ldc) {
#ifdef CUDASIM_CBLAS
  cblas_sgemm(CblasColMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n, k, al, A, lda, B,
              ldb, be, C, ldc);
#else
  for (int j = 0; j < n; j++)
    for (int i = 0; i < m; i++) {
      float s = 0;
      for (int x = 0; x < k; x++)
        s += A[ta ? x + (size_t)i * lda : i + (size_t)x * lda] * B[tb ? j + (size_t)x * ldb : x + (size_t)j * ldb];
      float& c = C[i + (size_t)j * ldc];
      c = al * s + (be == 0 ? 0 : be * c);
    }
#endif
}
static void gemm_d(bool ta, bool tb, int m, int n, int k, double al, const double* A, int lda, const double* B, int ldb,
                   double be, double* C, int ldc) {
#ifdef CUDASIM_CBLAS
  cblas_dgemm(CblasColMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n, k, al, A, lda, B,
              ldb, be, C, ldc);
#else
  for (int j = 0; j < n; j++)
    for (int i = 0; i < m; i++) {
      double s = 0;
      for (int x = 0; x < k; x++)
        s += A[ta ? x + (size_t)i * lda : i + (size_t)x * lda] * B[tb ? j + (size_t)x * ldb : x + (size_t)j * ldb];
      double& c = C[i + (size_t)j * ldc];
      c = al * s + (be == 0 ? 0 : be * c);
    }
#endif
}
static float get(const char* p, cudaDataType t, size_t i) {
  return t == CUDA_R_32F   ? ((const float*)p)[i]
         : t == CUDA_R_16F ? (float)((const f16*)p)[i]
                           : (float)((const bf16*)p)[i];
}
static void put(char* p, cudaDataType t, size_t i, float v) {
  if (t == CUDA_R_32F)
    ((float*)p)[i] = v;
  else if (t == CUDA_R_16F)
    ((f16*)p)[i] = f16(v);
  else
    ((bf16*)p)[i] = bf16(v);
}
static std::vector<float> widen(const char* p, cudaDataType t, size_t n, bool tf32) {
  std::vector<float> v(n);
  for (size_t i = 0; i < n; i++) {
    v[i] = get(p, t, i);
    if (tf32) v[i] = to_tf32<R_rn>(v[i]);
  }
  return v;
}

struct Gemm {
  const char* name;
  bool ta, tb;
  int m, n, k;
  double al, be;
  cudaDataType at, bt, ct;
  int lda, ldb, ldc;
  bool tf32;
};
static uint64_t extent(int rows, int cols, int ld, int w) {
  return rows && cols ? ((uint64_t)ld * (cols - 1) + rows) * w : 0;
}
static int one(const Gemm& g, const void* A, const void* B, void* C) {
  if (!g.m || !g.n) return 0;
  uint64_t ea = extent(g.ta ? g.k : g.m, g.ta ? g.m : g.k, g.lda, width(g.at)),
           eb = extent(g.tb ? g.n : g.k, g.tb ? g.k : g.n, g.ldb, width(g.bt)),
           ec = extent(g.m, g.n, g.ldc, width(g.ct));
  const char *a = ea ? mem(g.name, "A", A, ea) : "", *b = eb ? mem(g.name, "B", B, eb) : "";
  char* c = mem(g.name, "C", C, ec);
  if (!a || !b || !c) return 13;
  if (g.at == CUDA_R_64F) {
    gemm_d(g.ta, g.tb, g.m, g.n, g.k, g.al, (const double*)a, g.lda, (const double*)b, g.ldb, g.be, (double*)c, g.ldc);
    return 0;
  }
  if (g.at == CUDA_R_32F && g.bt == g.at && g.ct == g.at && !g.tf32) {
    gemm_f(g.ta, g.tb, g.m, g.n, g.k, g.al, (const float*)a, g.lda, (const float*)b, g.ldb, g.be, (float*)c, g.ldc);
    return 0;
  }
  auto fa = widen(a, g.at, ea / width(g.at), g.tf32), fb = widen(b, g.bt, eb / width(g.bt), g.tf32);
  std::vector<float> fc((size_t)g.m * g.n);
  gemm_f(g.ta, g.tb, g.m, g.n, g.k, g.al, fa.data(), g.lda, fb.data(), g.ldb, 0, fc.data(), g.m);
  for (int j = 0; j < g.n; j++)
    for (int i = 0; i < g.m; i++) {
      size_t x = i + (size_t)j * g.ldc;
      put(c, g.ct, x, fc[i + (size_t)j * g.m] + (g.be == 0 ? 0.f : (float)g.be * get(c, g.ct, x)));
    }
  return 0;
}
static S check(const Gemm& g, cublasOperation_t ta, cublasOperation_t tb) {
  if ((unsigned)ta > 2 || (unsigned)tb > 2) return bad(g.name, "transpose flag");
  if (g.m < 0 || g.n < 0 || g.k < 0) return bad(g.name, "negative size");
  if (g.lda < std::max(1, g.ta ? g.k : g.m)) return bad(g.name, "lda is too small");
  if (g.ldb < std::max(1, g.tb ? g.n : g.k)) return bad(g.name, "ldb is too small");
  if (g.ldc < std::max(1, g.m)) return bad(g.name, "ldc is too small");
  return CUBLAS_STATUS_SUCCESS;
}
static S gemm_strided(cublasHandle_t h, const char* name, cublasOperation_t ta, cublasOperation_t tb, int m, int n,
                      int k, const void* al, const void* A, cudaDataType at, int lda, long long sa, const void* B,
                      cudaDataType bt, int ldb, long long sb, const void* be, void* C, cudaDataType ct, int ldc,
                      long long sc, int batch, cudaDataType st, bool tf32) {
  CHECK_HANDLE;
  if (!al || !be) return bad(name, "null alpha or beta");
  if (batch < 0) return bad(name, "negative batch count");
  Gemm g{name, ta != 0, tb != 0, m,   n,
         k,    0,       0,       at,  bt,
         ct,   lda,     ldb,     ldc, tf32 || (h->math == CUBLAS_TF32_TENSOR_OP_MATH && at == CUDA_R_32F)};
  if (S s = check(g, ta, tb)) return s;
  auto run = [=]() mutable {
    g.al = scalar(h, al, st);
    g.be = scalar(h, be, st);
    for (int i = 0; i < batch; i++)
      if (int e = one(g, (const char*)A + i * sa * width(at), (const char*)B + i * sb * width(bt),
                      (char*)C + i * sc * width(ct)))
        return e;
    return 0;
  };
  if (h->mode == CUBLAS_POINTER_MODE_HOST) {
    double a = scalar(h, al, st), b = scalar(h, be, st);
    return done(submit(h->stream, [=]() mutable {
      g.al = a;
      g.be = b;
      for (int i = 0; i < batch; i++)
        if (int e = one(g, (const char*)A + i * sa * width(at), (const char*)B + i * sb * width(bt),
                        (char*)C + i * sc * width(ct)))
          return e;
      return 0;
    }));
  }
  return done(submit(h->stream, run));
}
static S gemm_pointers(cublasHandle_t h, const char* name, cublasOperation_t ta, cublasOperation_t tb, int m, int n,
                       int k, const void* al, const void* const* A, cudaDataType at, int lda, const void* const* B,
                       cudaDataType bt, int ldb, const void* be, void* const* C, cudaDataType ct, int ldc, int batch,
                       cudaDataType st, bool tf32) {
  CHECK_HANDLE;
  if (!al || !be) return bad(name, "null alpha or beta");
  if (batch < 0) return bad(name, "negative batch count");
  Gemm g{name,
         ta != 0,
         tb != 0,
         m,
         n,
         k,
         scalar(h, al, st),
         scalar(h, be, st),
         at,
         bt,
         ct,
         lda,
         ldb,
         ldc,
         tf32 || (h->math == CUBLAS_TF32_TENSOR_OP_MATH && at == CUDA_R_32F)};
  if (S s = check(g, ta, tb)) return s;
  return done(submit(h->stream, [=] {
    char *a = mem(name, "pointer array A", A, 8ull * batch), *b = mem(name, "pointer array B", B, 8ull * batch),
         *c = mem(name, "pointer array C", C, 8ull * batch);
    if (!a || !b || !c) return 13;
    for (int i = 0; i < batch; i++)
      if (int e = one(g, LD<const void*>(a + 8 * i), LD<const void*>(b + 8 * i), LD<void*>(c + 8 * i))) return e;
    return 0;
  }));
}
// GemmEx: which type combinations exist, and the type of alpha and beta
static bool combo(cudaDataType a, cudaDataType b, cudaDataType c, cublasComputeType_t ct, cudaDataType* scale,
                  bool* tf32) {
  *tf32 = false;
  if (a != b) return false;
  switch (ct) {
    case CUBLAS_COMPUTE_32F_FAST_TF32: *tf32 = a == CUDA_R_32F; [[fallthrough]];
    case CUBLAS_COMPUTE_32F:
    case CUBLAS_COMPUTE_32F_PEDANTIC:
    case CUBLAS_COMPUTE_32F_FAST_16F:
    case CUBLAS_COMPUTE_32F_FAST_16BF:
      *scale = CUDA_R_32F;
      return (a == CUDA_R_32F && c == CUDA_R_32F) ||
             ((a == CUDA_R_16F || a == CUDA_R_16BF) && (c == a || c == CUDA_R_32F));
    case CUBLAS_COMPUTE_16F:
    case CUBLAS_COMPUTE_16F_PEDANTIC: *scale = CUDA_R_16F; return a == CUDA_R_16F && c == CUDA_R_16F;
    case CUBLAS_COMPUTE_64F:
    case CUBLAS_COMPUTE_64F_PEDANTIC: *scale = CUDA_R_64F; return a == CUDA_R_64F && c == CUDA_R_64F;
    default: return false;
  }
}
// vector helpers: element i of a strided vector as BLAS counts them
static uint64_t vlen(int n, int inc, int w) { return n > 0 ? ((uint64_t)(n - 1) * std::abs(inc) + 1) * w : 0; }
template <class T>
static T& el(T* x, int n, int inc, int i) {
  return x[inc >= 0 ? (int64_t)i * inc : (int64_t)(n - 1 - i) * -(int64_t)inc];
}
template <class T>
static T* vec(const char* f, const char* what, const void* p, int n, int inc) {
  return (T*)mem(f, what, p, vlen(n, inc, sizeof(T)));
}
template <class T>
static int result(cublasHandle_t h, const char* f, void* r, T v) {
  if (h->mode == CUBLAS_POINTER_MODE_DEVICE) {
    char* p = mem(f, "result", r, sizeof v);
    if (!p) return 13;
    ST<T>(p, v);
  } else
    ST<T>((char*)r, v);
  return 0;
}

extern "C" {
S cublasCreate_v2(cublasHandle_t* h) {
  if (!h) return CUBLAS_STATUS_INVALID_VALUE;
  init();
  *h = new cublasContext;
  handles().insert(*h);
  return CUBLAS_STATUS_SUCCESS;
}
S cublasDestroy_v2(cublasHandle_t h) {
  CHECK_HANDLE;
  handles().erase(h);
  delete h;
  return CUBLAS_STATUS_SUCCESS;
}
S cublasSetStream_v2(cublasHandle_t h, cudaStream_t s) {
  CHECK_HANDLE;
  h->stream = s;
  return CUBLAS_STATUS_SUCCESS;
}
S cublasGetStream_v2(cublasHandle_t h, cudaStream_t* s) {
  CHECK_HANDLE;
  *s = h->stream;
  return CUBLAS_STATUS_SUCCESS;
}
S cublasSetMathMode(cublasHandle_t h, cublasMath_t m) {
  CHECK_HANDLE;
  h->math = m;
  return CUBLAS_STATUS_SUCCESS;
}
S cublasGetMathMode(cublasHandle_t h, cublasMath_t* m) {
  CHECK_HANDLE;
  *m = h->math;
  return CUBLAS_STATUS_SUCCESS;
}
S cublasSetPointerMode_v2(cublasHandle_t h, cublasPointerMode_t m) {
  CHECK_HANDLE;
  h->mode = m;
  return CUBLAS_STATUS_SUCCESS;
}
S cublasGetPointerMode_v2(cublasHandle_t h, cublasPointerMode_t* m) {
  CHECK_HANDLE;
  *m = h->mode;
  return CUBLAS_STATUS_SUCCESS;
}
S cublasSetAtomicsMode(cublasHandle_t h, cublasAtomicsMode_t m) {
  CHECK_HANDLE;
  h->atomics = m;
  return CUBLAS_STATUS_SUCCESS;
}
S cublasGetAtomicsMode(cublasHandle_t h, cublasAtomicsMode_t* m) {
  CHECK_HANDLE;
  *m = h->atomics;
  return CUBLAS_STATUS_SUCCESS;
}
S cublasSetWorkspace_v2(cublasHandle_t h, void* p, size_t n) {
  CHECK_HANDLE;
  if ((uint64_t)p % 256) return bad("cublasSetWorkspace", "workspace is not aligned to 256 bytes");
  if (p && n && !mem("cublasSetWorkspace", "workspace", p, n)) return CUBLAS_STATUS_INVALID_VALUE;
  return CUBLAS_STATUS_SUCCESS;
}
S cublasGetVersion_v2(cublasHandle_t, int* v) {
  *v = CUBLAS_VERSION;
  return CUBLAS_STATUS_SUCCESS;
}
S cublasGetProperty(libraryPropertyType t, int* v) {
  *v = t == MAJOR_VERSION ? CUBLAS_VER_MAJOR : t == MINOR_VERSION ? CUBLAS_VER_MINOR : CUBLAS_VER_PATCH;
  return CUBLAS_STATUS_SUCCESS;
}
const char* cublasGetStatusName(S s) {
  switch (s) {
// clang-format off
#define X(e) \
  case e: return #e;
    X(CUBLAS_STATUS_SUCCESS)
    X(CUBLAS_STATUS_NOT_INITIALIZED)
    X(CUBLAS_STATUS_ALLOC_FAILED) X(CUBLAS_STATUS_INVALID_VALUE) X(CUBLAS_STATUS_ARCH_MISMATCH)
        X(CUBLAS_STATUS_MAPPING_ERROR) X(CUBLAS_STATUS_EXECUTION_FAILED) X(CUBLAS_STATUS_INTERNAL_ERROR)
            X(CUBLAS_STATUS_NOT_SUPPORTED) X(CUBLAS_STATUS_LICENSE_ERROR)
#undef X
    // clang-format on
  }
  return "CUBLAS_STATUS_UNKNOWN";
}
const char* cublasGetStatusString(S s) { return cublasGetStatusName(s); }

#define OPS cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k
S cublasSgemm_v2(cublasHandle_t h, OPS, const float* al, const float* A, int lda, const float* B, int ldb,
                 const float* be, float* C, int ldc) {
  return gemm_strided(h, "cublasSgemm", ta, tb, m, n, k, al, A, CUDA_R_32F, lda, 0, B, CUDA_R_32F, ldb, 0, be, C,
                      CUDA_R_32F, ldc, 0, 1, CUDA_R_32F, false);
}
S cublasDgemm_v2(cublasHandle_t h, OPS, const double* al, const double* A, int lda, const double* B, int ldb,
                 const double* be, double* C, int ldc) {
  return gemm_strided(h, "cublasDgemm", ta, tb, m, n, k, al, A, CUDA_R_64F, lda, 0, B, CUDA_R_64F, ldb, 0, be, C,
                      CUDA_R_64F, ldc, 0, 1, CUDA_R_64F, false);
}
S cublasSgemmStridedBatched(cublasHandle_t h, OPS, const float* al, const float* A, int lda, long long sa,
                            const float* B, int ldb, long long sb, const float* be, float* C, int ldc, long long sc,
                            int batch) {
  return gemm_strided(h, "cublasSgemmStridedBatched", ta, tb, m, n, k, al, A, CUDA_R_32F, lda, sa, B, CUDA_R_32F, ldb,
                      sb, be, C, CUDA_R_32F, ldc, sc, batch, CUDA_R_32F, false);
}
S cublasDgemmStridedBatched(cublasHandle_t h, OPS, const double* al, const double* A, int lda, long long sa,
                            const double* B, int ldb, long long sb, const double* be, double* C, int ldc, long long sc,
                            int batch) {
  return gemm_strided(h, "cublasDgemmStridedBatched", ta, tb, m, n, k, al, A, CUDA_R_64F, lda, sa, B, CUDA_R_64F, ldb,
                      sb, be, C, CUDA_R_64F, ldc, sc, batch, CUDA_R_64F, false);
}
S cublasSgemmBatched(cublasHandle_t h, OPS, const float* al, const float* const A[], int lda, const float* const B[],
                     int ldb, const float* be, float* const C[], int ldc, int batch) {
  return gemm_pointers(h, "cublasSgemmBatched", ta, tb, m, n, k, al, (const void* const*)A, CUDA_R_32F, lda,
                       (const void* const*)B, CUDA_R_32F, ldb, be, (void* const*)C, CUDA_R_32F, ldc, batch, CUDA_R_32F,
                       false);
}
S cublasGemmEx(cublasHandle_t h, OPS, const void* al, const void* A, cudaDataType at, int lda, const void* B,
               cudaDataType bt, int ldb, const void* be, void* C, cudaDataType ct, int ldc, cublasComputeType_t cp,
               cublasGemmAlgo_t) {
  CHECK_HANDLE;
  cudaDataType st;
  bool tf;
  if (!combo(at, bt, ct, cp, &st, &tf)) {
    warn("cublasGemmEx: combination of types is not supported");
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  return gemm_strided(h, "cublasGemmEx", ta, tb, m, n, k, al, A, at, lda, 0, B, bt, ldb, 0, be, C, ct, ldc, 0, 1, st,
                      tf);
}
S cublasGemmStridedBatchedEx(cublasHandle_t h, OPS, const void* al, const void* A, cudaDataType at, int lda,
                             long long sa, const void* B, cudaDataType bt, int ldb, long long sb, const void* be,
                             void* C, cudaDataType ct, int ldc, long long sc, int batch, cublasComputeType_t cp,
                             cublasGemmAlgo_t) {
  CHECK_HANDLE;
  cudaDataType st;
  bool tf;
  if (!combo(at, bt, ct, cp, &st, &tf)) {
    warn("cublasGemmStridedBatchedEx: combination of types is not supported");
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  return gemm_strided(h, "cublasGemmStridedBatchedEx", ta, tb, m, n, k, al, A, at, lda, sa, B, bt, ldb, sb, be, C, ct,
                      ldc, sc, batch, st, tf);
}
S cublasGemmBatchedEx(cublasHandle_t h, OPS, const void* al, const void* const A[], cudaDataType at, int lda,
                      const void* const B[], cudaDataType bt, int ldb, const void* be, void* const C[], cudaDataType ct,
                      int ldc, int batch, cublasComputeType_t cp, cublasGemmAlgo_t) {
  CHECK_HANDLE;
  cudaDataType st;
  bool tf;
  if (!combo(at, bt, ct, cp, &st, &tf)) {
    warn("cublasGemmBatchedEx: combination of types is not supported");
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  return gemm_pointers(h, "cublasGemmBatchedEx", ta, tb, m, n, k, al, A, at, lda, B, bt, ldb, be, C, ct, ldc, batch, st,
                       tf);
}
S cublasSgemv_v2(cublasHandle_t h, cublasOperation_t t, int m, int n, const float* al, const float* A, int lda,
                 const float* x, int ix, const float* be, float* y, int iy) {
  CHECK_HANDLE;
  if (m < 0 || n < 0 || lda < std::max(1, m) || !ix || !iy || !al || !be) return bad("cublasSgemv", "invalid argument");
  auto run = [=] {
    float a = scalar(h, al, CUDA_R_32F), b = scalar(h, be, CUDA_R_32F);
    int nx = t ? m : n, ny = t ? n : m;
    if (!m || !n) return 0;
    auto* M = (float*)mem("cublasSgemv", "A", A, extent(m, n, lda, 4));
    auto *X = vec<float>("cublasSgemv", "x", x, nx, ix), *Y = vec<float>("cublasSgemv", "y", y, ny, iy);
    if (!M || !X || !Y) return 13;
    for (int i = 0; i < ny; i++) {
      float s = 0;
      for (int j = 0; j < nx; j++) s += (t ? M[j + (size_t)i * lda] : M[i + (size_t)j * lda]) * el(X, nx, ix, j);
      float& r = el(Y, ny, iy, i);
      r = a * s + (b == 0 ? 0.f : b * r);
    }
    return 0;
  };
  return done(submit(h->stream, run));
}
S cublasSger_v2(cublasHandle_t h, int m, int n, const float* al, const float* x, int ix, const float* y, int iy,
                float* A, int lda) {
  CHECK_HANDLE;
  if (m < 0 || n < 0 || lda < std::max(1, m) || !ix || !iy || !al) return bad("cublasSger", "invalid argument");
  float a = scalar(h, al, CUDA_R_32F);
  return done(submit(h->stream, [=] {
    if (!m || !n) return 0;
    auto* M = (float*)mem("cublasSger", "A", A, extent(m, n, lda, 4));
    auto *X = vec<float>("cublasSger", "x", x, m, ix), *Y = vec<float>("cublasSger", "y", y, n, iy);
    if (!M || !X || !Y) return 13;
    for (int j = 0; j < n; j++)
      for (int i = 0; i < m; i++) M[i + (size_t)j * lda] += a * el(X, m, ix, i) * el(Y, n, iy, j);
    return 0;
  }));
}

// level 1: F gets the storage of x and y
}  // extern "C"
template <class T, class F>
static S level1(cublasHandle_t h, const char* name, bool ok, int n, const T* x, int ix, const T* y, int iy, F body) {
  CHECK_HANDLE;
  if (!ok) return bad(name, "invalid argument");
  return done(submit(h->stream, [=] {
    T *X = nullptr, *Y = nullptr;
    if (n > 0) {
      X = vec<T>(name, "x", x, n, ix);
      if (!X) return 13;
      if (iy) {
        Y = vec<T>(name, "y", y, n, iy);
        if (!Y) return 13;
      }
    }
    return (int)body(X, Y);
  }));
}
extern "C" {
S cublasSaxpy_v2(cublasHandle_t h, int n, const float* al, const float* x, int ix, float* y, int iy) {
  return level1(h, "cublasSaxpy", al && iy, n, x, ix, y, iy, [=](float* X, float* Y) {
    if (n > 0) {
      float a = scalar(h, al, CUDA_R_32F);
      for (int i = 0; i < n; i++) el(Y, n, iy, i) += a * el(X, n, ix, i);
    }
    return 0;
  });
}
S cublasDaxpy_v2(cublasHandle_t h, int n, const double* al, const double* x, int ix, double* y, int iy) {
  return level1(h, "cublasDaxpy", al && iy, n, x, ix, y, iy, [=](double* X, double* Y) {
    if (n > 0) {
      double a = scalar(h, al, CUDA_R_64F);
      for (int i = 0; i < n; i++) el(Y, n, iy, i) += a * el(X, n, ix, i);
    }
    return 0;
  });
}
S cublasSscal_v2(cublasHandle_t h, int n, const float* al, float* x, int ix) {
  return level1(h, "cublasSscal", al && ix > 0, n, x, ix, x, 0, [=](float* X, float*) {
    if (n > 0) {
      float a = scalar(h, al, CUDA_R_32F);
      for (int i = 0; i < n; i++) X[(size_t)i * ix] *= a;
    }
    return 0;
  });
}
S cublasScopy_v2(cublasHandle_t h, int n, const float* x, int ix, float* y, int iy) {
  return level1(h, "cublasScopy", iy, n, x, ix, y, iy, [=](float* X, float* Y) {
    for (int i = 0; i < n; i++) el(Y, n, iy, i) = el(X, n, ix, i);
    return 0;
  });
}
S cublasSswap_v2(cublasHandle_t h, int n, float* x, int ix, float* y, int iy) {
  return level1(h, "cublasSswap", iy, n, x, ix, y, iy, [=](float* X, float* Y) {
    for (int i = 0; i < n; i++) std::swap(el(Y, n, iy, i), el(X, n, ix, i));
    return 0;
  });
}
S cublasSdot_v2(cublasHandle_t h, int n, const float* x, int ix, const float* y, int iy, float* r) {
  return level1(h, "cublasSdot", r && iy, n, x, ix, y, iy, [=](float* X, float* Y) {
    double s = 0;
    for (int i = 0; i < n; i++) s += (double)el(X, n, ix, i) * el(Y, n, iy, i);
    return result<float>(h, "cublasSdot", r, (float)s);
  });
}
S cublasDdot_v2(cublasHandle_t h, int n, const double* x, int ix, const double* y, int iy, double* r) {
  return level1(h, "cublasDdot", r && iy, n, x, ix, y, iy, [=](double* X, double* Y) {
    double s = 0;
    for (int i = 0; i < n; i++) s += el(X, n, ix, i) * el(Y, n, iy, i);
    return result<double>(h, "cublasDdot", r, s);
  });
}
S cublasSnrm2_v2(cublasHandle_t h, int n, const float* x, int ix, float* r) {
  return level1(h, "cublasSnrm2", r, n, x, ix, x, 0, [=](float* X, float*) {
    double s = 0;
    for (int i = 0; i < n; i++) s += (double)el(X, n, ix, i) * el(X, n, ix, i);
    return result<float>(h, "cublasSnrm2", r, (float)std::sqrt(s));
  });
}
S cublasSasum_v2(cublasHandle_t h, int n, const float* x, int ix, float* r) {
  return level1(h, "cublasSasum", r, n, x, ix, x, 0, [=](float* X, float*) {
    double s = 0;
    for (int i = 0; i < n; i++) s += std::fabs(el(X, n, ix, i));
    return result<float>(h, "cublasSasum", r, (float)s);
  });
}
static S extreme(cublasHandle_t h, const char* name, int n, const float* x, int ix, int* r,
                 bool mx) {  // 1-based index, 0 for an empty vector
  return level1(h, name, r, n, x, ix, x, 0, [=](float* X, float*) {
    int best = 0;
    float v = 0;
    for (int i = 0; i < n; i++) {
      float a = std::fabs(el(X, n, ix, i));
      if (!best || (mx ? a > v : a < v)) {
        v = a;
        best = i + 1;
      }
    }
    return result<int>(h, name, r, best);
  });
}
S cublasIsamax_v2(cublasHandle_t h, int n, const float* x, int ix, int* r) {
  return extreme(h, "cublasIsamax", n, x, ix, r, true);
}
S cublasIsamin_v2(cublasHandle_t h, int n, const float* x, int ix, int* r) {
  return extreme(h, "cublasIsamin", n, x, ix, r, false);
}
S cublasSgeam(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, int m, int n, const float* al,
              const float* A, int lda, const float* be, const float* B, int ldb, float* C, int ldc) {
  CHECK_HANDLE;
  if (m < 0 || n < 0 || !al || !be || lda < std::max(1, ta ? n : m) || ldb < std::max(1, tb ? n : m) ||
      ldc < std::max(1, m))
    return bad("cublasSgeam", "invalid argument");
  return done(submit(h->stream, [=] {
    if (!m || !n) return 0;
    float a = scalar(h, al, CUDA_R_32F), b = scalar(h, be, CUDA_R_32F);
    const float *X = nullptr, *Y = nullptr;
    if (a != 0 && !(X = (float*)mem("cublasSgeam", "A", A, extent(ta ? n : m, ta ? m : n, lda, 4)))) return 13;
    if (b != 0 && !(Y = (float*)mem("cublasSgeam", "B", B, extent(tb ? n : m, tb ? m : n, ldb, 4)))) return 13;
    float* Z = (float*)mem("cublasSgeam", "C", C, extent(m, n, ldc, 4));
    if (!Z) return 13;
    std::vector<float> r((size_t)m * n);
    for (int j = 0; j < n; j++)
      for (int i = 0; i < m; i++)
        r[i + (size_t)j * m] = (X ? a * X[ta ? j + (size_t)i * lda : i + (size_t)j * lda] : 0) +
                               (Y ? b * Y[tb ? j + (size_t)i * ldb : i + (size_t)j * ldb] : 0);
    for (int j = 0; j < n; j++) memcpy(Z + (size_t)j * ldc, r.data() + (size_t)j * m, m * 4ull);
    return 0;
  }));
}
S cublasSdgmm(cublasHandle_t h, cublasSideMode_t side, int m, int n, const float* A, int lda, const float* x, int ix,
              float* C, int ldc) {
  CHECK_HANDLE;
  if (m < 0 || n < 0 || lda < std::max(1, m) || ldc < std::max(1, m)) return bad("cublasSdgmm", "invalid argument");
  return done(submit(h->stream, [=] {
    if (!m || !n) return 0;
    int len = side == CUBLAS_SIDE_LEFT ? m : n;
    auto *X = (float*)mem("cublasSdgmm", "A", A, extent(m, n, lda, 4)), *V = vec<float>("cublasSdgmm", "x", x, len, ix),
         *Z = (float*)mem("cublasSdgmm", "C", C, extent(m, n, ldc, 4));
    if (!X || !V || !Z) return 13;
    for (int j = 0; j < n; j++)
      for (int i = 0; i < m; i++)
        Z[i + (size_t)j * ldc] = X[i + (size_t)j * lda] * el(V, len, ix, side == CUBLAS_SIDE_LEFT ? i : j);
    return 0;
  }));
}
S cublasSetVector(int n, int w, const void* h, int ih, void* d, int id) {
  return cudaMemcpy2D(d, (size_t)id * w, h, (size_t)ih * w, w, n, cudaMemcpyHostToDevice) ? CUBLAS_STATUS_MAPPING_ERROR
                                                                                          : CUBLAS_STATUS_SUCCESS;
}
S cublasGetVector(int n, int w, const void* d, int id, void* h, int ih) {
  return cudaMemcpy2D(h, (size_t)ih * w, d, (size_t)id * w, w, n, cudaMemcpyDeviceToHost) ? CUBLAS_STATUS_MAPPING_ERROR
                                                                                          : CUBLAS_STATUS_SUCCESS;
}
S cublasSetMatrix(int r, int c, int w, const void* A, int lda, void* B, int ldb) {
  return cudaMemcpy2D(B, (size_t)ldb * w, A, (size_t)lda * w, (size_t)r * w, c, cudaMemcpyHostToDevice)
             ? CUBLAS_STATUS_MAPPING_ERROR
             : CUBLAS_STATUS_SUCCESS;
}
S cublasGetMatrix(int r, int c, int w, const void* A, int lda, void* B, int ldb) {
  return cudaMemcpy2D(B, (size_t)ldb * w, A, (size_t)lda * w, (size_t)r * w, c, cudaMemcpyDeviceToHost)
             ? CUBLAS_STATUS_MAPPING_ERROR
             : CUBLAS_STATUS_SUCCESS;
}
}
