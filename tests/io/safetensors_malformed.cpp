// Every way a safetensors file can be wrong is one io_error that names the file and what is wrong.
#include <cstring>
#include <fstream>
#include <random>

#include <doctest/doctest.h>

#include "mor1e/io/safetensors.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;
using namespace mor1e::io;
using mor1e::testing::temporary_folder;

namespace {

// Without the flush to disk of write_text: there are thousands of these files.
void write_quickly(const std::filesystem::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

std::string with_header(std::uint64_t length, std::string_view rest) {
  std::string content(8, '\0');
  std::memcpy(content.data(), &length, 8);
  return content.append(rest);
}

/// The error of opening a file of this header and `data` zero bytes; "opened" if there is none.
std::string error_of_content(const std::string& content) {
  temporary_folder folder;
  write_quickly(folder / "t.safetensors", content);
  try {
    safetensors_file file(folder / "t.safetensors");
    return "opened";
  } catch (const io_error& e) {
    const std::string what = e.what();
    CHECK(what.find("t.safetensors: ") != std::string::npos);
    CHECK(what.find('\n') == std::string::npos);
    return what.substr(what.find("t.safetensors: ") + 15);
  }
}
std::string error_of(std::string_view header, std::size_t data = 0) {
  return error_of_content(with_header(header.size(), header) + std::string(data, '\0'));
}

}  // namespace

TEST_CASE("the helper opens what is right") {
  CHECK(error_of("{}") == "opened");
  CHECK(error_of(R"({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}   )", 8) == "opened");
  CHECK(error_of(R"({"w": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]},
                     "e": {"dtype": "F32", "shape": [0, 9], "data_offsets": [4, 4]}})",
                 4) == "opened");
}

TEST_CASE("header lengths") {
  CHECK(error_of_content("") == "0 bytes are too few for a safetensors file");
  CHECK(error_of_content("1234567") == "7 bytes are too few for a safetensors file");
  CHECK(error_of_content(with_header(3, "{}")) == "header of 3 bytes is longer than the file, 10 bytes");
  CHECK(error_of_content(with_header(1ull << 63, "{}")) ==
        "header of 9223372036854775808 bytes is longer than the file, 10 bytes");
  CHECK(error_of_content(with_header(~0ull, "{}")).find("longer than the file") != std::string::npos);
}

TEST_CASE("header text") {
  CHECK(error_of("").find("header: not valid JSON at byte") == 0);
  CHECK(error_of("{\"w\": ").find("header: not valid JSON at byte") == 0);
  CHECK(error_of("{}x") == "header: not valid JSON at byte 3");
  CHECK(error_of(std::string("{}\0\0", 4)) == "header: not valid JSON at byte 3: a zero byte");
  CHECK(error_of("{\"\xff\": 1}").find("header: not valid JSON") == 0);
  CHECK(error_of("{\"w\": 1e999}").find("header: not valid JSON") == 0);
  CHECK(error_of("[]") == "header is not a JSON object");
  CHECK(error_of(std::string(200000, '[')) == "header: JSON nested deeper than 512");
  CHECK(error_of(R"({"__metadata__": []})") == "__metadata__ is not an object");
  CHECK(error_of(R"({"__metadata__": {"n": 1}})") == "__metadata__ 'n' is not a string");
  const std::string entry = R"({"dtype": "F32", "shape": [1], "data_offsets": [0, 4]})";
  CHECK(error_of("{\"w\": " + entry + ", \"w\": " + entry + "}", 4) == "header: key \"w\" stands twice in an object");
  CHECK(error_of(R"({"w": {"dtype": "F32", "dtype": "F64", "shape": [1], "data_offsets": [0, 4]}})", 4) ==
        "header: key \"dtype\" stands twice in an object");
}

