#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/json.hpp"
#include "mor1e/io/safetensors.hpp"

namespace mor1e::io {

namespace detail {

inline std::optional<dtype> dtype_named(std::string_view name) {
  for (const dtype type : {dtype::f64, dtype::f32, dtype::f16, dtype::bf16, dtype::i64, dtype::i32, dtype::i16,
                           dtype::i8, dtype::u64, dtype::u32, dtype::u16, dtype::u8, dtype::boolean})
    if (name_of(type) == name) return type;
  return std::nullopt;
}

inline bool is_list_of_unsigned(const nlohmann::json& value) {
  return value.is_array() &&
         std::all_of(value.begin(), value.end(), [](const auto& element) { return element.is_number_unsigned(); });
}

/// One tensor of the header, with its offset still counted from the end of the header. `where` names file and tensor.
inline safetensors_entry parse_safetensors_entry(const std::string& name, const nlohmann::json& value,
                                                 std::uint64_t data, const std::string& where) {
  require<io_error>(
      value.is_object() && value.contains("dtype") && value.contains("shape") && value.contains("data_offsets"), where,
      ": needs dtype, shape and data_offsets");
  const auto& type_name = value["dtype"];
  require<io_error>(type_name.is_string(), where, ": dtype is not a string");
  const auto type = dtype_named(type_name.get_ref<const std::string&>());
  require<io_error>(type.has_value(), where, ": dtype ", type_name.get_ref<const std::string&>(), " is not supported");

  const auto& dims = value["shape"];
  require<io_error>(is_list_of_unsigned(dims), where, ": shape is not a list of sizes");
  require<io_error>(dims.size() <= std::size_t(shape::max_rank), where, ": rank ", dims.size(), " exceeds ",
                    shape::max_rank);
  safetensors_entry entry{name, *type, {}, 0, 0};
  // A size beyond 2^62 cannot be in a file; the limit keeps every product below an overflow.
  constexpr std::uint64_t limit = std::uint64_t(1) << 62;
  std::uint64_t needed = size_of(*type);
  for (const auto& dim : dims) {
    const auto extent = dim.get<std::uint64_t>();
    require<io_error>(extent <= limit && (extent == 0 || needed <= limit / extent), where, ": shape ", brief(dims),
                      " is larger than any file");
    entry.extents.append(static_cast<index_t>(extent));
    needed *= extent;
  }

  const auto& offsets = value["data_offsets"];
  require<io_error>(is_list_of_unsigned(offsets) && offsets.size() == 2, where, ": data_offsets is not [begin, end]");
  const auto begin = offsets[0].get<std::uint64_t>(), end = offsets[1].get<std::uint64_t>();
  require<io_error>(begin <= end, where, ": data_offsets [", begin, ", ", end, "] end before they begin");
  require<io_error>(end <= data, where, ": data_offsets [", begin, ", ", end, "] reach beyond the data, ", data,
                    " bytes");
  require<io_error>(end - begin == needed, where, ": data_offsets [", begin, ", ", end, "] hold ", end - begin,
                    " bytes, ", name_of(*type), " ", entry.extents, " needs ", needed);
  entry.offset = begin;
  entry.bytes = needed;
  return entry;
}

/// The tensors, in the order of their offsets, must follow each other from 0 to `data`.
inline void check_safetensors_cover(const std::vector<safetensors_entry>& entries, std::uint64_t data,
                                    const std::string& file) {
  std::vector<const safetensors_entry*> order;
  for (const auto& entry : entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::pair(a->offset, a->bytes) < std::pair(b->offset, b->bytes);
  });
  std::uint64_t covered = 0;
  const safetensors_entry* before = nullptr;
  for (const auto* entry : order) {
    require<io_error>(entry->offset >= covered, file, ": tensor '", entry->name, "' begins at data byte ",
                      entry->offset, ", inside tensor '", before ? before->name : "", "' that ends at ", covered);
    require<io_error>(entry->offset == covered, file, ": data bytes ", covered, " to ", entry->offset,
                      " before tensor '", entry->name, "' belong to no tensor");
    covered = entry->offset + entry->bytes;
    before = entry;
  }
  require<io_error>(covered == data, file, ": data bytes ", covered, " to ", data, " belong to no tensor");
}

}  // namespace detail

