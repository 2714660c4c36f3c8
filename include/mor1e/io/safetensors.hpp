// safetensors files: read through a mapping, written atomically.
//
// Layout: 8 bytes header length n (little-endian), n bytes JSON
// {"__metadata__": {text: text}, "name": {"dtype", "shape", "data_offsets": [begin, end]}, ...}, then the data; offsets
// count from the end of the header. Source: the format description of the safetensors project.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mor1e/core/tensor.hpp"
#include "mor1e/io/convert.hpp"
#include "mor1e/io/memory_map.hpp"

namespace mor1e::io {

/// Where one tensor stands in its file.
struct safetensors_entry {
  std::string name;
  dtype type;
  shape extents;
  std::size_t offset;  // from the beginning of the file
  std::size_t bytes;
};

/// A mapped safetensors file. Everything is checked when it is opened, and nothing is allocated by a size the file
/// claims: the header must be JSON without duplicate names, every tensor of known dtype and rank <= 4, its offsets must
/// fit shape * element size, and the tensors must cover the data without overlap, gap or rest (as the format demands).
class safetensors_file {
 public:
  /// Throws `io_error` naming file, tensor and byte numbers.
  explicit safetensors_file(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return map_.path(); }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// All tensors, sorted by name.
  std::span<const safetensors_entry> entries() const& { return entries_; }
  std::span<const safetensors_entry> entries() && = delete;  // would dangle in a loop over a temporary file

  /// The tensor of that name, or nullptr.
  const safetensors_entry* find(std::string_view name) const;
  /// The tensor of that name. Throws `io_error` naming file and tensor.
  const safetensors_entry& at(std::string_view name) const;

  /// The stored bytes, inside the mapping; aligned only as far as the writer aligned them.
  std::span<const std::byte> bytes(const safetensors_entry& entry) const {
    return map_.bytes().subspan(entry.offset, entry.bytes);
  }
  /// See `memory_map::drop`.
  void drop(const safetensors_entry& entry) const { map_.drop(entry.offset, entry.bytes); }

  /// Decodes a tensor into `out` [extents]; conversions and errors as `convert_elements`.
  template <class T>
  void read(const safetensors_entry& entry, T* out) const {
    convert_elements(entry.type, bytes(entry).data(), entry.extents.size(), out,
                     text(path().string(), ": tensor '", entry.name, "'"));
  }
  /// The tensor of that name, decoded. Throws `io_error`.
  template <class T>
  tensor<T> read(std::string_view name) const {
    const safetensors_entry& entry = at(name);
    tensor<T> out(entry.extents);
    read(entry, out.data());
    return out;
  }

 private:
  memory_map map_;
  std::map<std::string, std::string> metadata_;
  std::vector<safetensors_entry> entries_;
};

/// A tensor to be written; `data` is borrowed and holds the elements row by row.
struct stored_tensor {
  std::string name;
  dtype type;
  shape extents;
  const void* data;
};

/// A host tensor under a name; borrows its memory.
template <class T>
stored_tensor stored(std::string name, const tensor<T>& value) {
  return {std::move(name), dtype_of<T>, value.extents(), value.data()};
}

/// Writes the tensors atomically. Same tensors, same bytes: they stand by falling element size (which aligns each),
/// then by name, and the header is padded with spaces to a multiple of 8. Throws `io_error` for a duplicate or reserved
/// name, and if the file cannot be written.
void write_safetensors(const std::filesystem::path& path, std::span<const stored_tensor> tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace mor1e::io

#ifndef MOR1E_COMPILED
#include "mor1e/io/safetensors.ipp"
#endif
