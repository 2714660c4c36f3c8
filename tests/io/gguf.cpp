#include "mor1e/io/gguf.hpp"

#include <set>
#include <span>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "io/gguf_writer.hpp"
#include "mor1e/io/gguf_dequantise.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/io/sha256.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;
using namespace mor1e::io;
using mor1e::testing::gguf_writer;
using mor1e::testing::temporary_folder;

namespace {

std::filesystem::path golden() { return mor1e::testing::golden_folder() / "gguf"; }

tensor<float> dequantised(const gguf_file& file, const gguf_tensor& stored) {
  tensor<float> out(stored.extents);
  dequantise(stored.type, file.bytes(stored).data(), out.size(), out.data(), stored.name);
  return out;
}

}  // namespace

TEST_CASE("golden tensors: the same bytes for plain types, 1e-6 for k-quants") {
  const gguf_file file(golden() / "types.gguf");
  const safetensors_file reference(golden() / "golden.safetensors");
  const auto described = read_json(golden() / "golden.json")["tensors"];
  REQUIRE(file.tensors().size() == described.size());
  std::set<std::string> types;
  for (const auto& stored : file.tensors()) {
    CAPTURE(stored.name);
    types.emplace(name_of(stored.type));
    const bool k_quant = name_of(stored.type).ends_with("_K");
    const auto expected = reference.read<float>(stored.name);
    REQUIRE(stored.extents == expected.extents());
    const auto ours = dequantised(file, stored);
    CHECK(mor1e::testing::violation(ours.data(), expected.data(), expected.size(), {.atol = k_quant ? 1e-6 : 0}) == "");
    if (!k_quant)
      CHECK(sha256_of(std::as_bytes(std::span(ours.begin(), ours.end()))) == described[stored.name]["sha256_f32"]);
  }
  CHECK(types ==
        std::set<std::string>{"F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"});
}

TEST_CASE("golden metadata of every kind") {
  const gguf_file file(golden() / "types.gguf");
  CHECK(file.version() == 3);
  int compared = 0;
  const auto described = read_json(golden() / "golden.json")["metadata"];
  for (const auto& item : described.items()) {
    const std::string& key = item.key();
    const auto& expected = item.value();
    CAPTURE(key);
    REQUIRE(file.contains(key));
    ++compared;
    if (expected.is_string())
      CHECK(file.string(key) == expected);
    else if (expected.is_boolean())
      CHECK(file.boolean(key) == expected);
    else if (expected.is_number_integer())
      CHECK(file.integer(key) == expected);
    else if (expected.is_number())
      CHECK(file.number(key) == expected);
    else if (expected[0].is_string())
      CHECK(nlohmann::json(file.strings(key)) == expected);
    else if (expected[0].is_number_integer())
      CHECK(nlohmann::json(file.integers(key)) == expected);
    else
      CHECK(nlohmann::json(file.numbers(key)) == expected);
  }
  CHECK(compared > 10);
}

