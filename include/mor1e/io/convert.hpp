// Stored little-endian elements -> elements of a C++ type.
#pragma once

#include <bit>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <utility>

#include "mor1e/core/dtype.hpp"
#include "mor1e/core/error.hpp"
#include "mor1e/core/shape.hpp"

namespace mor1e::io {

static_assert(std::endian::native == std::endian::little, "files are little-endian and read as they are");

namespace detail {

/// out[i] = decode(element i): the source may stand at any address, so each element is copied out of it.
template <class Stored, class T, class Decode>
void decode_each(const std::byte* source, index_t count, T* out, Decode decode) {
  for (index_t i = 0; i < count; ++i) {
    Stored element;
    std::memcpy(&element, source + i * sizeof(Stored), sizeof(Stored));
    out[i] = decode(element);
  }
}

template <class T, class Stored>
constexpr bool fits(Stored value) {
  if constexpr (std::is_same_v<T, bool>)
    return value == 0 || value == 1;
  else
    return std::in_range<T>(value);
}

template <class Stored, class T>
void copy_integers(const std::byte* source, index_t count, T* out, std::string_view where) {
  decode_each<Stored>(source, count, out, [&](Stored value) {
    if (!fits<T>(value)) throw io_error(text(where, ": ", +value, " does not fit ", name_of(dtype_of<T>)));
    return static_cast<T>(value);
  });
}

}  // namespace detail

/// Decodes `count` elements of the stored type. Floats (F64, F32, F16, BF16) go to float or double, integers (BOOL
/// too) to any integer type or bool; narrowing F64 to float rounds to nearest.
/// Throws `io_error` beginning with `where` for a float read as an integer or the reverse, and for an integer that
/// does not fit.
template <class T>
void convert_elements(dtype stored, const std::byte* source, index_t count, T* out, std::string_view where) {
  if constexpr (std::is_floating_point_v<T>) {
    switch (stored) {
      case dtype::f64: return detail::decode_each<double>(source, count, out, [](double v) { return T(v); });
      case dtype::f32: return detail::decode_each<float>(source, count, out, [](float v) { return T(v); });
      case dtype::f16:
        return detail::decode_each<std::uint16_t>(source, count, out,
                                                  [](std::uint16_t v) { return T(f16_to_float(v)); });
      case dtype::bf16:
        return detail::decode_each<std::uint16_t>(source, count, out,
                                                  [](std::uint16_t v) { return T(bf16_to_float(v)); });
      default: break;
    }
  } else {
    switch (stored) {
      case dtype::i64: return detail::copy_integers<std::int64_t>(source, count, out, where);
      case dtype::i32: return detail::copy_integers<std::int32_t>(source, count, out, where);
      case dtype::i16: return detail::copy_integers<std::int16_t>(source, count, out, where);
      case dtype::i8: return detail::copy_integers<std::int8_t>(source, count, out, where);
      case dtype::u64: return detail::copy_integers<std::uint64_t>(source, count, out, where);
      case dtype::u32: return detail::copy_integers<std::uint32_t>(source, count, out, where);
      case dtype::u16: return detail::copy_integers<std::uint16_t>(source, count, out, where);
      case dtype::u8:
      case dtype::boolean: return detail::copy_integers<std::uint8_t>(source, count, out, where);
      default: break;
    }
  }
  throw io_error(text(where, ": stored as ", name_of(stored), ", cannot be read as ", name_of(dtype_of<T>)));
}

}  // namespace mor1e::io
