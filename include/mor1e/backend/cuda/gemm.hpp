// Matrix products by cuBLAS.
#pragma once

#include <limits>

#include "mor1e/backend/cuda/elementwise.hpp"
#include "mor1e/backend/transpose.hpp"

namespace mor1e::backend {

namespace detail {

template <class T>
inline constexpr cudaDataType blas_type = std::is_same_v<T, double> ? CUDA_R_64F : CUDA_R_32F;

/// A length or stride as cuBLAS takes it.
inline int blas_int(index_t n) {
  require<shape_error>(n <= std::numeric_limits<int>::max(), "gemm: cuBLAS counts to 2^31, not to ", n);
  return int(n);
}
/// The distance of rows: that of a single row may be anything.
template <class T>
int blas_stride(device_view<T> x) {
  return blas_int(std::max({x.stride, x.cols, index_t(1)}));
}
inline cublasOperation_t blas_operation(transpose t) { return t == transpose::no ? CUBLAS_OP_N : CUBLAS_OP_T; }

/// c_i = alpha op(a_i) op(b_i) + beta c_i for blocks of `a_rows`, `b_rows` and c_rows rows. cuBLAS counts columns
/// first, so it is asked for c^T = op(b)^T op(a)^T.
template <class A, class T>
void blas_gemm(cuda& device, cublasComputeType_t compute, cudaDataType operands, index_t batches, transpose ta,
               transpose tb, T alpha, device_view<const A> a, device_view<const A> b, T beta, device_view<T> c) {
  if (batches == 0 || c.size() == 0) return;
  const index_t a_rows = a.rows / batches, b_rows = b.rows / batches, c_rows = c.rows / batches;
  const index_t inner = ta == transpose::no ? a.cols : a_rows;
  if (inner == 0) return rescale(device, beta, c);
  MOR1E_CUDA_CHECK(cublasGemmStridedBatchedEx(device.blas(), blas_operation(tb), blas_operation(ta), blas_int(c.cols),
                                              blas_int(c_rows), blas_int(inner), &alpha, b.address(), operands,
                                              blas_stride(b), b_rows * b.stride, a.address(), operands, blas_stride(a),
                                              a_rows * a.stride, &beta, c.address(), blas_type<T>, blas_stride(c),
                                              c_rows * c.stride, blas_int(batches), compute, CUBLAS_GEMM_DEFAULT));
}

/// How products of two matrices of T are computed.
template <class T>
cublasComputeType_t blas_compute(const cuda& device) {
  if (std::is_same_v<T, double>) return CUBLAS_COMPUTE_64F;
  return device.options().products == cuda_products::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

}  // namespace detail

/// c_i = alpha op(a_i) op(b_i) + beta c_i for the blocks i that the rows of a, b and c are cut into
template <class T>
void batched_gemm(cuda& device, index_t batches, transpose ta, transpose tb, T alpha, device_view<const T> a,
                  device_view<const T> b, T beta, device_view<T> c) {
  detail::blas_gemm(device, detail::blas_compute<T>(device), detail::blas_type<T>, batches, ta, tb, alpha, a, b, beta,
                    c);
}

/// c = alpha op(a) op(b) + beta c. T: float or double.
template <class T>
void gemm(cuda& device, transpose ta, transpose tb, T alpha, device_view<const T> a, device_view<const T> b, T beta,
          device_view<T> c) {
  batched_gemm(device, 1, ta, tb, alpha, a, b, beta, c);
}

}  // namespace mor1e::backend