TEST_CASE("tensor descriptions") {
  const auto entry = [](std::string_view dtype, std::string_view dims, std::string_view offsets, std::size_t data = 8) {
    return error_of(text("{\"w\": {\"dtype\": ", dtype, ", \"shape\": ", dims, ", \"data_offsets\": ", offsets, "}}"),
                    data);
  };
  CHECK(error_of(R"({"w": 1})") == "tensor 'w': needs dtype, shape and data_offsets");
  CHECK(error_of(R"({"w": {"dtype": "F32", "shape": [1]}})") == "tensor 'w': needs dtype, shape and data_offsets");
  CHECK(entry("7", "[2]", "[0, 8]") == "tensor 'w': dtype is not a string");
  CHECK(entry("\"F8_E4M3\"", "[8]", "[0, 8]") == "tensor 'w': dtype F8_E4M3 is not supported");
  CHECK(entry("\"F32\"", "2", "[0, 8]") == "tensor 'w': shape is not a list of sizes");
  CHECK(entry("\"F32\"", "[-2]", "[0, 8]") == "tensor 'w': shape is not a list of sizes");
  CHECK(entry("\"F32\"", "[2.0]", "[0, 8]") == "tensor 'w': shape is not a list of sizes");
  CHECK(entry("\"F32\"", "[99999999999999999999]", "[0, 8]") == "tensor 'w': shape is not a list of sizes");
  CHECK(entry("\"F32\"", "[2, 1, 1, 1, 1]", "[0, 8]") == "tensor 'w': rank 5 exceeds 4");
  CHECK(entry("\"F32\"", "[2]", "[0]") == "tensor 'w': data_offsets is not [begin, end]");
  CHECK(entry("\"F32\"", "[2]", "[-8, 0]") == "tensor 'w': data_offsets is not [begin, end]");
  CHECK(entry("\"F32\"", "[2]", "[8, 0]") == "tensor 'w': data_offsets [8, 0] end before they begin");
  CHECK(entry("\"F32\"", "[3]", "[0, 12]") == "tensor 'w': data_offsets [0, 12] reach beyond the data, 8 bytes");
  CHECK(entry("\"F32\"", "[3]", "[0, 8]") == "tensor 'w': data_offsets [0, 8] hold 8 bytes, F32 [3] needs 12");
  // Products that overflow: 2^63 elements, 2^62 * 4 bytes = 2^64, 2^32 * 2^32 elements = 0 mod 2^64.
  CHECK(entry("\"U8\"", "[9223372036854775808]", "[0, 8]").find("larger than any file") != std::string::npos);
  CHECK(entry("\"F32\"", "[4611686018427387904]", "[0, 0]").find("larger than any file") != std::string::npos);
  CHECK(entry("\"F32\"", "[4294967296, 4294967296]", "[0, 0]").find("larger than any file") != std::string::npos);
}

TEST_CASE("tensors must cover the data exactly") {
  const auto two = [](std::string_view a, std::string_view b, std::size_t data) {
    return error_of(text(R"({"a": {"dtype": "U8", "shape": [4], "data_offsets": )", a,
                         R"(}, "b": {"dtype": "U8", "shape": [4], "data_offsets": )", b, "}}"),
                    data);
  };
  CHECK(two("[0, 4]", "[4, 8]", 8) == "opened");
  CHECK(two("[4, 8]", "[0, 4]", 8) == "opened");
  CHECK(two("[0, 4]", "[2, 6]", 6) == "tensor 'b' begins at data byte 2, inside tensor 'a' that ends at 4");
  CHECK(two("[0, 4]", "[0, 4]", 4).find("inside tensor") != std::string::npos);
  CHECK(two("[0, 4]", "[6, 10]", 10) == "data bytes 4 to 6 before tensor 'b' belong to no tensor");
  CHECK(two("[0, 4]", "[4, 8]", 9) == "data bytes 8 to 9 belong to no tensor");
}

TEST_CASE("a file cut anywhere is refused, and no damaged byte crashes") {
  temporary_folder folder;
  const float values[6] = {1, 2, 3, 4, 5, 6};
  const stored_tensor tensors[] = {{"a", dtype::f32, {2, 3}, values}, {"b", dtype::u8, {5}, values}};
  write_safetensors(folder / "whole", tensors, {{"k", "v"}});
  const std::string whole = read_text(folder / "whole");
  int opened = 0;
  for (std::size_t length = 0; length < whole.size(); ++length)
    opened += error_of_content(whole.substr(0, length)) == "opened";
  CHECK(opened == 0);

  std::mt19937 random(1);
  for (int trial = 0; trial < 3000; ++trial) {
    std::string damaged = whole;
    for (int i = 0; i < 1 + trial % 3; ++i) damaged[random() % damaged.size()] = char(random());
    write_quickly(folder / "damaged", damaged);
    try {
      const safetensors_file file(folder / "damaged");
      for (const auto& entry : file.entries()) CHECK(entry.offset + entry.bytes <= damaged.size());
    } catch (const io_error&) {
    }
  }
}
