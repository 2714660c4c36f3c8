// Weights that training leaves alone, as the device keeps them.
#pragma once

#include <cuda_bf16.h>
#include <type_traits>

#include "mor1e/backend/array.hpp"
#include "mor1e/backend/cuda/gemm.hpp"
#include "mor1e/backend/cuda/rows.hpp"
#include "mor1e/backend/operand_rounding.hpp"

namespace mor1e::backend {

/// bf16 as kernels and cuBLAS know it.
using bfloat16 = __nv_bfloat16;

// Defined in kernels/frozen.cuh.
namespace kernels {
/// y = x, rounded to the nearest, or widened
template <class From, class To>
void convert(launch_target, device_view<const From> x, device_view<To> y);
}  // namespace kernels

/// A frozen weight [outputs, inputs] of T in the memory of the device; of floats, as bf16 if the device was made with
/// `cuda_products::bf16`.
template <class T>
class cuda_frozen {
 public:
  cuda_frozen() = default;
  cuda_frozen(cuda& device, const tensor<T>& values) : cuda_frozen(device, values.matrix(), nullptr) {}
  /// Copies the values; `keep` need not live on.
  cuda_frozen(cuda& device, mor1e::view<const T> values, const std::shared_ptr<const void>&)
      : rows_(values.rows), cols_(values.cols) {
    if (std::is_same_v<T, float> && device.options().products == cuda_products::bf16) {
      narrow_ = array<cuda, bfloat16>(device, shape{rows_, cols_});
      write_narrow(device, values);
    } else {
      values_ = array<cuda, T>(device, shape{rows_, cols_});
      for (index_t i = 0; i < rows_; i += values.contiguous() ? rows_ : 1)
        values_.write(i * cols_, values.row_range(i, values.contiguous() ? rows_ : 1));
    }
  }

  index_t rows() const { return rows_; }
  index_t cols() const { return cols_; }
  bool is_narrow() const { return narrow_.size() > 0; }
  device_view<const T> values() const { return values_.matrix(); }
  device_view<const bfloat16> narrow_values() const { return narrow_.matrix(); }
  /// Bytes in the memory of the device.
  std::size_t owned_bytes() const { return std::size_t(values_.size()) * sizeof(T) + std::size_t(narrow_.size()) * 2; }

 private:
  /// Rounds on the device, some rows at a time so that the wide values never lie there as a whole.
  void write_narrow(cuda& device, mor1e::view<const T> values) {
    if constexpr (std::is_same_v<T, float>) {
      if (values.size() == 0) return;
      const index_t at_once = std::clamp<index_t>((index_t(1) << 22) / cols_, 1, rows_);
      const cuda_scratch<T> wide(device, at_once, cols_);
      for (index_t first = 0; first < rows_; first += at_once) {
        const index_t n = std::min(at_once, rows_ - first);
        const device_view<T> part = wide.view().row_range(0, n);
        for (index_t i = 0; i < n; i += values.contiguous() ? n : 1)
          device.upload(part.address() + i * cols_, values.row(first + i),
                        std::size_t((values.contiguous() ? n : 1) * cols_) * sizeof(T));
        kernels::convert<T, bfloat16>(device.target(), part, narrow_.matrix().row_range(first, n));
      }
    }
  }

  index_t rows_ = 0, cols_ = 0;
  array<cuda, T> values_;
  array<cuda, bfloat16> narrow_;
};

// Defined in kernels/frozen.cuh; S is what the weight is stored as.
namespace kernels {
template <class S, class T>
void row_squares(launch_target, device_view<const S> w, device_view<T> y);
}  // namespace kernels

/// A copy of a frozen weight [outputs, inputs].
template <class T>
tensor<T> read_frozen(cuda& device, const cuda_frozen<T>& w) {
  tensor<T> out(shape{w.rows(), w.cols()});
  if (out.size() == 0) return out;
  if constexpr (std::is_same_v<T, float>)
    if (w.is_narrow()) {
      const cuda_scratch<T> wide(device, w.rows(), w.cols());
      kernels::convert<bfloat16, T>(device.target(), w.narrow_values(), wide.view());
      device.download(out.data(), wide.view().address(), std::size_t(out.size()) * sizeof(T));
      return out;
    }
  device.download(out.data(), w.values().address(), std::size_t(out.size()) * sizeof(T));
  return out;
}

/// y_i = sum_j w_ij^2, added in double                                                w [outputs, inputs] -> y [1,
/// outputs]
template <class T>
void row_squares(cuda& device, const cuda_frozen<T>& w, device_view<T> y) {
  if constexpr (std::is_same_v<T, float>)
    if (w.is_narrow()) return kernels::row_squares<bfloat16, T>(device.target(), w.narrow_values(), y);
  kernels::row_squares<T, T>(device.target(), w.values(), y);
}

/// y_i = alpha w_index[i]; a negative index gives a row of zeros, one past the end a row of NaN.
template <class T>
void frozen_gather(cuda& device, T alpha, const cuda_frozen<T>& table, device_view<const std::int32_t> index,
                   device_view<T> y) {
  if constexpr (std::is_same_v<T, float>)
    if (table.is_narrow())
      return kernels::gather_rows<bfloat16, T>(device.target(), alpha, table.narrow_values(), index, y);
  kernels::gather_rows<T, T>(device.target(), alpha, table.values(), index, y);
}

/// y = x op(W) + beta y for a frozen W [out, in]; `yes` reads it transposed: y = x W^T. With bf16 weights x is rounded
/// to bf16 as well, and summed in fp32, whether that is allowed or not: there is no other copy of them.
template <class T>
void frozen_gemm(cuda& device, transpose tw, device_view<const T> x, const cuda_frozen<T>& w, T beta, device_view<T> y,
                 operand_rounding = operand_rounding::allowed) {
  if constexpr (std::is_same_v<T, float>)
    if (w.is_narrow()) {
      const cuda_scratch<bfloat16> narrow(device, x.rows, x.cols);
      kernels::convert<T, bfloat16>(device.target(), x, narrow.view());
      return detail::blas_gemm(device, CUBLAS_COMPUTE_32F, CUDA_R_16BF, 1, transpose::no, tw, T(1),
                               device_view<const bfloat16>(narrow.view()), w.narrow_values(), beta, y);
    }
  gemm(device, transpose::no, tw, T(1), x, w.values(), beta, y);
}

}  // namespace mor1e::backend

#ifdef __CUDACC__
#include "mor1e/kernels/frozen.cuh"
#endif
