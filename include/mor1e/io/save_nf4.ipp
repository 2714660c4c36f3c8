#pragma once

#include <cmath>
#include <iterator>
#include <list>
#include <span>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/io/bitsandbytes.hpp"
#include "mor1e/io/integrity.hpp"
#include "mor1e/io/model_folder.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/io/save_nf4.hpp"

namespace mor1e::io {

namespace detail {

/// The tensors of a folder of which some are in NF4.
class nf4_tensors {
 public:
  explicit nf4_tensors(const checkpoint& base) : base_(base) {}

  void add_linear(const std::string& name, nf4_summary& summary) {
    constexpr index_t block = 64;
    const dtype type = float_type_of(name);
    const tensor<float> values = load(name, type);
    const view<const float> w = values.matrix();
    const nf4_matrix coded = to_nf4({values.data(), std::size_t(values.size())}, block);
    const std::string state = nlohmann::json{
        {"quant_type", "nf4"},
        {"blocksize", block},
        {"dtype", full_name_of(type)},
        {"shape",
         {w.rows, w.cols}}}.dump();
    const std::byte* codes = keep(name, dtype::u8, shape{index_t(coded.codes.size()), 1}, coded.codes);
    const std::byte* scales = keep(name + ".absmax", dtype::f32, shape{index_t(coded.scales.size())}, coded.scales);
    keep(name + ".quant_map", dtype::f32, shape{index_t(nf4_code.size())}, nf4_code);
    keep(name + ".quant_state.bitsandbytes__nf4", dtype::u8, shape{index_t(state.size())}, state);

    tensor<float> decoded(values.extents());
    four_bit_rows({w.rows, w.cols, block, type, codes, nf4_code, {.at = scales}}).read_rows(0, decoded.matrix());
    for (index_t i = 0; i < values.size(); ++i) {
      const double is = values[i], off = double(decoded[i]) - is;
      summary.squares += is * is;
      summary.squared_errors += off * off;
    }
    ++summary.linears;
    summary.bytes_before += std::size_t(values.size()) * size_of(type);
    summary.bytes_after += coded.codes.size() + coded.scales.size() * sizeof(float);
  }

  /// As it is, in the type it is stored in.
  void add_other(const std::string& name) {
    const dtype type = float_type_of(name);
    const tensor<float> values = load(name, type);
    if (type == dtype::f32) return void(keep(name, type, values.extents(), values));
    std::vector<std::uint16_t> halves;
    for (const float value : values) halves.push_back(type == dtype::f16 ? float_to_f16(value) : float_to_bf16(value));
    keep(name, type, values.extents(), halves);
  }

  const std::vector<stored_tensor>& all() const { return tensors_; }

 private:
  /// Throws `value_error` for what is no float, or in fewer bits already.
  dtype float_type_of(const std::string& name) const {
    const std::string type = base_.weights->stored_type(name);
    for (const dtype each : four_bit_origins)
      if (type == mor1e::name_of(each)) return each;
    throw value_error(
        text(base_.path.string(), ": tensor '", name, "' is stored as ", type, ", not as F32, F16 or BF16"));
  }
  tensor<float> load(const std::string& name, dtype type) const {
    tensor<float> values = base_.weights->load<float>(name);
    base_.weights->drop(name);
    const stored_tensor named[] = {{name, dtype::f32, values.extents(), values.data()}};
    require_finite(named, text(base_.path.string(), " (", mor1e::name_of(type), ")"));
    return values;
  }
  template <class Values>
  const std::byte* keep(std::string name, dtype type, const shape& extents, const Values& values) {
    const auto bytes = std::as_bytes(std::span(std::data(values), std::size_t(std::size(values))));
    const auto& kept = kept_.emplace_back(bytes.begin(), bytes.end());
    tensors_.push_back({std::move(name), type, extents, kept.data()});
    return kept.data();
  }

  const checkpoint& base_;
  std::vector<stored_tensor> tensors_;
  std::list<std::vector<std::byte>> kept_;
};

}  // namespace detail

MOR1E_INLINE double nf4_summary::relative_error() const {
  return squares > 0 ? std::sqrt(squared_errors / squares) : 0;
}

MOR1E_INLINE nf4_summary save_nf4(const std::filesystem::path& folder, const checkpoint& base,
                                  const std::set<std::string>& linears,
                                  const std::map<std::string, std::string>& others,
                                  const std::function<void(std::size_t, std::size_t)>& done) {
  for (const std::string& name : linears)
    require<io_error>(base.weights->contains(name), base.path.string(), ": no tensor '", name, "'");
  nf4_summary summary;
  detail::nf4_tensors tensors(base);
  const std::vector<std::string> names = base.weights->names();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (linears.count(names[i]))
      tensors.add_linear(names[i], summary);
    else
      tensors.add_other(names[i]);
    if (done) done(i + 1, names.size());
  }
  nlohmann::json config = base.config;
  std::string type(full_name_of(dtype::f32));
  for (const char* key : {"torch_dtype", "dtype"})
    for (const dtype each : four_bit_origins)
      if (config.contains(key) && config[key] == full_name_of(each)) type = full_name_of(each);
  config["quantization_config"] = {{"quant_method", "bitsandbytes"},
                                   {"load_in_4bit", true},
                                   {"load_in_8bit", false},
                                   {"bnb_4bit_quant_type", "nf4"},
                                   {"bnb_4bit_use_double_quant", false},
                                   {"bnb_4bit_compute_dtype", type},
                                   {"bnb_4bit_quant_storage", "uint8"}};
  write_model_folder(folder, config, tensors.all(), others);
  return summary;
}

}  // namespace mor1e::io
