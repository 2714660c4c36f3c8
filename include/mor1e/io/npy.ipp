#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/npy.hpp"

namespace mor1e::io {

namespace detail {

inline constexpr std::string_view npy_magic = "\x93NUMPY";

/// What stands after the byte order: '|b1', '<f4', ...
inline constexpr std::pair<std::string_view, dtype> npy_types[] = {
    {"f8", dtype::f64}, {"f4", dtype::f32}, {"f2", dtype::f16}, {"i8", dtype::i64},
    {"i4", dtype::i32}, {"i2", dtype::i16}, {"i1", dtype::i8},  {"u8", dtype::u64},
    {"u4", dtype::u32}, {"u2", dtype::u16}, {"u1", dtype::u8},  {"b1", dtype::boolean}};

/// The dictionary of a header: the few Python literals that may stand in it, read strictly.
class npy_dictionary {
 public:
  npy_dictionary(std::string_view text, std::string where) : text_(text), where_(std::move(where)) {
    expect('{');
    while (!accept('}')) {
      const std::string_view key = quoted("a key");
      expect(':');
      if (key == "descr")
        once(type, key, element_type());
      else if (key == "fortran_order")
        once(fortran_order, key, truth());
      else if (key == "shape")
        once(extents, key, tuple());
      else
        throw io_error(text_of("unknown key ", in_quotes(key)));
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_spaces();
    require<io_error>(at_ == text_.size(), where_, ": characters behind the '}' at byte ", at_);
    require<io_error>(type && fortran_order && extents, where_, ": needs descr, fortran_order and shape");
  }

  std::optional<dtype> type;
  std::optional<bool> fortran_order;
  std::optional<shape> extents;

 private:
  template <class... Parts>
  std::string text_of(const Parts&... parts) const {
    return text(where_, ": ", parts...);
  }
  template <class T>
  void once(std::optional<T>& field, std::string_view key, T value) {
    require<io_error>(!field, where_, ": ", key, " stands twice");
    field = value;
  }
  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool accept(char c) {
    skip_spaces();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) { require<io_error>(accept(c), where_, ": '", c, "' expected at byte ", at_); }

  std::string_view quoted(std::string_view what) {
    skip_spaces();
    const char mark = at_ < text_.size() ? text_[at_] : ' ';
    require<io_error>(mark == '\'' || mark == '"', where_, ": ", what, " in quotes expected at byte ", at_);
    const std::size_t end = text_.find(mark, at_ + 1);
    require<io_error>(end != text_.npos, where_, ": the string at byte ", at_, " does not end");
    const std::string_view out = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return out;
  }

  dtype element_type() {
    const std::string_view descr = quoted("a descr of a plain type");
    require<io_error>(!descr.starts_with('>'), where_, ": descr ", in_quotes(descr), " is big-endian");
    if (descr.starts_with('<') || descr.starts_with('|'))
      for (const auto& [name, named] : npy_types)
        if (descr.substr(1) == name) return named;
    throw io_error(text_of("descr ", in_quotes(descr), " is not supported"));
  }

  bool truth() {
    skip_spaces();
    for (const std::string_view word : {"True", "False"})
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return word == "True";
      }
    throw io_error(text_of("fortran_order is neither True nor False"));
  }

  shape tuple() {
    // More than 2^62 bytes are in no file; the limit keeps every product below an overflow.
    constexpr std::uint64_t limit = std::uint64_t(1) << 59;
    std::uint64_t elements = 1;
    shape out;
    require<io_error>(accept('('), where_, ": shape is not a tuple of sizes");
    bool comma = true;
    while (!accept(')')) {
      require<io_error>(comma, where_, ": ',' or ')' expected at byte ", at_);
      skip_spaces();
      std::uint64_t extent = 0;
      const char* const begin = text_.data() + at_;
      const auto [end, problem] = std::from_chars(begin, text_.data() + text_.size(), extent);
      require<io_error>(end != begin, where_, ": shape is not a tuple of sizes");
      require<io_error>(problem == std::errc() && extent <= limit && (extent == 0 || elements <= limit / extent),
                        where_, ": shape is larger than any file");
      require<io_error>(out.rank() < shape::max_rank, where_, ": rank exceeds ", shape::max_rank);
      at_ += std::size_t(end - begin);
      elements *= extent;
      out.append(index_t(extent));
      comma = accept(',');
    }
    require<io_error>(out.rank() != 1 || comma, where_, ": shape is not a tuple of sizes");  // (3) is a number
    return out;
  }

