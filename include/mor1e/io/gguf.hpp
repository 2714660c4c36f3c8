// GGUF files (version 2 and 3): metadata and tensors, read through a mapping.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mor1e/io/ggml_type.hpp"
#include "mor1e/io/memory_map.hpp"

namespace mor1e::io {

class gguf_cursor;

/// Where one tensor stands in its file. `extents` is [rows, columns], the reverse of the order in the file.
struct gguf_tensor {
  std::string name;
  ggml_type type;
  shape extents;
  std::size_t offset;  // from the beginning of the file
  std::size_t bytes;
};

/// A mapped GGUF file. Opening walks the whole header, so that every count, length and offset in it is known to lie
/// inside the file; metadata values are decoded when asked for, so that a vocabulary costs nothing until then.
class gguf_file {
 public:
  /// Throws `io_error` naming file, what was being read, and byte numbers.
  explicit gguf_file(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return map_.path(); }
  std::uint32_t version() const { return version_; }

  /// Metadata keys, sorted.
  std::vector<std::string> keys() const;
  bool contains(std::string_view key) const { return values_.find(key) != values_.end(); }

  /// One metadata value. Each throws `io_error` naming file and key if the key is missing or its value of another kind;
  /// `integer` takes any width and sign that fits int64, `number` any integer or float.
  std::string string(std::string_view key) const;
  std::int64_t integer(std::string_view key) const;
  double number(std::string_view key) const;
  bool boolean(std::string_view key) const;
  /// Array values; errors as above.
  std::vector<std::string> strings(std::string_view key) const;
  std::vector<std::int64_t> integers(std::string_view key) const;
  std::vector<double> numbers(std::string_view key) const;

  /// All tensors, in the order of the file.
  std::span<const gguf_tensor> tensors() const& { return tensors_; }
  std::span<const gguf_tensor> tensors() && = delete;  // would dangle in `for (... : gguf_file(path).tensors())`
  /// The tensor of that name, or nullptr.
  const gguf_tensor* find(std::string_view name) const;
  /// The tensor of that name. Throws `io_error` naming file and tensor.
  const gguf_tensor& at(std::string_view name) const;

  /// The stored blocks, inside the mapping.
  std::span<const std::byte> bytes(const gguf_tensor& tensor) const {
    return map_.bytes().subspan(tensor.offset, tensor.bytes);
  }
  /// See `memory_map::drop`.
  void drop(const gguf_tensor& tensor) const { map_.drop(tensor.offset, tensor.bytes); }

 private:
  /// A metadata value where it stands: `kind` of the value, and for an array the kind and number of its elements.
  struct value {
    std::uint32_t kind, element;
    std::uint64_t count;
    std::size_t offset;
  };
  void read_metadata(std::uint64_t count, gguf_cursor& cursor);
  void read_tensors(std::uint64_t count, gguf_cursor& cursor);
  void place_tensors(std::size_t header_end);
  const value& at_key(std::string_view key) const;
  [[noreturn]] void wrong_kind(std::string_view key, const value& found, const char* wanted) const;

  memory_map map_;
  std::uint32_t version_ = 0;
  std::map<std::string, value, std::less<>> values_;
  std::vector<gguf_tensor> tensors_;
  std::map<std::string, std::size_t, std::less<>> by_name_;
};

}  // namespace mor1e::io

#ifndef MOR1E_COMPILED
#include "mor1e/io/gguf.ipp"
#endif
