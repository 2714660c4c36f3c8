// Matrices in four bits, held against what bitsandbytes 0.50 makes and reads.
#include "mor1e/io/bitsandbytes.hpp"

#include <array>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/core/tensor.hpp"
#include "mor1e/io/bitsandbytes_weights.hpp"
#include "mor1e/io/checkpoint.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;
using namespace mor1e::io;
using doctest::Contains;
using mor1e::testing::temporary_folder;

namespace {

constexpr index_t rows = 3, cols = 30, block = 64;  // a block ends inside the last row

/// The matrix that bitsandbytes was given.
std::vector<float> given() {
  std::vector<float> out;
  for (int i = 0; i < rows * cols; ++i) out.push_back(float((i * 37 % 101 - 50) / 1000.0));
  return out;
}
std::vector<float> rounded_to_bf16(std::vector<float> values) {
  for (float& value : values) value = bf16_to_float(float_to_bf16(value));
  return values;
}

/// What it made of it, and what that decodes to, as bfloat16.
const std::string nf4_of_f32 =
    "04c16e29f3b05d17e29f3c05d18e2af4c16e18e3b05d17e29f3b05d18e2af4c16e18e3b04d17e29f3b05d17e2a";
const std::string nf4_of_bf16 =
    "04c16e29f3b05d17e29f4c05d18e2af4c16e18e3b05d17e29f3b05d18e2af4c16e18e3b04d17e29f3b05d17e2a";
const std::string fp4 = "bf5a92a63c4be5a02d63c4be2a12d73f5a92a63d4bf5a92d63c4be5a12d73c5be2a63d4bf5a92a63c4be5a12d7";
const std::string nf4_decoded =
    "bd4dbc693cb5bd0fbb953d14bcd73c043d4dbca23c8bbd4dbc183ce7bd0f00003d14bcd73c043d4dbc693cb5bd4dbc183ce7bd0f3b833d14"
    "bcd73c4a3d4dbc693cb5bd0fbb953d14bd0f3b833d14bca23c8bbd4dbc183ce7bd0f00003d14bcd73c043d4dbca23c8bbd4dbc183ce7bd0f"
    "3b833d14bcd73c4a3d4dbc693cb5bd0fbb923d11bd0c3b803d11bc9f3c88bd49bc653ce2bd0c00003d11bcd33c013d49bc9f3c88bd49bc15"
    "3ce2bd0c00003d11bcd33c46";
const std::string fp4_decoded =
    "bd4dbc4d3ccdbd09b9893d09bd093c093d4dbc893c89bd4dbc093ccdbd0900003d09bccd3c093d4dbc893c89bd4dbc093d09bd0939893d09"
    "bccd3c4d3d4dbc4d3ccdbd09b9893d09bd093c093d4dbccd3c89bd4dbc4d3ccdbd09b9893d09bccd3c093d4dbc893c89bd4dbc093ccdbd09"
    "39893d09bccd3c4d3d4dbc893ccdbd4dbc063d06bd063c063d49bcc93c86bd49bc493cc9bd06b9863d06bd063c063d49bc863c86bd49bc06"
    "3cc9bd0639863d06bcc93c49";
constexpr std::array<float, 16> fp4_code = {
    0.0F,  0.005208333333333333F,  0.66666667F,  1.0F,  0.33333333F,  0.5F,  0.16666667F,  0.25F,
    -0.0F, -0.005208333333333333F, -0.66666667F, -1.0F, -0.33333333F, -0.5F, -0.16666667F, -0.25F};

std::vector<std::uint8_t> bytes_of(const std::string& hex) {
  std::vector<std::uint8_t> out;
  for (std::size_t i = 0; i < hex.size(); i += 2) out.push_back(std::uint8_t(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return out;
}
std::string hex_of_bf16(const tensor<float>& values) {
  std::string out;
  for (const float value : values) {
    CHECK(bf16_to_float(float_to_bf16(value)) == value);
    char four[5];
    std::snprintf(four, sizeof four, "%04x", float_to_bf16(value));
    out += four;
  }
  return out;
}

/// The tensors of a folder with the matrix `w.weight` and a vector.
struct four_bit_folder {
  std::string code = "nf4";
  nlohmann::json state = {{"quant_type", "nf4"}, {"blocksize", block}, {"dtype", "bfloat16"}, {"shape", {rows, cols}}};
  std::vector<std::uint8_t> codes = bytes_of(nf4_of_bf16);
  std::vector<float> values{nf4_code.begin(), nf4_code.end()}, scales{0.050048828125F, 0.049072265625F};
  std::map<std::string, std::vector<float>> more;  // further float tensors
  std::vector<std::uint8_t> byte_scales;           // of double quantisation
  bool has_map = true;

  void write(const std::filesystem::path& folder) const {
    const float bias[] = {1, 2, 3};
    const std::string text_of_state = state.dump();
    std::vector<stored_tensor> all = {{"w.bias", dtype::f32, {3}, bias},
                                      {"w.weight", dtype::u8, {index_t(codes.size()), 1}, codes.data()},
                                      {"w.weight.quant_state.bitsandbytes__" + code,
                                       dtype::u8,
                                       {index_t(text_of_state.size())},
                                       text_of_state.data()}};
    if (has_map) all.push_back({"w.weight.quant_map", dtype::f32, {index_t(values.size())}, values.data()});
    if (byte_scales.empty())
      all.push_back({"w.weight.absmax", dtype::f32, {index_t(scales.size())}, scales.data()});
    else
      all.push_back({"w.weight.absmax", dtype::u8, {index_t(byte_scales.size())}, byte_scales.data()});
    for (const auto& [name, held] : more) all.push_back({name, dtype::f32, {index_t(held.size())}, held.data()});
    write_safetensors(folder / "model.safetensors", all);
  }
  std::unique_ptr<bitsandbytes_weights> open() const {
    const temporary_folder folder;
    write(folder.path());
    auto files = std::make_unique<safetensors_weights>(folder.path());
    REQUIRE(bitsandbytes_weights::are(*files));
    return std::make_unique<bitsandbytes_weights>(std::move(files));
  }
};

}  // namespace

TEST_CASE("NF4 of a matrix is what bitsandbytes makes of it") {
  const nf4_matrix of_f32 = to_nf4(given(), block);
  CHECK(of_f32.codes == bytes_of(nf4_of_f32));
  CHECK(of_f32.scales == std::vector<float>{0.05F, 0.049F});
  const nf4_matrix of_bf16 = to_nf4(rounded_to_bf16(given()), block);
  CHECK(of_bf16.codes == bytes_of(nf4_of_bf16));
  CHECK(of_bf16.scales == std::vector<float>{0.050048828125F, 0.049072265625F});
  const nf4_matrix zeros = to_nf4(std::vector<float>(5, 0.0F), block);
  CHECK(zeros.codes == std::vector<std::uint8_t>{0x77, 0x77, 0x70});
  CHECK(zeros.scales == std::vector<float>{0});
}

TEST_CASE("a matrix in four bits is what bitsandbytes reads") {
  four_bit_folder folder;
  const auto weights = folder.open();
  CHECK(weights->names() == std::vector<std::string>{"w.bias", "w.weight"});
  CHECK(weights->contains("w.weight"));
  CHECK(!weights->contains("w.weight.absmax"));
  CHECK(weights->extents("w.weight") == shape{rows, cols});
  CHECK(weights->stored_type("w.weight") == "NF4");
  CHECK(weights->mapped_f32("w.weight") == nullptr);
  CHECK(weights->load<float>("w.bias")[2] == 3);
  const tensor<float> all = weights->load<float>("w.weight");
  CHECK(hex_of_bf16(all) == nf4_decoded);
  CHECK(weights->load<double>("w.weight")[7] == double(all[7]));

  const auto stored = weights->stored_rows("w.weight");
  tensor<float> last({2, cols});
  stored->read_rows(1, last.matrix());
  for (index_t i = 0; i < last.size(); ++i) CHECK(last[i] == all[cols + i]);

  folder.code = "fp4", folder.state["quant_type"] = "fp4", folder.codes = bytes_of(fp4);
  folder.values.assign(fp4_code.begin(), fp4_code.end());
  CHECK(folder.open()->stored_type("w.weight") == "FP4");
  CHECK(hex_of_bf16(folder.open()->load<float>("w.weight")) == fp4_decoded);

  // Unrounded: the products themselves.
  folder = {};
  folder.state["dtype"] = "float32", folder.codes = bytes_of(nf4_of_f32), folder.scales = {0.05F, 0.049F};
  const auto exact = folder.open()->load<float>("w.weight");
  CHECK(exact[0] == -0x1.99999ap-5F);
  CHECK(exact[63] == -0x1.1d291cp-5F);
  CHECK(exact[64] == -0x1.2462bcp-8F);
  CHECK(exact[89] == 0x1.8b2a70p-7F);
  folder.state["dtype"] = "float16", folder.scales = {0.04998779296875F, 0.04901123046875F};
  CHECK(folder.open()->load<float>("w.weight")[63] == -0x1.1dp-5F);
}

TEST_CASE("scales may be bytes with scales of their own") {
  four_bit_folder folder;
  std::vector<float> code;
  for (int i = 0; i < 256; ++i) code.push_back(float(i - 128) / 128);
  folder.byte_scales = {160, 64};
  folder.more = {{"w.weight.nested_quant_map", code}, {"w.weight.nested_absmax", {0.5F, 0.25F}}};
  folder.state["dtype"] = "float32";
  folder.state["nested_blocksize"] = 1, folder.state["nested_dtype"] = "float32", folder.state["nested_offset"] = 0.125;
  const auto values = folder.open()->load<float>("w.weight");
  CHECK(values[0] == -(0.25F * 0.5F + 0.125F));                 // code -1
  CHECK(values[64] == nf4_code[6] * (-0.5F * 0.25F + 0.125F));  // the scale of the second block is 0
}

TEST_CASE("four-bit parts that do not fit together are refused by name") {
  const auto refused = [](auto change) {
    four_bit_folder folder;
    change(folder);
    try {
      folder.open();
    } catch (const error& e) {
      return doctest::String(e.what());
    }
    return doctest::String("taken");
  };
  using f = four_bit_folder&;
  CHECK(refused([](f) {}) == "taken");
  CHECK(refused([](f x) { x.scales.pop_back(); }) ==
        Contains("tensor 'w.weight': four-bit state: 'w.weight.absmax' has 1 elements, not 2"));
  CHECK(refused([](f x) { x.codes.pop_back(); }) == Contains("'w.weight' has 44 elements, not 45"));
  CHECK(refused([](f x) { x.values.pop_back(); }) == Contains("'w.weight.quant_map' has 15 elements, not 16"));
  CHECK(refused([](f x) { x.has_map = false; }) == Contains("no tensor 'w.weight.quant_map'"));
  CHECK(refused([](f x) { x.byte_scales = {1, 2}; }) == Contains("'w.weight.absmax' is U8, not F32"));
  CHECK(refused([](f x) { x.state["quant_type"] = "fp4"; }) == Contains("'quant_type' is not nf4"));
  CHECK(refused([](f x) { x.state["dtype"] = "int8"; }) == Contains("dtype 'int8' is not supported"));
  CHECK(refused([](f x) { x.state["shape"] = {90}; }) == Contains("'shape' is [90], not that of a matrix"));
  CHECK(refused([](f x) { x.state["shape"] = {-3, 30}; }) == Contains("'shape' is [-3,30]"));
  CHECK(refused([](f x) { x.state["shape"] = {3000000000LL, 3000000000LL}; }) == Contains("'shape' is"));
  CHECK(refused([](f x) { x.state["blocksize"] = 0; }) == Contains("'blocksize' is 0"));
  CHECK(refused([](f x) { x.state.erase("blocksize"); }) == Contains("'blocksize'"));
  CHECK(refused([](f x) { x.state["quant_type"] = x.code = "q4"; }) == Contains("of a code that is not supported"));
  CHECK(refused([](f x) { x.state["bits"] = 3; }) == Contains("\"bits\": 3 is not known"));
  CHECK(refused([](f x) { x.state["nested_blocksize"] = 256; }) == Contains("'nested_dtype'"));
}
