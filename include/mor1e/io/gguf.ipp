#pragma once

#include <algorithm>
#include <cstring>
#include <iterator>
#include <type_traits>
#include <utility>

#include "mor1e/io/gguf.hpp"

namespace mor1e::io {

/// Kinds of metadata values, numbered as in the file.
enum class gguf_kind : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

namespace detail {

/// Bytes of a value of fixed size; 0 for text, arrays and unknown kinds.
constexpr std::size_t gguf_size_of(std::uint32_t kind) {
  constexpr std::size_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return kind < std::size(sizes) ? sizes[kind] : 0;
}

constexpr const char* gguf_name_of(std::uint32_t kind) {
  constexpr const char* names[] = {"uint8", "int8",   "uint16", "int16",  "uint32", "int32",  "float32",
                                   "bool",  "string", "array",  "uint64", "int64",  "float64"};
  return kind < std::size(names) ? names[kind] : "unknown";
}

}  // namespace detail

/// A position in the mapped file from which values are taken in turn; the end of the file is never passed.
class gguf_cursor {
 public:
  gguf_cursor(const memory_map& map, std::size_t position) : map_(map), position_(position) {}

  std::size_t position() const { return position_; }
  std::size_t left() const { return map_.bytes().size() - position_; }
  std::string file() const { return map_.path().string(); }

  /// Steps over `bytes` bytes and returns where they are.
  const std::byte* skip(std::uint64_t bytes, std::string_view what) {
    require<io_error>(bytes <= left(), file(), ": ends inside ", what, ": ", bytes, " bytes wanted at byte ", position_,
                      ", ", left(), " left");
    const std::byte* at = map_.bytes().data() + position_;
    position_ += bytes;
    return at;
  }

  template <class T>
  T take(std::string_view what) {
    T value;
    std::memcpy(&value, skip(sizeof(T), what), sizeof(T));
    return value;
  }

  std::string_view take_text(std::string_view what) {
    const auto length = take<std::uint64_t>(what);
    return {reinterpret_cast<const char*>(skip(length, what)), length};
  }

  /// Steps over one value. Arrays may hold arrays; the depth is bounded because each level is a call.
  void skip_value(std::uint32_t kind, std::string_view what, int depth = 0) {
    if (kind == std::uint32_t(gguf_kind::string)) {
      take_text(what);
    } else if (kind == std::uint32_t(gguf_kind::array)) {
      require<io_error>(depth < 4, file(), ": ", what, ": arrays nested deeper than 4");
      const auto element = take<std::uint32_t>(what);
      skip_elements(element, take<std::uint64_t>(what), what, depth + 1);
    } else {
      require<io_error>(detail::gguf_size_of(kind) > 0, file(), ": ", what, ": value kind ", kind, " at byte ",
                        position_, " is not defined");
      skip(detail::gguf_size_of(kind), what);
    }
  }

  void skip_elements(std::uint32_t element, std::uint64_t count, std::string_view what, int depth) {
    if (const std::size_t size = detail::gguf_size_of(element)) {
      check_count(count, size, what);
      skip(count * size, what);
    } else {
      check_count(count, 8, what);  // text and arrays begin with at least 8 bytes of length
      for (std::uint64_t i = 0; i < count; ++i) skip_value(element, what, depth);
    }
  }

  /// A count is believed only if that many things of the least size can follow.
  void check_count(std::uint64_t count, std::size_t least, std::string_view what) const {
    require<io_error>(count <= left() / least, file(), ": ", what, ": count ", count, " at byte ", position_,
                      " cannot fit the ", left(), " bytes left");
  }