  std::string_view text_;
  std::string where_;
  std::size_t at_ = 0;
};

MOR1E_INLINE void write_npy(const std::filesystem::path& path, dtype type, const shape& extents, const void* data,
                            index_t rows, std::size_t row_bytes, std::size_t stride_bytes) {
  std::string_view name;
  for (const auto& [spelling, named] : npy_types)
    if (named == type) name = spelling;
  require<io_error>(!name.empty(), path.string(), ": cannot write: NumPy has no ", full_name_of(type));
  std::string header =
      text("{'descr': '", size_of(type) == 1 ? '|' : '<', name, "', 'fortran_order': False, 'shape': (");
  for (int axis = 0; axis < extents.rank(); ++axis)
    header += text(axis ? " " : "", extents[axis], axis + 1 < extents.rank() || axis == 0 ? "," : "");
  header += "), }";
  // The elements begin at a multiple of 64 bytes, and the header ends with a newline.
  const std::size_t prefix = npy_magic.size() + 4;
  header.append(63 - (prefix + header.size()) % 64, ' ');
  header += '\n';

  atomic_file file(path);
  file.write(npy_magic);
  const char version_and_length[] = {1, 0, char(header.size() & 255), char(header.size() >> 8)};
  file.write(version_and_length, sizeof version_and_length);
  file.write(header);
  for (index_t i = 0; i < rows && row_bytes > 0; ++i)
    file.write(static_cast<const std::byte*>(data) + std::size_t(i) * stride_bytes, row_bytes);
  file.commit();
}

}  // namespace detail

MOR1E_INLINE npy_file::npy_file(const std::filesystem::path& path) : map_(path) {
  const std::string file = path.string();
  const std::string_view all(reinterpret_cast<const char*>(map_.bytes().data()), map_.bytes().size());
  const std::size_t magic = detail::npy_magic.size();
  require<io_error>(all.size() >= magic + 4, file, ": ", all.size(), " bytes are too few for a .npy file");
  require<io_error>(all.starts_with(detail::npy_magic), file, ": no .npy file: begins with ",
                    in_quotes(all.substr(0, magic)));
  const int major = static_cast<unsigned char>(all[magic]), minor = static_cast<unsigned char>(all[magic + 1]);
  require<io_error>(1 <= major && major <= 3 && minor == 0, file, ": version ", major, ".", minor,
                    " is none of 1.0, 2.0 and 3.0");
  const std::size_t width = major == 1 ? 2 : 4, begin = magic + 2 + width;
  require<io_error>(all.size() >= begin, file, ": ", all.size(), " bytes are too few for a .npy file");
  std::uint32_t length = 0;
  std::memcpy(&length, all.data() + magic + 2, width);
  require<io_error>(length <= all.size() - begin, file, ": header of ", length, " bytes is longer than the file, ",
                    all.size(), " bytes");
  const detail::npy_dictionary header(all.substr(begin, length), file + ": header");
  type_ = *header.type;
  extents_ = *header.extents;
  fortran_order_ = *header.fortran_order && extents_.rank() > 1;
  data_ = begin + length;
  const std::size_t needed = std::size_t(extents_.size()) * size_of(type_), held = all.size() - data_;
  require<io_error>(held == needed, file, ": data of ", held, " bytes, ", full_name_of(type_), " ", extents_, " needs ",
                    needed);
}

}  // namespace mor1e::io
