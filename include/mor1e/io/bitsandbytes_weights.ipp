#pragma once

#include <algorithm>
#include <iterator>
#include <limits>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "mor1e/io/bitsandbytes_weights.hpp"
#include "mor1e/io/json.hpp"
#include "mor1e/io/json_fields.hpp"

namespace mor1e::io {

namespace detail {

inline constexpr std::string_view four_bit_state = ".quant_state.bitsandbytes__";

/// Reads the parts of one matrix, and notes which tensors they are.
class four_bit_reader {
 public:
  four_bit_reader(const safetensors_weights& from, std::string name, std::set<std::string>& parts)
      : from_(from), name_(std::move(name)), parts_(parts) {}

  four_bit_matrix read(const std::string& code) {
    const auto text_of_state = part(text(four_bit_state, code), dtype::u8);
    const std::string_view json(static_cast<const char*>(text_of_state.data),
                                std::size_t(text_of_state.extents.size()));
    const nlohmann::json object = parse_json(json, where());
    json_fields state(object, where());
    state.refuse_unless(state.string("quant_type") == code, "'quant_type' is not ", code);
    four_bit_matrix out;
    out.block = state.integer("blocksize", 2);
    const std::string type = state.string("dtype");
    const auto known = std::find_if(four_bit_origins.begin(), four_bit_origins.end(),
                                    [&](dtype t) { return full_name_of(t) == type; });
    state.refuse_unless(known != four_bit_origins.end(), "dtype '", type,
                        "' is not supported (float32, float16, bfloat16 are)");
    out.type = *known;
    const nlohmann::json& extents = state.list("shape");
    if (extents.size() != 2 || !is_size(extents[0]) || !is_size(extents[1]))
      state.fail("shape", "not that of a matrix");
    out.rows = extents[0].get<index_t>();
    out.cols = extents[1].get<index_t>();

    const index_t size = out.rows * out.cols;
    out.codes = bytes("", dtype::u8, (size + 1) / 2);
    const std::byte* values = bytes(".quant_map", dtype::f32, index_t(out.code.size()));
    for (std::size_t i = 0; i < out.code.size(); ++i) out.code[i] = float_at(values, index_t(i));
    out.scales = scales(state, (size + out.block - 1) / out.block);
    state.finish();
    return out;
  }

 private:
  static bool is_size(const nlohmann::json& value) {
    return value.is_number_integer() && value.get<std::int64_t>() > 0 && value.get<std::int64_t>() <= largest_size;
  }
  std::string where() const { return text(from_.folder().string(), ": tensor '", name_, "': four-bit state"); }

  four_bit_scales scales(json_fields& state, index_t count) {
    if (!state.has("nested_blocksize")) return {.at = bytes(".absmax", dtype::f32, count)};
    state.refuse_unless(state.string("nested_dtype") == "float32", "'nested_dtype' is not float32");
    four_bit_scales out;
    out.nested_block = state.integer("nested_blocksize", 1);
    constexpr double most = std::numeric_limits<float>::max();
    out.offset = float(state.number("nested_offset", -most, most));
    out.at = bytes(".absmax", dtype::u8, count);
    out.nested_code = bytes(".nested_quant_map", dtype::f32, 256);
    out.nested_scales = bytes(".nested_absmax", dtype::f32, (count + out.nested_block - 1) / out.nested_block);
    return out;
  }

  stored_tensor part(const std::string& suffix, dtype type) {
    const std::string full = name_ + suffix;
    const stored_tensor found = from_.stored(full);
    require<io_error>(found.type == type, where(), ": '", full, "' is ", mor1e::name_of(found.type), ", not ",
                      mor1e::name_of(type));
    if (!suffix.empty()) parts_.insert(full);
    return found;
  }
  const std::byte* bytes(const std::string& suffix, dtype type, index_t count) {
    const stored_tensor found = part(suffix, type);
    require<io_error>(found.extents.size() == count, where(), ": '", found.name, "' has ", found.extents.size(),
                      " elements, not ", count);
    return static_cast<const std::byte*>(found.data);
  }

  const safetensors_weights& from_;
  std::string name_;
  std::set<std::string>& parts_;
};

}  // namespace detail

MOR1E_INLINE bool bitsandbytes_weights::are(const safetensors_weights& from) {
  const auto names = from.names();
  return std::any_of(names.begin(), names.end(),
                     [](auto& name) { return name.find(detail::four_bit_state) != name.npos; });
}

MOR1E_INLINE bitsandbytes_weights::bitsandbytes_weights(std::unique_ptr<safetensors_weights> from)
    : from_(std::move(from)) {
  std::set<std::string> parts;
  const auto stored = from_->names();
  for (const std::string& full : stored)
    if (const std::size_t at = full.find(detail::four_bit_state); at != full.npos) {
      const std::string name = full.substr(0, at), code = full.substr(at + detail::four_bit_state.size());
      require<io_error>(code == "nf4" || code == "fp4", from_->folder().string(), ": tensor '", full,
                        "' is of a code that is not supported (nf4, fp4 are)");
      const bool added =
          matrices_.emplace(name, matrix{detail::four_bit_reader(*from_, name, parts).read(code), code}).second;
      require<io_error>(added, from_->folder().string(), ": tensor '", name, "' is in two codes");
    }
  std::set_difference(stored.begin(), stored.end(), parts.begin(), parts.end(), std::back_inserter(names_));
}

MOR1E_INLINE const bitsandbytes_weights::matrix* bitsandbytes_weights::find(std::string_view name) const {
  const auto found = matrices_.find(name);
  return found == matrices_.end() ? nullptr : &found->second;
}

MOR1E_INLINE bool bitsandbytes_weights::contains(std::string_view name) const {
  return std::binary_search(names_.begin(), names_.end(), name);
}
MOR1E_INLINE shape bitsandbytes_weights::extents(std::string_view name) const {
  const matrix* m = find(name);
  return m ? shape{m->stored.rows, m->stored.cols} : from_->extents(name);
}
MOR1E_INLINE std::string bitsandbytes_weights::stored_type(std::string_view name) const {
  const matrix* m = find(name);
  return m ? m->code == "nf4" ? "NF4" : "FP4" : from_->stored_type(name);
}
MOR1E_INLINE void bitsandbytes_weights::read(std::string_view name, float* out) const {
  const matrix* m = find(name);
  if (!m) return from_->read(name, out);
  four_bit_rows(m->stored).read_rows(0, {out, m->stored.rows, m->stored.cols});
}
MOR1E_INLINE void bitsandbytes_weights::read(std::string_view name, double* out) const {
  if (!find(name)) return from_->read(name, out);
  const tensor<float> values = load<float>(name);
  std::copy(values.begin(), values.end(), out);
}
MOR1E_INLINE const float* bitsandbytes_weights::mapped_f32(std::string_view name) const {
  return find(name) ? nullptr : from_->mapped_f32(name);
}
MOR1E_INLINE std::unique_ptr<row_source<float>> bitsandbytes_weights::stored_rows(std::string_view name) const {
  const matrix* m = find(name);
  if (!m) return from_->stored_rows(name);
  return std::make_unique<four_bit_rows>(m->stored);
}

}  // namespace mor1e::io
