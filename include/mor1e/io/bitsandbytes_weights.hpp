// Weights of a Hugging Face folder whose linears bitsandbytes has put in four bits.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mor1e/io/bitsandbytes.hpp"
#include "mor1e/io/safetensors_weights.hpp"

namespace mor1e::io {

/// A matrix NAME in four bits is several tensors: NAME, bytes; NAME.absmax, NAME.quant_map, NAME.quant_state.
/// bitsandbytes__nf4 (or __fp4), a JSON text; with double quantisation NAME.nested_absmax and NAME.nested_quant_map.
/// Here it is the one matrix that they make, of the type "NF4" or "FP4"; all other tensors are as they are stored.
class bitsandbytes_weights final : public weight_source {
 public:
  /// Whether any tensor of the files is in that form.
  static bool are(const safetensors_weights& from);

  /// Throws `io_error` naming tensor and numbers for parts that do not fit together.
  explicit bitsandbytes_weights(std::unique_ptr<safetensors_weights> from);

  std::vector<std::string> names() const override { return names_; }
  bool contains(std::string_view name) const override;
  shape extents(std::string_view name) const override;
  std::string stored_type(std::string_view name) const override;
  void read(std::string_view name, float* out) const override;
  void read(std::string_view name, double* out) const override;
  const float* mapped_f32(std::string_view name) const override;
  std::unique_ptr<row_source<float>> stored_rows(std::string_view name) const override;
  /// Of a matrix the codes, which are nearly all of it.
  void drop(std::string_view name) const override { from_->drop(name); }

 private:
  struct matrix {
    four_bit_matrix stored;
    std::string code;  ///< "nf4"
  };
  const matrix* find(std::string_view name) const;

  std::unique_ptr<safetensors_weights> from_;
  std::vector<std::string> names_;
  std::map<std::string, matrix, std::less<>> matrices_;
};

}  // namespace mor1e::io

#ifndef MOR1E_COMPILED
#include "mor1e/io/bitsandbytes_weights.ipp"
#endif
