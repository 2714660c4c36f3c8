// Every way a GGUF file can be wrong is one io_error that names the file and what is wrong.
#include <fstream>
#include <random>

#include <doctest/doctest.h>

#include "io/gguf_writer.hpp"
#include "mor1e/core/tensor.hpp"
#include "mor1e/io/gguf.hpp"
#include "mor1e/io/gguf_dequantise.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;
using namespace mor1e::io;
using mor1e::testing::gguf_writer;
using mor1e::testing::temporary_folder;

namespace {

/// The error of opening a file of this content, after the file name; "opened" if there is none.
std::string error_of(const std::string& content) {
  static temporary_folder folder;
  std::ofstream(folder / "t.gguf", std::ios::binary) << content;
  try {
    gguf_file file(folder / "t.gguf");
    return "opened";
  } catch (const io_error& e) {
    const std::string what = e.what();
    CHECK(what.find("t.gguf: ") != std::string::npos);
    return what.substr(what.find("t.gguf: ") + 8);
  }
}
std::string error_of(const gguf_writer& writer) { return error_of(writer.content()); }

constexpr auto raw = [](auto value) { return gguf_writer::raw(value); };

}  // namespace

TEST_CASE("beginning") {
  CHECK(error_of(gguf_writer()) == "opened");
  CHECK(error_of("") == "ends inside the magic bytes: 4 bytes wanted at byte 0, 0 left");
  CHECK(error_of("GGML____________________") == "not a GGUF file, the first bytes are not GGUF");
  CHECK(error_of(gguf_writer(1)) == "GGUF version 1 is not supported, 2 and 3 are");
  CHECK(error_of(gguf_writer(4)) == "GGUF version 4 is not supported, 2 and 3 are");
}

TEST_CASE("absurd counts and lengths are refused before anything is allocated") {
  const std::uint64_t huge = std::uint64_t(1) << 60, largest = ~std::uint64_t(0);
  for (const std::uint64_t count : {std::uint64_t(1), huge, largest}) {
    CAPTURE(count);
    const std::string head = "GGUF" + raw(std::uint32_t(3));
    CHECK(error_of(head + raw(count) + raw(std::uint64_t(0))).find("the tensor count: count") == 0);
    CHECK(error_of(head + raw(std::uint64_t(0)) + raw(count)).find("the metadata count: count") == 0);
    CHECK(error_of(gguf_writer().array("k", 4, count, "")).find("metadata 'k': count") == 0);
    CHECK(error_of(gguf_writer().array("k", 8, count, "")).find("metadata 'k': count") == 0);
    CHECK(error_of(gguf_writer().array("k", 9, count, "")).find("metadata 'k': count") == 0);
    CHECK(error_of(gguf_writer().value("k", 8, raw(count))).find("ends inside metadata 'k'") == 0);
  }
  CHECK(error_of("GGUF" + raw(std::uint32_t(3)) + raw(std::uint64_t(0)) + raw(std::uint64_t(1)) + raw(largest) +
                 "key__") == "ends inside a metadata key: 18446744073709551615 bytes wanted at byte 32, 5 left");
}

TEST_CASE("metadata") {
  CHECK(error_of(gguf_writer().u32("k", 1).u32("k", 2)) == "metadata 'k' stands twice");
  CHECK(error_of(gguf_writer().value("k", 13, "12345678")) == "metadata 'k': value kind 13 at byte 37 is not defined");
  CHECK(error_of(gguf_writer().array("k", 99, 1, "12345678")).find("metadata 'k': value kind 99") == 0);
  std::string nested;
  for (int i = 0; i < 5; ++i) nested += raw(std::uint32_t(9)) + raw(std::uint64_t(1));
  CHECK(error_of(gguf_writer().value("k", 9, nested + raw(std::uint32_t(0)) + raw(std::uint64_t(0)))) ==
        "metadata 'k': arrays nested deeper than 4");
}