 private:
  const memory_map& map_;
  std::size_t position_;
};

namespace detail {

/// Takes one number of the given kind and hands it to `use` with its own type; nothing if the kind is no number.
template <class Use>
void take_number(gguf_cursor& cursor, std::uint32_t kind, const Use& use) {
  switch (static_cast<gguf_kind>(kind)) {
    case gguf_kind::u8: return use(cursor.take<std::uint8_t>("a value"));
    case gguf_kind::i8: return use(cursor.take<std::int8_t>("a value"));
    case gguf_kind::u16: return use(cursor.take<std::uint16_t>("a value"));
    case gguf_kind::i16: return use(cursor.take<std::int16_t>("a value"));
    case gguf_kind::u32: return use(cursor.take<std::uint32_t>("a value"));
    case gguf_kind::i32: return use(cursor.take<std::int32_t>("a value"));
    case gguf_kind::u64: return use(cursor.take<std::uint64_t>("a value"));
    case gguf_kind::i64: return use(cursor.take<std::int64_t>("a value"));
    case gguf_kind::f32: return use(cursor.take<float>("a value"));
    case gguf_kind::f64: return use(cursor.take<double>("a value"));
    default: return;
  }
}

/// Takes `count` numbers into `out`; false if they are of another kind, or an integer does not fit T.
template <class T>
bool take_numbers(gguf_cursor cursor, std::uint32_t kind, std::uint64_t count, T* out) {
  // An empty array has a kind as well.
  bool fits = gguf_size_of(kind) > 0 && kind != std::uint32_t(gguf_kind::boolean);
  for (std::uint64_t i = 0; i < count && fits; ++i) {
    take_number(cursor, kind, [&](auto value) {
      if constexpr (std::is_floating_point_v<T>) {
        out[i] = static_cast<T>(value);
      } else if constexpr (std::is_integral_v<decltype(value)>) {
        fits = std::in_range<T>(value);
        out[i] = static_cast<T>(value);
      } else {
        fits = false;
      }
    });
  }
  return fits;
}

}  // namespace detail

MOR1E_INLINE gguf_file::gguf_file(const std::filesystem::path& path) : map_(path) {
  gguf_cursor cursor(map_, 0);
  const auto* magic = cursor.skip(4, "the magic bytes");
  require<io_error>(std::memcmp(magic, "GGUF", 4) == 0, path.string(),
                    ": not a GGUF file, the first bytes are not GGUF");
  version_ = cursor.take<std::uint32_t>("the version");
  require<io_error>(version_ == 2 || version_ == 3, path.string(), ": GGUF version ", version_,
                    " is not supported, 2 and 3 are");
  const auto tensor_count = cursor.take<std::uint64_t>("the tensor count");
  const auto value_count = cursor.take<std::uint64_t>("the metadata count");
  read_metadata(value_count, cursor);
  read_tensors(tensor_count, cursor);
  place_tensors(cursor.position());
}

MOR1E_INLINE void gguf_file::read_metadata(std::uint64_t count, gguf_cursor& cursor) {
  cursor.check_count(count, 8 + 4 + 1, "the metadata count");
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string key(cursor.take_text("a metadata key"));
    const std::string what = "metadata '" + key + "'";
    value found{};
    found.kind = cursor.take<std::uint32_t>(what);
    if (found.kind == std::uint32_t(gguf_kind::array)) {
      found.element = cursor.take<std::uint32_t>(what);
      found.count = cursor.take<std::uint64_t>(what);
      found.offset = cursor.position();
      cursor.skip_elements(found.element, found.count, what, 1);
    } else {
      found.offset = cursor.position();
      cursor.skip_value(found.kind, what);
    }
    require<io_error>(values_.emplace(key, found).second, cursor.file(), ": ", what, " stands twice");
  }
}

/// Reads names, shapes, types and offsets; the offsets still count from the beginning of the data.
MOR1E_INLINE void gguf_file::read_tensors(std::uint64_t count, gguf_cursor& cursor) {
  cursor.check_count(count, 8 + 4 + 4 + 8, "the tensor count");
  for (std::uint64_t i = 0; i < count; ++i) {
    gguf_tensor tensor{};
    tensor.name = cursor.take_text("a tensor name");
    const std::string what = "tensor '" + tensor.name + "'", where = cursor.file() + ": " + what;
    const auto rank = cursor.take<std::uint32_t>(what);
    require<io_error>(rank <= std::uint32_t(shape::max_rank), where, ": rank ", rank, " exceeds ", shape::max_rank);
    std::uint64_t dims[shape::max_rank] = {};
    for (std::uint32_t axis = 0; axis < rank; ++axis) dims[axis] = cursor.take<std::uint64_t>(what);
    tensor.type = static_cast<ggml_type>(cursor.take<std::uint32_t>(what));
    tensor.offset = cursor.take<std::uint64_t>(what);

    const ggml_layout* layout = layout_of(tensor.type);
    require<io_error>(layout != nullptr, where, ": type ", std::uint32_t(tensor.type), " is not defined");
    // No product of extents passes 2^58, so that neither it nor its bytes overflow.
    constexpr std::uint64_t limit = std::uint64_t(1) << 58;
    std::uint64_t elements = 1;
    for (std::uint32_t axis = rank; axis-- > 0;) {
      require<io_error>(dims[axis] <= limit && (dims[axis] == 0 || elements <= limit / dims[axis]), where, ": extent ",
                        dims[axis], " makes it larger than any file");
      elements *= dims[axis];
      tensor.extents.append(static_cast<index_t>(dims[axis]));
    }
    require<io_error>(tensor.extents.cols() % layout->elements == 0, where, ": ", tensor.extents.cols(),
                      " columns are no whole blocks of ", layout->elements, " (", layout->name, ")");
    tensor.bytes = elements / std::uint64_t(layout->elements) * layout->bytes;
    require<io_error>(by_name_.emplace(tensor.name, tensors_.size()).second, where, " stands twice");
    tensors_.push_back(std::move(tensor));
  }
}