TEST_CASE("every width of integer, arrays of arrays, version 2") {
  temporary_folder folder;
  const auto raw = [](auto v) { return gguf_writer::raw(v); };
  gguf_writer(2)
      .value("u8", 0, raw(std::uint8_t(255)))
      .value("i8", 1, raw(std::int8_t(-128)))
      .value("u16", 2, raw(std::uint16_t(65535)))
      .value("i16", 3, raw(std::int16_t(-2)))
      .value("u32", 4, raw(std::uint32_t(4294967295u)))
      .value("i32", 5, raw(std::int32_t(-3)))
      .value("f32", 6, raw(0.5f))
      .value("yes", 7, raw(std::uint8_t(1)))
      .value("u64", 10, raw(std::uint64_t(1) << 62))
      .value("huge", 10, raw(~std::uint64_t(0)))
      .value("i64", 11, raw(std::int64_t(-4)))
      .value("f64", 12, raw(0.25))
      .array("bytes", 0, 3, "abc")
      .array("empty", 8, 0, "")
      .array("nested", 9, 2,
             raw(std::uint32_t(0)) + raw(std::uint64_t(1)) + "x" + raw(std::uint32_t(8)) + raw(std::uint64_t(1)) +
                 gguf_writer::raw_text("deep"))
      .text("last", "after the nested one")
      .write(folder / "t.gguf");
  const gguf_file file(folder / "t.gguf");
  CHECK(file.version() == 2);
  CHECK(file.keys().size() == 16);
  CHECK(file.integer("u8") == 255);
  CHECK(file.integer("i8") == -128);
  CHECK(file.integer("u16") == 65535);
  CHECK(file.integer("i16") == -2);
  CHECK(file.integer("u32") == 4294967295ll);
  CHECK(file.integer("i32") == -3);
  CHECK(file.integer("u64") == 1ll << 62);
  CHECK(file.integer("i64") == -4);
  CHECK(file.number("f32") == 0.5);
  CHECK(file.number("f64") == 0.25);
  CHECK(file.number("i64") == -4);
  CHECK(file.number("huge") == 18446744073709551616.0);
  CHECK(file.boolean("yes"));
  CHECK(file.integers("bytes") == std::vector<std::int64_t>{'a', 'b', 'c'});
  CHECK(file.numbers("bytes") == std::vector<double>{'a', 'b', 'c'});
  CHECK(file.strings("empty").empty());
  CHECK(file.string("last") == "after the nested one");

  using doctest::Contains;
  CHECK_THROWS_WITH_AS(file.integer("none"), Contains("t.gguf: no metadata 'none'"), io_error);
  CHECK_THROWS_WITH_AS(file.integer("huge"), Contains("metadata 'huge' is uint64, wanted an integer that fits int64"),
                       io_error);
  CHECK_THROWS_WITH_AS(file.integer("f32"), Contains("metadata 'f32' is float32, wanted an integer"), io_error);
  CHECK_THROWS_WITH_AS(file.integer("yes"), Contains("metadata 'yes' is bool, wanted an integer"), io_error);
  CHECK_THROWS_WITH_AS(file.integer("bytes"), Contains("is an array of uint8, wanted an integer"), io_error);
  CHECK_THROWS_WITH_AS(file.number("last"), Contains("is string, wanted a number"), io_error);
  CHECK_THROWS_WITH_AS(file.string("u8"), Contains("is uint8, wanted a string"), io_error);
  CHECK_THROWS_WITH_AS(file.boolean("u8"), Contains("is uint8, wanted a bool"), io_error);
  CHECK_THROWS_WITH_AS(file.strings("bytes"), Contains("is an array of uint8, wanted an array of strings"), io_error);
  CHECK_THROWS_WITH_AS(file.strings("last"), Contains("is string, wanted an array of strings"), io_error);
  CHECK_THROWS_WITH_AS(file.integers("empty"), Contains("wanted an array of integers"), io_error);
  CHECK_THROWS_WITH_AS(file.numbers("u8"), Contains("is uint8, wanted an array of numbers"), io_error);
  CHECK_THROWS_WITH_AS(file.numbers("nested"), Contains("is an array of array, wanted an array of numbers"), io_error);
}

TEST_CASE("alignment, shapes in row order, and types that can be listed but not decoded") {
  temporary_folder folder;
  // With the note the header ends at byte 145: at an alignment of 32 the data would begin elsewhere.
  std::string content = gguf_writer()
                            .u32("general.alignment", 64)
                            .text("note", std::string(23, 'x'))
                            .describe("w", {3, 2}, 0, 64)
                            .content();
  REQUIRE(content.size() == 145);
  content.resize((content.size() + 63) / 64 * 64 + 64);  // up to the data, and up to w in it
  for (const float v : {1, 2, 3, 4, 5, 6}) content += gguf_writer::raw(v);
  std::ofstream(folder / "t.gguf", std::ios::binary) << content;
  const gguf_file file(folder / "t.gguf");
  CHECK(file.at("w").extents == shape{2, 3});
  CHECK(file.at("w").offset % 64 == 0);
  CHECK(dequantised(file, file.at("w"))[5] == 6);
  file.drop(file.at("w"));
  CHECK_THROWS_WITH_AS(file.at("none"), doctest::Contains("t.gguf: no tensor 'none'"), io_error);

  gguf_writer().tensor("q", {256}, 10, std::string(84, '\0')).write(folder / "k.gguf");
  const gguf_file other(folder / "k.gguf");
  CHECK_THROWS_WITH_AS(dequantised(other, other.at("q")), doctest::Contains("q: type Q2_K (10) cannot be decoded"),
                       io_error);
}
