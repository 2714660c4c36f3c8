// .npy files, as NumPy writes and reads them: `numpy.load` of what we write, and `read_npy` of what `numpy.save` wrote.
//
// Layout: "\x93NUMPY", major and minor version, header length n (2 bytes in version 1, else 4; little-endian), n bytes
// of a Python dictionary {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }, then the elements.
// Source: the format description of NumPy (numpy.lib.format).
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "mor1e/core/tensor.hpp"
#include "mor1e/io/convert.hpp"
#include "mor1e/io/memory_map.hpp"

namespace mor1e::io {

/// A mapped .npy file of version 1, 2 or 3: one array of bool, integers or floats (float16 to float64), little-endian,
/// of at most four axes. Everything is checked when it is opened, and nothing is allocated by a size the file claims.
class npy_file {
 public:
  /// Throws `io_error` naming file, field and numbers.
  explicit npy_file(const std::filesystem::path& path);

  dtype type() const { return type_; }
  const shape& extents() const { return extents_; }
  /// Whether the elements stand with the first index running fastest.
  bool fortran_order() const { return fortran_order_; }

  /// The array row by row, however it is stored; conversions and errors as `convert_elements`.
  template <class T>
  tensor<T> read() const {
    tensor<T> out(extents_);
    convert_elements(type_, map_.bytes().data() + data_, extents_.size(), out.data(), map_.path().string());
    return fortran_order_ ? row_by_row(out) : std::move(out);
  }

 private:
  template <class T>
  tensor<T> row_by_row(const tensor<T>& columns) const {
    tensor<T> out(extents_);
    for (index_t i = 0; i < out.size(); ++i) {
      index_t from = 0, step = out.size(), rest = i;
      for (int axis = extents_.rank() - 1; axis >= 0; --axis) {
        step /= extents_[axis];
        from += rest % extents_[axis] * step;
        rest /= extents_[axis];
      }
      out[i] = columns[from];
    }
    return out;
  }

  memory_map map_;
  dtype type_ = dtype::f32;
  shape extents_;
  bool fortran_order_ = false;
  std::size_t data_ = 0;  // where the elements begin
};

/// The array of a .npy file. Throws `io_error` as `npy_file`, and as `convert_elements` if it does not fit T.
template <class T>
tensor<T> read_npy(const std::filesystem::path& path) {
  return npy_file(path).read<T>();
}

namespace detail {
/// `row_bytes` every `stride_bytes` from `data` on, `rows` times.
void write_npy(const std::filesystem::path& path, dtype type, const shape& extents, const void* data, index_t rows,
               std::size_t row_bytes, std::size_t stride_bytes);
}  // namespace detail

/// Replaces the file by the view as an array [rows, cols], atomically. Throws `io_error` if it cannot be written.
template <class T>
void write_npy(const std::filesystem::path& path, view<T> values) {
  detail::write_npy(path, dtype_of<std::remove_const_t<T>>, {values.rows, values.cols}, values.data, values.rows,
                    std::size_t(values.cols) * sizeof(T), std::size_t(values.stride) * sizeof(T));
}
/// The same of a tensor, with its shape. A default-constructed tensor is an array [0].
template <class T>
void write_npy(const std::filesystem::path& path, const tensor<T>& values) {
  const std::size_t bytes = std::size_t(values.size()) * sizeof(T);
  detail::write_npy(path, dtype_of<T>, values.data() ? values.extents() : shape{0}, values.data(), 1, bytes, bytes);
}

}  // namespace mor1e::io

#ifndef MOR1E_COMPILED
#include "mor1e/io/npy.ipp"
#endif