MOR1E_INLINE safetensors_file::safetensors_file(const std::filesystem::path& path) : map_(path) {
  const std::string file = path.string();
  const auto all = map_.bytes();
  require<io_error>(all.size() >= 8, file, ": ", all.size(), " bytes are too few for a safetensors file");
  std::uint64_t header = 0;
  std::memcpy(&header, all.data(), 8);
  require<io_error>(header <= all.size() - 8, file, ": header of ", header, " bytes is longer than the file, ",
                    all.size(), " bytes");
  const std::uint64_t data = all.size() - 8 - header;
  const auto parsed = parse_json({reinterpret_cast<const char*>(all.data()) + 8, header}, file + ": header");
  require<io_error>(parsed.is_object(), file, ": header is not a JSON object");

  for (const auto& [name, value] : parsed.items()) {  // sorted by name
    if (name == "__metadata__") {
      require<io_error>(value.is_object(), file, ": __metadata__ is not an object");
      for (const auto& [key, content] : value.items()) {
        require<io_error>(content.is_string(), file, ": __metadata__ '", key, "' is not a string");
        metadata_.emplace(key, content.get<std::string>());
      }
      continue;
    }
    entries_.push_back(detail::parse_safetensors_entry(name, value, data, text(file, ": tensor '", name, "'")));
  }
  detail::check_safetensors_cover(entries_, data, file);
  for (auto& entry : entries_) entry.offset += 8 + header;
}

MOR1E_INLINE const safetensors_entry* safetensors_file::find(std::string_view name) const {
  const auto found =
      std::lower_bound(entries_.begin(), entries_.end(), name,
                       [](const safetensors_entry& entry, std::string_view n) { return entry.name < n; });
  return found != entries_.end() && found->name == name ? &*found : nullptr;
}

MOR1E_INLINE const safetensors_entry& safetensors_file::at(std::string_view name) const {
  const auto* entry = find(name);
  require<io_error>(entry != nullptr, path().string(), ": no tensor '", name, "'");
  return *entry;
}

MOR1E_INLINE void write_safetensors(const std::filesystem::path& path, std::span<const stored_tensor> tensors,
                                    const std::map<std::string, std::string>& metadata) {
  std::vector<const stored_tensor*> order;
  for (const auto& tensor : tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    const auto size_a = size_of(a->type), size_b = size_of(b->type);
    return size_a != size_b ? size_a > size_b : a->name < b->name;
  });

  std::string content;
  try {
    // In this order, so that the header lists the tensors as they stand in the file.
    ordered_members header;
    if (!metadata.empty()) header.add("__metadata__", metadata);
    std::set<std::string_view> names{"__metadata__"};
    std::size_t offset = 0;
    for (const auto* tensor : order) {
      require<io_error>(names.insert(tensor->name).second, path.string(), ": tensor '", tensor->name,
                        "' is given twice, or its name is reserved");
      const std::size_t end = offset + static_cast<std::size_t>(tensor->extents.size()) * size_of(tensor->type);
      ordered_members entry;
      entry.add("dtype", name_of(tensor->type));
      entry.add("shape", std::vector<index_t>(tensor->extents.begin(), tensor->extents.end()));
      entry.add("data_offsets", {offset, end});
      header.add(tensor->name, entry);
      offset = end;
    }
    content = header.text();
  } catch (const nlohmann::json::exception&) {
    throw io_error(text(path.string(), ": cannot write: a name or metadata text is not UTF-8"));
  }
  content.append((8 - content.size() % 8) % 8, ' ');

  atomic_file file(path);
  const std::uint64_t length = content.size();
  file.write(&length, sizeof length);
  file.write(content);
  for (const auto* tensor : order)
    file.write(tensor->data, static_cast<std::size_t>(tensor->extents.size()) * size_of(tensor->type));
  file.commit();
}

}  // namespace mor1e::io
