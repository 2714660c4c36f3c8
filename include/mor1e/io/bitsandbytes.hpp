// Matrices in four bits as bitsandbytes keeps them: what QLoRA trains adapters on.
//
// Of W, row after row, each `block` adjacent elements share a scale, and each element is one of sixteen values of a
// code: W_i = code[q_i] scale[i / block], rounded to the type that W had. NF4's values are quantiles of a normal
// distribution. Source: Dettmers, Pagnoni, Holtzman, Zettlemoyer, "QLoRA: Efficient Finetuning of Quantized LLMs",
// 2023, section 3 and appendix E.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/core/dtype.hpp"
#include "mor1e/core/row_source.hpp"

namespace mor1e::io {

/// The scales of a stored matrix: floats; or bytes that name values of a second code, with scales of their own, "double
/// quantisation": scale_b = nested_code[byte_b] nested_scale[b / nested_block] + offset.
struct four_bit_scales {
  const std::byte* at = nullptr;  ///< floats, or bytes where there is a second code; at any address, as all of these
  const std::byte* nested_code = nullptr;    ///< 256 floats
  const std::byte* nested_scales = nullptr;  ///< floats
  index_t nested_block = 1;
  float offset = 0;

  float operator[](index_t block) const;
};

/// What W may have been.
inline constexpr std::array<dtype, 3> four_bit_origins = {dtype::f32, dtype::f16, dtype::bf16};

/// A stored matrix [rows, cols] where it lies in its file.
struct four_bit_matrix {
  index_t rows = 0, cols = 0;
  index_t block = 64;
  dtype type = dtype::f32;           ///< of the matrix before: see `four_bit_origins`
  const std::byte* codes = nullptr;  ///< two elements a byte, the first in the upper half
  std::array<float, 16> code{};
  four_bit_scales scales;
};

/// Decodes it row by row; what it points to has to stay.
class four_bit_rows final : public row_source<float> {
 public:
  explicit four_bit_rows(const four_bit_matrix& from);

  index_t rows() const override { return from_.rows; }
  index_t cols() const override { return from_.cols; }
  void read_rows(index_t first, view<float> to) const override;

 private:
  four_bit_matrix from_;
  std::array<std::array<float, 2>, 256> pairs_;  // the two values that a byte names
};

/// The sixteen values of NF4, ascending.
inline constexpr std::array<float, 16> nf4_code = {-1.0F,
                                                   -0.6961928009986877F,
                                                   -0.5250730514526367F,
                                                   -0.39491748809814453F,
                                                   -0.28444138169288635F,
                                                   -0.18477343022823334F,
                                                   -0.09105003625154495F,
                                                   0.0F,
                                                   0.07958029955625534F,
                                                   0.16093020141124725F,
                                                   0.24611230194568634F,
                                                   0.33791524171829224F,
                                                   0.44070982933044434F,
                                                   0.5626170039176941F,
                                                   0.7229568362236023F,
                                                   1.0F};

/// A matrix in NF4, row after row.
struct nf4_matrix {
  std::vector<std::uint8_t> codes;  ///< two elements a byte, the first in the upper half
  std::vector<float> scales;        ///< the largest magnitude of each block
};

/// The nearest of the code's values for each element, divided by its scale, which is 0 for a block of zeros.
nf4_matrix to_nf4(std::span<const float> values, index_t block = 64);

}  // namespace mor1e::io

#ifndef MOR1E_COMPILED
#include "mor1e/io/bitsandbytes.ipp"
#endif
