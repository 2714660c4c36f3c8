#include "mor1e/io/safetensors.hpp"

#include <cstring>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;
using namespace mor1e::io;
using mor1e::testing::temporary_folder;

namespace {

constexpr dtype all_types[] = {dtype::f64, dtype::f32, dtype::f16, dtype::bf16, dtype::i64, dtype::i32,    dtype::i16,
                               dtype::i8,  dtype::u64, dtype::u32, dtype::u16,  dtype::u8,  dtype::boolean};

}  // namespace

TEST_CASE("every dtype and rank comes back byte for byte") {
  temporary_folder folder;
  const shape shapes[] = {shape{}, shape{0}, shape{3}, shape{2, 3}, shape{2, 0, 3}, shape{1, 2, 3, 4}};
  std::vector<std::vector<unsigned char>> contents;
  std::vector<stored_tensor> tensors;
  for (const dtype type : all_types)
    for (const shape& extents : shapes) {
      std::vector<unsigned char> content(std::size_t(extents.size()) * size_of(type));
      for (std::size_t i = 0; i < content.size(); ++i) content[i] = (unsigned char)(contents.size() * 31 + i * 7 + 1);
      contents.push_back(std::move(content));
      tensors.push_back({text(name_of(type), extents.str()), type, extents, contents.back().data()});
    }
  const std::map<std::string, std::string> metadata{{"format", "pt"}, {"note", "caf\u00e9 \"quoted\"\n"}};
  write_safetensors(folder / "t", tensors, metadata);

  const safetensors_file file(folder / "t");
  CHECK(file.metadata() == metadata);
  REQUIRE(file.entries().size() == tensors.size());
  for (std::size_t i = 1; i < tensors.size(); ++i) CHECK(file.entries()[i - 1].name < file.entries()[i].name);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    CAPTURE(tensors[i].name);
    const auto& entry = file.at(tensors[i].name);
    CHECK(entry.type == tensors[i].type);
    CHECK(entry.extents == tensors[i].extents);
    CHECK(entry.offset % size_of(entry.type) == 0);
    REQUIRE(file.bytes(entry).size() == contents[i].size());
    CHECK(std::equal(contents[i].begin(), contents[i].end(),
                     reinterpret_cast<const unsigned char*>(file.bytes(entry).data())));
    file.drop(entry);
  }
  for (const char* absent : {"", "A", "F32", "none"}) CHECK(file.find(absent) == nullptr);
  CHECK_THROWS_WITH_AS(file.at("none"), doctest::Contains("t: no tensor 'none'"), io_error);
}

TEST_CASE("the layout on disk: length, JSON padded to 8, data by falling element size") {
  temporary_folder folder;
  const std::uint8_t small[] = {1, 2, 3};
  const double large[] = {0.5};
  const stored_tensor tensors[] = {{"a", dtype::u8, {3}, small}, {"b", dtype::f64, {1}, large}};
  const stored_tensor reversed[] = {tensors[1], tensors[0]};
  write_safetensors(folder / "t", tensors);
  write_safetensors(folder / "r", reversed);
  const std::string content = read_text(folder / "t");
  CHECK(content == read_text(folder / "r"));
  std::uint64_t header = 0;
  std::memcpy(&header, content.data(), 8);
  CHECK(header % 8 == 0);
  CHECK(nlohmann::json::parse(content.substr(8, header)) ==
        nlohmann::json::parse(R"({"b": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]},
                                  "a": {"dtype": "U8", "shape": [3], "data_offsets": [8, 11]}})"));
  CHECK(content.size() == 8 + header + 11);
  CHECK(content.substr(content.size() - 3) == "\1\2\3");

  write_safetensors(folder / "empty", {});
  CHECK(safetensors_file(folder / "empty").find("w") == nullptr);
}

TEST_CASE("floats and integers are converted on reading") {
  temporary_folder folder;
  const double f64[] = {0.1, -2};
  const float f32[] = {0.1f, -2};
  const std::uint16_t f16[] = {0x3800, 0xc000}, bf16[] = {0x3f00, 0xc000};
  const std::int64_t i64[] = {-7, 1ll << 40};
  const std::int32_t i32[] = {-7, 8};
  const std::uint8_t flags[] = {0, 1};
  const stored_tensor tensors[] = {{"f64", dtype::f64, {2}, f64},        {"f32", dtype::f32, {2}, f32},
                                   {"f16", dtype::f16, {2}, f16},        {"bf16", dtype::bf16, {2}, bf16},
                                   {"i64", dtype::i64, {1, 2}, i64},     {"i32", dtype::i32, {2}, i32},
                                   {"flags", dtype::boolean, {2}, flags}};
  write_safetensors(folder / "t", tensors);
  const safetensors_file file(folder / "t");

  CHECK(file.read<double>("f64")[0] == 0.1);
  CHECK(file.read<float>("f64")[0] == 0.1f);
  CHECK(file.read<double>("f32")[0] == double(0.1f));
  CHECK(file.read<float>("f32")[1] == -2);
  CHECK(file.read<float>("f16")[0] == 0.5f);
  CHECK(file.read<double>("bf16")[0] == 0.5);
  CHECK(file.read<double>("bf16")[1] == -2);
  CHECK(file.read<std::int64_t>("i64").extents() == shape{1, 2});
  CHECK(file.read<std::int64_t>("i64")[1] == 1ll << 40);
  CHECK(file.read<std::int64_t>("i32")[0] == -7);
  CHECK(file.read<std::int32_t>("i32")[1] == 8);
  CHECK(file.read<std::int32_t>("flags")[1] == 1);
  CHECK_THROWS_WITH_AS(file.read<std::int32_t>("i64"),
                       doctest::Contains("tensor 'i64': 1099511627776 does not fit I32"), io_error);
  CHECK_THROWS_WITH_AS(file.read<float>("i32"), doctest::Contains("tensor 'i32': stored as I32, cannot be read as F32"),
                       io_error);
  CHECK_THROWS_WITH_AS(file.read<std::int64_t>("f16"), doctest::Contains("stored as F16"), io_error);
}

TEST_CASE("a host tensor is stored under its own dtype") {
  temporary_folder folder;
  tensor<float> weight({2, 3}, 1.5f);
  write_safetensors(folder / "t", std::vector{stored("w", weight)});
  CHECK(safetensors_file(folder / "t").at("w").type == dtype::f32);
  CHECK(safetensors_file(folder / "t").read<float>("w")[5] == 1.5f);
}

TEST_CASE("what cannot be written is refused and leaves no file") {
  temporary_folder folder;
  const float one = 1;
  const auto write = [&](std::string a, std::string b, std::map<std::string, std::string> metadata = {}) {
    const stored_tensor tensors[] = {{a, dtype::f32, {1}, &one}, {b, dtype::f32, {1}, &one}};
    write_safetensors(folder / "t", tensors, metadata);
  };
  CHECK_THROWS_WITH_AS(write("a", "a"), doctest::Contains("tensor 'a' is given twice"), io_error);
  CHECK_THROWS_WITH_AS(write("a", "__metadata__"), doctest::Contains("reserved"), io_error);
  CHECK_THROWS_WITH_AS(write("a", "\xff"), doctest::Contains("not UTF-8"), io_error);
  CHECK_THROWS_WITH_AS(write("a", "b", {{"k", "\xff"}}), doctest::Contains("not UTF-8"), io_error);
  CHECK(std::filesystem::is_empty(folder.path()));
}
