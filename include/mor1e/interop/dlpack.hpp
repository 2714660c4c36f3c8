// Tensors handed to and taken from other libraries by DLPack, without a copy. Needs dlpack.h (Debian: libdlpack-dev).
//
//     DLManagedTensor* out = interop::to_dlpack(std::move(x)).release();         // what a PyCapsule "dltensor" holds
//     const interop::dlpack_array in(capsule_content);                          // gives it back at the end
//     const view<float> rows = interop::dlpack_view<float>(in->dl_tensor);       // the same memory
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <dlpack/dlpack.h>

#include "mor1e/core/tensor.hpp"

namespace mor1e::interop {

namespace detail {

struct dlpack_deleter {
  void operator()(DLManagedTensor* array) const {
    if (array->deleter) array->deleter(array);
  }
};

template <class T>
constexpr DLDataType dlpack_type() {
  static_assert(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>, "DLPack has integers and floats");
  const auto code = std::is_floating_point_v<T> ? kDLFloat : std::is_signed_v<T> ? kDLInt : kDLUInt;
  return {std::uint8_t(code), std::uint8_t(8 * sizeof(T)), 1};
}

/// A tensor with what DLPack points into.
template <class T>
struct dlpack_owner {
  tensor<T> values;
  std::array<std::int64_t, shape::max_rank> extents, strides;  // in elements
  DLManagedTensor managed;
};

/// An array whose device, element type, rank and memory were checked.
template <class T>
struct dlpack_layout {
  T* data;
  shape extents;
  std::array<index_t, shape::max_rank> strides;
};

inline std::string spelled(DLDataType type) {
  constexpr std::array names{"int", "uint", "float", "opaque", "bfloat", "complex"};
  const std::string name = type.code < names.size() ? names[type.code] : text("type ", +type.code, " of ");
  return text(name, +type.bits, type.lanes == 1 ? "" : text(" x ", type.lanes));
}

template <class T>
dlpack_layout<T> checked(const DLTensor& array) {
  require<value_error>(array.device.device_type == kDLCPU, "dlpack: the array is on a device of type ",
                       int(array.device.device_type), ", not in host memory (type ", int(kDLCPU), ")");
  constexpr DLDataType wanted = dlpack_type<std::remove_const_t<T>>();
  require<value_error>(
      array.dtype.code == wanted.code && array.dtype.bits == wanted.bits && array.dtype.lanes == wanted.lanes,
      "dlpack: the elements are ", spelled(array.dtype), ", not ", spelled(wanted));
  require<shape_error>(0 <= array.ndim && array.ndim <= shape::max_rank, "dlpack: rank ", array.ndim, " exceeds ",
                       shape::max_rank);
  dlpack_layout<T> out{};
  for (int axis = 0; axis < array.ndim; ++axis) out.extents.append(array.shape[axis]);
  index_t compact = 1;
  for (int axis = array.ndim - 1; axis >= 0; --axis) {
    out.strides[std::size_t(axis)] = array.strides ? array.strides[axis] : compact;
    compact *= out.extents[axis];
  }
  if (out.extents.size() == 0) return out;
  require<value_error>(array.data != nullptr, "dlpack: an array ", out.extents, " without memory");
  auto* const bytes = static_cast<std::byte*>(array.data) + array.byte_offset;
  require<value_error>(reinterpret_cast<std::uintptr_t>(bytes) % alignof(T) == 0, "dlpack: the elements, ",
                       spelled(wanted), ", are not aligned to ", alignof(T), " bytes");
  out.data = reinterpret_cast<T*>(bytes);
  return out;
}

/// The array as the matrix of its last axis, if its memory is one: elements of a row adjacent, rows evenly apart.
template <class T>
std::optional<view<T>> as_matrix(const dlpack_layout<T>& array) {
  const shape& extents = array.extents;
  view<T> out(array.data, extents.rows(), extents.cols());
  if (out.size() == 0) return out;
  if (extents.cols() > 1 && array.strides[std::size_t(extents.rank() - 1)] != 1) return std::nullopt;
  index_t rows = 1;
  for (int axis = extents.rank() - 2; axis >= 0; --axis) {
    if (extents[axis] == 1) continue;
    const index_t stride = array.strides[std::size_t(axis)];
    if (rows == 1) out.stride = stride;
    if (out.stride < out.cols || stride != rows * out.stride) return std::nullopt;
    rows *= extents[axis];
  }
  return out;
}

}  // namespace detail

/// An array in DLPack's protocol, given back by its own deleter. `release()` hands it on to who will do that.
using dlpack_array = std::unique_ptr<DLManagedTensor, detail::dlpack_deleter>;

/// Hands over a tensor with its memory: the array owns both until its deleter is called, by whomever and on whatever
/// thread. `x.clone()` keeps one's own. Throws `value_error` for a tensor without memory.
template <class T>
dlpack_array to_dlpack(tensor<T> values) {
  require<value_error>(values.data() != nullptr, "to_dlpack: the tensor has no memory");
  auto owner = std::make_unique<detail::dlpack_owner<T>>();
  owner->values = std::move(values);
  const shape& extents = owner->values.extents();
  index_t compact = 1;
  for (int axis = extents.rank() - 1; axis >= 0; --axis) {
    owner->extents[std::size_t(axis)] = extents[axis];
    owner->strides[std::size_t(axis)] = compact;
    compact *= extents[axis];
  }
  DLTensor& array = owner->managed.dl_tensor;
  array.data = owner->values.empty() ? nullptr : owner->values.data();  // as the protocol asks of an empty array
  array.device = {kDLCPU, 0};
  array.ndim = extents.rank();
  array.dtype = detail::dlpack_type<T>();
  array.shape = owner->extents.data();
  array.strides = owner->strides.data();
  array.byte_offset = 0;
  owner->managed.manager_ctx = owner.get();
  owner->managed.deleter = [](DLManagedTensor* self) {
    delete static_cast<detail::dlpack_owner<T>*>(self->manager_ctx);
  };
  return dlpack_array(&owner.release()->managed);
}

/// The memory of an array as a matrix [product of the leading extents, last extent]; valid as long as the array is. T
/// may be const. Throws `value_error` for another device than the CPU or another element type than T, `shape_error` for
/// more than four axes and for strides that are not those of such a matrix: `from_dlpack` copies these.
template <class T>
view<T> dlpack_view(const DLTensor& array) {
  const auto layout = detail::checked<T>(array);
  const std::optional<view<T>> rows = detail::as_matrix(layout);
  if (rows) return *rows;
  std::string strides;
  for (int axis = 0; axis < layout.extents.rank(); ++axis)
    strides += text(axis ? ", " : "", layout.strides[std::size_t(axis)]);
  throw shape_error(text("dlpack: an array ", layout.extents, " of strides [", strides,
                         "] is no matrix of adjacent elements; from_dlpack copies it"));
}

/// A copy of an array of any strides. Throws as `dlpack_view`, but for strides.
template <class T>
tensor<T> from_dlpack(const DLTensor& array) {
  const auto layout = detail::checked<const T>(array);
  tensor<T> out(layout.extents);
  if (const auto rows = detail::as_matrix(layout)) {
    for (index_t i = 0; i < rows->rows; ++i) std::copy_n(rows->row(i), rows->cols, out.matrix().row(i));
    return out;
  }
  for (index_t i = 0; i < out.size(); ++i) {
    index_t from = 0, rest = i;
    for (int axis = layout.extents.rank() - 1; axis >= 0; --axis) {
      from += rest % layout.extents[axis] * layout.strides[std::size_t(axis)];
      rest /= layout.extents[axis];
    }
    out[i] = layout.data[from];
  }
  return out;
}

}  // namespace mor1e::interop
