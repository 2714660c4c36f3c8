#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "mor1e/io/integrity.hpp"
#include "mor1e/io/sha256.hpp"

namespace mor1e::io {

namespace detail {

/// The first element whose bits hold all of `exponent`; -1 if none does.
template <class Bits>
index_t first_with(Bits exponent, const void* data, index_t count) {
  const auto* bytes = static_cast<const std::byte*>(data);
  const auto has = [&](index_t i) {
    Bits bits;
    std::memcpy(&bits, bytes + i * index_t(sizeof bits), sizeof bits);
    return (bits & exponent) == exponent;
  };
  bool any = false;  // of a whole block, so that the sweep has no branch
  constexpr index_t block = 4096;
  for (index_t begin = 0; begin < count; begin += block) {
    const index_t end = std::min(count, begin + block);
    for (index_t i = begin; i < end; ++i) any |= has(i);
    for (index_t i = begin; any && i < end; ++i)
      if (has(i)) return i;
  }
  return -1;
}

inline index_t first_not_finite(const stored_tensor& t) {
  const index_t count = t.extents.size();
  switch (t.type) {
    case dtype::f64: return first_with<std::uint64_t>(0x7FF0000000000000u, t.data, count);
    case dtype::f32: return first_with<std::uint32_t>(0x7F800000u, t.data, count);
    case dtype::f16: return first_with<std::uint16_t>(0x7C00u, t.data, count);
    case dtype::bf16: return first_with<std::uint16_t>(0x7F80u, t.data, count);
    default: return -1;
  }
}

inline void add_tensor(sha256& hash, const stored_tensor& t) {
  const std::string about = text(t.name, '\0', name_of(t.type), ' ', t.extents, '\0');
  hash.update(std::as_bytes(std::span(about)));
  hash.update({static_cast<const std::byte*>(t.data), std::size_t(t.extents.size()) * size_of(t.type)});
}

/// What a seal covers besides the tensors: the metadata without the seal, and `also`.
inline std::string sealed_words(const std::map<std::string, std::string>& metadata, std::string_view also) {
  std::string out;
  for (const auto& [key, value] : metadata)
    if (key != "sha256") out += text(key, '\0', value, '\0');
  return out.append(also);
}

}  // namespace detail

MOR1E_INLINE std::vector<stored_tensor> tensors_of(const safetensors_file& file) {
  std::vector<stored_tensor> out;
  for (const safetensors_entry& entry : file.entries())
    out.push_back({entry.name, entry.type, entry.extents, file.bytes(entry).data()});
  return out;
}

MOR1E_INLINE void require_finite(std::span<const stored_tensor> tensors, std::string_view where) {
  for (const stored_tensor& t : tensors) {
    const index_t at = detail::first_not_finite(t);
    if (at < 0) continue;
    double value = 0;
    const auto* element = static_cast<const std::byte*>(t.data) + at * index_t(size_of(t.type));
    convert_elements(t.type, element, 1, &value, where);
    throw io_error(
        text(where, ": tensor '", t.name, "': element ", at, std::isnan(value) ? " is nan" : " is infinite"));
  }
}

MOR1E_INLINE std::string digest_of(std::span<const stored_tensor> tensors, std::string_view also) {
  std::vector<const stored_tensor*> order;
  for (const stored_tensor& t : tensors) order.push_back(&t);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  sha256 hash;
  for (const stored_tensor* t : order) detail::add_tensor(hash, *t);
  hash.update(std::as_bytes(std::span(also)));
  return hash.hex();
}

MOR1E_INLINE std::string digest_of(const safetensors_file& file, std::string_view also) {
  sha256 hash;
  for (const safetensors_entry& entry : file.entries()) {
    detail::add_tensor(hash, {entry.name, entry.type, entry.extents, file.bytes(entry).data()});
    file.drop(entry);
  }
  hash.update(std::as_bytes(std::span(also)));
  return hash.hex();
}

MOR1E_INLINE std::map<std::string, std::string> sealed(std::map<std::string, std::string> metadata,
                                                       std::span<const stored_tensor> tensors, std::string_view also) {
  metadata["sha256"] = digest_of(tensors, detail::sealed_words(metadata, also));
  return metadata;
}

MOR1E_INLINE bool check_seal(const safetensors_file& file, std::string_view remedy, std::string_view also) {
  const auto at = file.metadata().find("sha256");
  if (at == file.metadata().end()) return false;
  const std::string found = digest_of(file, detail::sealed_words(file.metadata(), also));
  require<io_error>(found == at->second, file.path().string(), ": is not as it was written: SHA-256 ",
                    found.substr(0, 12), "..., it says ", one_line(at->second.substr(0, 12), 12), "...; ", remedy);
  return true;
}

}  // namespace mor1e::io
