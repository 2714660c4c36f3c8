// Failed calls of the CUDA runtime and of cuBLAS as exceptions.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime_api.h>

#include "mor1e/core/error.hpp"

namespace mor1e::backend::detail {

/// Throws a cuda_error with the expression and where it stands. No driver and no device are one plain line.
inline void check_cuda(cudaError_t status, const char* expression, const char* file, int line) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // one that does not stick must not be reported again by the next call
  if (status == cudaErrorInsufficientDriver || status == cudaErrorStubLibrary || status == cudaErrorNoDevice)
    throw cuda_error(text("no CUDA device: ", cudaGetErrorString(status)));
  throw cuda_error(text(expression, ": ", cudaGetErrorString(status), " (", file, ":", line, ")"));
}

inline void check_cuda(cublasStatus_t status, const char* expression, const char* file, int line) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw cuda_error(text(expression, ": ", cublasGetStatusString(status), " (", file, ":", line, ")"));
}

}  // namespace mor1e::backend::detail

/// Calls the runtime or cuBLAS; throws a mor1e::cuda_error if that fails.
#define MOR1E_CUDA_CHECK(expression) ::mor1e::backend::detail::check_cuda((expression), #expression, __FILE__, __LINE__)
