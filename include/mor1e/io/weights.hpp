// The weights of a model, under Hugging Face names, wherever they are stored.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mor1e/core/row_source.hpp"
#include "mor1e/core/tensor.hpp"

namespace mor1e::io {

/// Named tensors of a model. All functions that take a name throw `io_error` naming the file and the tensor if it is
/// not there. Reading is const and may be done from several threads.
class weight_source {
 public:
  virtual ~weight_source() = default;

  virtual std::vector<std::string> names() const = 0;
  virtual bool contains(std::string_view name) const = 0;
  virtual shape extents(std::string_view name) const = 0;
  /// How it is stored: "F32", "BF16", "Q4_1", ...
  virtual std::string stored_type(std::string_view name) const = 0;

  /// Decodes the whole tensor into `out` [extents(name)]. Throws `io_error` also for a type that holds no floats or
  /// cannot be decoded.
  virtual void read(std::string_view name, float* out) const = 0;
  virtual void read(std::string_view name, double* out) const = 0;

  /// The tensor where it lies in the mapped file, if it is stored as aligned F32 in the order of `extents`; else
  /// nullptr. Lives as long as the source.
  virtual const float* mapped_f32(std::string_view name) const = 0;
  /// The rows of a matrix, decoded from where they lie in the mapped file, if that takes less memory than floats; else
  /// nullptr. Lives as long as the source. Throws `io_error` as `read`.
  virtual std::unique_ptr<row_source<float>> stored_rows(std::string_view) const { return nullptr; }
  /// The stored form is not needed for now: see `memory_map::drop`.
  virtual void drop(std::string_view name) const = 0;

  /// The whole tensor, decoded.
  template <class T>
  tensor<T> load(std::string_view name) const {
    tensor<T> out(extents(name));
    read(name, out.data());
    return out;
  }
};

}  // namespace mor1e::io
