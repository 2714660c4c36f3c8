// Eigen and our tensors on the same memory.
//
//     interop::as_eigen(y).noalias() = interop::as_eigen(x) * interop::as_eigen(w).transpose();   // no copy
//     const tensor<float> z = interop::to_tensor(interop::as_eigen(x).rowwise().norm());          // one copy
#pragma once

#include <type_traits>

// GCC 12 sees uninitialised registers in AVX-512 intrinsics that Eigen inlines.
#pragma GCC diagnostic push
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <Eigen/Core>
#pragma GCC diagnostic pop

#include "mor1e/core/tensor.hpp"

namespace mor1e::interop {

/// A row-major Eigen matrix over the memory of a view, with the view's distance from row to row. T is const for a
/// read-only view.
template <class T>
using eigen_map = Eigen::Map<
    std::conditional_t<std::is_const_v<T>,
                       const Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>,
                       Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>,
    Eigen::Unaligned, Eigen::OuterStride<>>;

/// The view [rows, cols] as an Eigen matrix of that size, on the same memory.
template <class T>
eigen_map<T> as_eigen(view<T> values) {
  return eigen_map<T>(values.data, values.rows, values.cols, Eigen::OuterStride<>(values.stride));
}
/// A tensor as its matrix [product of the leading extents, last extent]: a vector [n] is one row.
template <class T>
eigen_map<T> as_eigen(tensor<T>& values) {
  return as_eigen(values.matrix());
}
template <class T>
eigen_map<const T> as_eigen(const tensor<T>& values) {
  return as_eigen(values.matrix());
}
template <class T>
void as_eigen(const tensor<T>&&) = delete;  // would dangle

/// A matrix of Eigen as a view on the same memory: a row-major one [rows, cols], or a vector of n as [1, n].
/// Column-major ones, and those whose elements are not adjacent, have no such view and do not compile: `to_tensor`
/// copies them. A block or a map may be a temporary, a matrix that owns its memory may not.
template <class Derived>
auto as_view(Derived&& values) {
  using matrix = std::remove_cvref_t<Derived>;
  static_assert(std::is_lvalue_reference_v<Derived> || !std::is_base_of_v<Eigen::PlainObjectBase<matrix>, matrix>,
                "the view of a temporary matrix would dangle");
  static_assert(matrix::IsVectorAtCompileTime || matrix::IsRowMajor, "a view is row-major: use to_tensor");
  static_assert(matrix::InnerStrideAtCompileTime == 1, "the elements of a row have to be adjacent: use to_tensor");
  using element = std::remove_pointer_t<decltype(values.data())>;
  if constexpr (matrix::IsVectorAtCompileTime)
    return view<element>(values.data(), 1, values.size());
  else
    return view<element>(values.data(), values.rows(), values.cols(), values.outerStride());
}

/// Evaluates an expression of Eigen into a tensor of its own: [rows, cols], or [n] of what is a vector by its type.
template <class Derived>
tensor<typename Derived::Scalar> to_tensor(const Eigen::DenseBase<Derived>& expression) {
  tensor<typename Derived::Scalar> out(Derived::IsVectorAtCompileTime ? shape{expression.size()}
                                                                      : shape{expression.rows(), expression.cols()});
  Eigen::Map<Eigen::Array<typename Derived::Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> to(
      out.data(), expression.rows(), expression.cols());
  to = expression.derived().array();
  return out;
}

}  // namespace mor1e::interop
