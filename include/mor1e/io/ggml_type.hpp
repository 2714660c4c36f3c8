// Element types of GGUF tensors: numbers as in the file, names, and how many elements share a block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "mor1e/core/shape.hpp"

namespace mor1e::io {

/// The types this library decodes. A file may hold others of the table below; they can be listed, not read.
enum class ggml_type : std::uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  bf16 = 30
};

/// How a type is laid out: `elements` values adjacent in a row are stored together in `bytes` bytes.
struct ggml_layout {
  std::string_view name;
  index_t elements;
  std::size_t bytes;
};

namespace detail {
/// Indexed by the number in the file; the empty names are types withdrawn from the format.
inline constexpr ggml_layout ggml_layouts[] = {
    {"F32", 1, 4},      {"F16", 1, 2},        {"Q4_0", 32, 18},    {"Q4_1", 32, 20},     {"", 0, 0},
    {"", 0, 0},         {"Q5_0", 32, 22},     {"Q5_1", 32, 24},    {"Q8_0", 32, 34},     {"Q8_1", 32, 36},
    {"Q2_K", 256, 84},  {"Q3_K", 256, 110},   {"Q4_K", 256, 144},  {"Q5_K", 256, 176},   {"Q6_K", 256, 210},
    {"Q8_K", 256, 292}, {"IQ2_XXS", 256, 66}, {"IQ2_XS", 256, 74}, {"IQ3_XXS", 256, 98}, {"IQ1_S", 256, 50},
    {"IQ4_NL", 32, 18}, {"IQ3_S", 256, 110},  {"IQ2_S", 256, 82},  {"IQ4_XS", 256, 136}, {"I8", 1, 1},
    {"I16", 1, 2},      {"I32", 1, 4},        {"I64", 1, 8},       {"F64", 1, 8},        {"IQ1_M", 256, 56},
    {"BF16", 1, 2},
};
}  // namespace detail

/// The layout of a type, or nullptr for a number no format version defines. Source: the GGUF and ggml type lists.
constexpr const ggml_layout* layout_of(ggml_type type) {
  const auto number = static_cast<std::uint32_t>(type);
  return number < std::size(detail::ggml_layouts) && detail::ggml_layouts[number].elements > 0
             ? &detail::ggml_layouts[number]
             : nullptr;
}

/// "Q4_1", or "?" for an undefined number.
constexpr std::string_view name_of(ggml_type type) {
  const ggml_layout* layout = layout_of(type);
  return layout ? layout->name : "?";
}

}  // namespace mor1e::io