/// Turns offsets into positions in the file, and checks that every tensor lies in it alone.
MOR1E_INLINE void gguf_file::place_tensors(std::size_t header_end) {
  const std::string file = path().string();
  const std::int64_t alignment = contains("general.alignment") ? integer("general.alignment") : 32;
  require<io_error>(alignment > 0 && alignment <= (1 << 20) && (alignment & (alignment - 1)) == 0, file,
                    ": general.alignment ", alignment, " is no power of two up to 2^20");
  const std::size_t begin = (header_end + alignment - 1) / alignment * alignment, size = map_.bytes().size();
  const std::size_t data = size > begin ? size - begin : 0;
  std::vector<const gguf_tensor*> order;
  for (auto& tensor : tensors_) {
    require<io_error>(tensor.offset % alignment == 0, file, ": tensor '", tensor.name, "': offset ", tensor.offset,
                      " is no multiple of the alignment ", alignment);
    require<io_error>(tensor.offset <= data && tensor.bytes <= data - tensor.offset, file, ": tensor '", tensor.name,
                      "': ", tensor.bytes, " bytes at offset ", tensor.offset, " reach beyond the data, ", data,
                      " bytes");
    tensor.offset += begin;
    order.push_back(&tensor);
  }
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return a->offset != b->offset ? a->offset < b->offset : a->bytes < b->bytes;
  });
  for (std::size_t i = 1; i < order.size(); ++i)
    require<io_error>(order[i - 1]->offset + order[i - 1]->bytes <= order[i]->offset, file, ": tensor '",
                      order[i]->name, "' begins at byte ", order[i]->offset, ", inside tensor '", order[i - 1]->name,
                      "' that ends at ", order[i - 1]->offset + order[i - 1]->bytes);
}

MOR1E_INLINE std::vector<std::string> gguf_file::keys() const {
  std::vector<std::string> out;
  for (const auto& [key, found] : values_) out.push_back(key);
  return out;
}

MOR1E_INLINE const gguf_file::value& gguf_file::at_key(std::string_view key) const {
  const auto found = values_.find(key);
  require<io_error>(found != values_.end(), path().string(), ": no metadata '", key, "'");
  return found->second;
}

MOR1E_INLINE void gguf_file::wrong_kind(std::string_view key, const value& found, const char* wanted) const {
  const bool array = found.kind == std::uint32_t(gguf_kind::array);
  throw io_error(text(path().string(), ": metadata '", key, "' is ", array ? "an array of " : "",
                      detail::gguf_name_of(array ? found.element : found.kind), ", wanted ", wanted));
}

MOR1E_INLINE std::string gguf_file::string(std::string_view key) const {
  const value& found = at_key(key);
  if (found.kind != std::uint32_t(gguf_kind::string)) wrong_kind(key, found, "a string");
  return std::string(gguf_cursor(map_, found.offset).take_text(key));
}

MOR1E_INLINE bool gguf_file::boolean(std::string_view key) const {
  const value& found = at_key(key);
  if (found.kind != std::uint32_t(gguf_kind::boolean)) wrong_kind(key, found, "a bool");
  return gguf_cursor(map_, found.offset).take<std::uint8_t>(key) != 0;
}

MOR1E_INLINE std::int64_t gguf_file::integer(std::string_view key) const {
  const value& found = at_key(key);
  std::int64_t out = 0;
  if (!detail::take_numbers(gguf_cursor(map_, found.offset), found.kind, 1, &out))
    wrong_kind(key, found, "an integer that fits int64");
  return out;
}

MOR1E_INLINE double gguf_file::number(std::string_view key) const {
  const value& found = at_key(key);
  double out = 0;
  if (!detail::take_numbers(gguf_cursor(map_, found.offset), found.kind, 1, &out)) wrong_kind(key, found, "a number");
  return out;
}

MOR1E_INLINE std::vector<std::string> gguf_file::strings(std::string_view key) const {
  const value& found = at_key(key);
  if (found.kind != std::uint32_t(gguf_kind::array) || found.element != std::uint32_t(gguf_kind::string))
    wrong_kind(key, found, "an array of strings");
  std::vector<std::string> out;
  out.reserve(found.count);  // checked when the file was opened
  gguf_cursor cursor(map_, found.offset);
  for (std::uint64_t i = 0; i < found.count; ++i) out.emplace_back(cursor.take_text(key));
  return out;
}

MOR1E_INLINE std::vector<std::int64_t> gguf_file::integers(std::string_view key) const {
  const value& found = at_key(key);
  std::vector<std::int64_t> out(found.count);
  if (found.kind != std::uint32_t(gguf_kind::array) ||
      !detail::take_numbers(gguf_cursor(map_, found.offset), found.element, found.count, out.data()))
    wrong_kind(key, found, "an array of integers that fit int64");
  return out;
}

MOR1E_INLINE std::vector<double> gguf_file::numbers(std::string_view key) const {
  const value& found = at_key(key);
  std::vector<double> out(found.count);
  if (found.kind != std::uint32_t(gguf_kind::array) ||
      !detail::take_numbers(gguf_cursor(map_, found.offset), found.element, found.count, out.data()))
    wrong_kind(key, found, "an array of numbers");
  return out;
}

MOR1E_INLINE const gguf_tensor* gguf_file::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

MOR1E_INLINE const gguf_tensor& gguf_file::at(std::string_view name) const {
  const auto* tensor = find(name);
  require<io_error>(tensor != nullptr, path().string(), ": no tensor '", name, "'");
  return *tensor;
}

}  // namespace mor1e::io