TEST_CASE("tensors") {
  const std::uint64_t big = std::uint64_t(1) << 40;
  CHECK(error_of(gguf_writer().tensor("w", {2}, 0, "12345678")) == "opened");
  CHECK(error_of(gguf_writer().tensor("w", {2}, 0, "1234567")) ==
        "tensor 'w': 8 bytes at offset 0 reach beyond the data, 7 bytes");
  CHECK(error_of(gguf_writer().describe("w", {2}, 0, 0)).find("tensor 'w': 8 bytes at offset 0 reach beyond") == 0);
  CHECK(error_of(gguf_writer().tensor("w", {1, 1, 1, 1, 1}, 0, "1234")) == "tensor 'w': rank 5 exceeds 4");
  CHECK(error_of(gguf_writer().tensor("w", {2}, 99, "12345678")) == "tensor 'w': type 99 is not defined");
  CHECK(error_of(gguf_writer().tensor("w", {2}, 4, "12345678")) == "tensor 'w': type 4 is not defined");
  CHECK(error_of(gguf_writer().tensor("w", {33}, 2, std::string(99, 'x'))) ==
        "tensor 'w': 33 columns are no whole blocks of 32 (Q4_0)");
  CHECK(error_of(gguf_writer().describe("w", {big, big}, 0, 0)).find("larger than any file") != std::string::npos);
  CHECK(error_of(gguf_writer().describe("w", {~std::uint64_t(0)}, 0, 0)).find("larger than any file") !=
        std::string::npos);
  CHECK(error_of(gguf_writer().describe("w", {2}, 0, 8)) == "tensor 'w': offset 8 is no multiple of the alignment 32");
  CHECK(error_of(gguf_writer().tensor("w", {1}, 0, "1234").describe("v", {1}, 0, ~std::uint64_t(31)))
            .find("tensor 'v': 4 bytes at offset 18446744073709551584 reach beyond") == 0);
  CHECK(error_of(gguf_writer().tensor("w", {1}, 0, "1234").tensor("w", {1}, 0, "1234")) == "tensor 'w' stands twice");
  CHECK(error_of(gguf_writer().tensor("w", {16}, 0, std::string(64, 'x')).describe("v", {1}, 0, 32))
            .find("tensor 'v' begins at byte") == 0);
  for (const std::uint32_t alignment : {0u, 3u, 1u << 31})
    CHECK(error_of(gguf_writer().u32("general.alignment", alignment)).find("general.alignment") == 0);
  CHECK(error_of(gguf_writer().text("general.alignment", "32")).find("metadata 'general.alignment' is string") == 0);
}

TEST_CASE("a file cut anywhere before its last value is refused") {
  const auto path = mor1e::testing::golden_folder() / "gguf" / "types.gguf";
  const std::string whole = read_text(path);
  std::size_t needed = 0;  // padding may follow the last tensor
  const gguf_file file(path);
  for (const auto& tensor : file.tensors()) needed = std::max(needed, tensor.offset + tensor.bytes);
  REQUIRE(needed <= whole.size());
  int opened = 0;
  for (std::size_t length = 0; length < needed; ++length) opened += error_of(whole.substr(0, length)) == "opened";
  CHECK(opened == 0);
  CHECK(error_of(whole.substr(0, needed)) == "opened");
}

TEST_CASE("no damaged byte crashes") {
  const std::string whole = read_text(mor1e::testing::golden_folder() / "gguf" / "types.gguf");
  const std::size_t header = std::min<std::size_t>(whole.size(), 2000);
  temporary_folder folder;
  std::mt19937 random(1);
  int opened = 0, refused = 0;
  const auto refusing = [&](const auto& use) {
    try {
      use();
    } catch (const io_error&) {
      ++refused;
    }
  };
  for (int trial = 0; trial < 5000; ++trial) {
    std::string damaged = whole;
    for (int i = 0; i < 1 + trial % 3; ++i) damaged[random() % header] = char(trial % 2 ? random() : random() % 16);
    std::ofstream(folder / "t", std::ios::binary) << damaged;
    refusing([&] {
      const gguf_file file(folder / "t");
      ++opened;
      for (const auto& key : file.keys()) {
        refusing([&] { file.strings(key); });
        refusing([&] { file.numbers(key); });
        refusing([&] { file.integer(key); });
      }
      for (const auto& stored : file.tensors()) {
        tensor<float> out(stored.extents);
        dequantise(stored.type, file.bytes(stored).data(), out.size(), out.data(), stored.name);
      }
    });
  }
  CHECK(opened > 100);
  CHECK(refused > 100);
}
