// Every way a .npy file can be wrong is one io_error that names the file and what is wrong.
#include <fstream>
#include <random>

#include <doctest/doctest.h>

#include "mor1e/io/npy.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;
using namespace mor1e::io;
using mor1e::testing::temporary_folder;
using namespace std::string_literals;

namespace {

const temporary_folder folder;

/// The error of reading a file of these bytes; "read" if there is none.
std::string error_of_bytes(const std::string& bytes) {
  // Thousands of files: none is flushed to disk, and none is cut to nothing first, which file systems flush as well.
  std::filesystem::remove(folder / "a.npy");
  std::ofstream(folder / "a.npy", std::ios::binary) << bytes;
  try {
    const npy_file file(folder / "a.npy");
    if (file.type() == dtype::f32)
      file.read<float>();
    else if (file.type() == dtype::i8)
      file.read<std::int32_t>();
    return "read";
  } catch (const io_error& e) {
    const std::string what = e.what();
    CHECK(what.find("a.npy: ") != std::string::npos);
    CHECK(what.find('\n') == std::string::npos);
    return what.substr(what.find("a.npy: ") + 7);
  }
}
std::string version1(const std::string& header, std::size_t data) {
  return "\x93NUMPY\x01\x00"s + char(header.size() & 255) + char(header.size() >> 8) + header + std::string(data, '\0');
}
std::string error_of(const std::string& header, std::size_t data = 0) { return error_of_bytes(version1(header, data)); }
/// Of a header with this shape, of bytes.
std::string error_of_shape(const std::string& extents, std::size_t data = 0) {
  return error_of("{'descr': '|i1', 'fortran_order': False, 'shape': " + extents + "}", data);
}
std::string error_of_type(const std::string& descr) {
  return error_of("{'descr': " + descr + ", 'fortran_order': False, 'shape': (1,)}", 4);
}

}  // namespace

TEST_CASE("the helper reads what is right") {
  CHECK(error_of_shape("(2, 3)", 6) == "read");
  CHECK(error_of_type("'<f4'") == "read");
}

TEST_CASE("what stands before the header") {
  CHECK(error_of_bytes("") == "0 bytes are too few for a .npy file");
  CHECK(error_of_bytes("\x93NUMPY\1\0\0"s) == "9 bytes are too few for a .npy file");
  CHECK(error_of_bytes("\x93NUMPY\2\0\0\0\0"s) == "11 bytes are too few for a .npy file");
  CHECK(error_of_bytes("PK\3\4 an archive") == "no .npy file: begins with 'PK\\x03\\x04 a'");
  CHECK(error_of_bytes("\x93NUMPY\4\0\2\0{}"s) == "version 4.0 is none of 1.0, 2.0 and 3.0");
  CHECK(error_of_bytes("\x93NUMPY\1\1\2\0{}"s) == "version 1.1 is none of 1.0, 2.0 and 3.0");
  CHECK(error_of_bytes("\x93NUMPY\1\0\3\0{}"s) == "header of 3 bytes is longer than the file, 12 bytes");
  CHECK(error_of_bytes("\x93NUMPY\2\0\xff\xff\xff\xff{}"s) ==
        "header of 4294967295 bytes is longer than the file, 14 bytes");
}

TEST_CASE("the dictionary") {
  CHECK(error_of("") == "header: '{' expected at byte 0");
  CHECK(error_of("{") == "header: a key in quotes expected at byte 1");
  CHECK(error_of("{}") == "header: needs descr, fortran_order and shape");
  CHECK(error_of("{descr: 1}") == "header: a key in quotes expected at byte 1");
  CHECK(error_of("{'descr") == "header: the string at byte 1 does not end");
  CHECK(error_of("{'descr' '<f4'}") == "header: ':' expected at byte 9");
  CHECK(error_of("{'descr': '<f4' 'shape': ()}") == "header: '}' expected at byte 16");
  CHECK(error_of("{'descr': '<f4', 'descr': '<f4'}") == "header: descr stands twice");
  CHECK(error_of("{'fortran_order': 0}") == "header: fortran_order is neither True nor False");
  CHECK(error_of("{'order\n': 0}") == "header: unknown key 'order\\x0a'");
  CHECK(error_of("{'descr': '<f4', 'shape': ()}", 4) == "header: needs descr, fortran_order and shape");
  CHECK(error_of("{'descr': '<f4', 'fortran_order': False, 'shape': ()} x", 4) ==
        "header: characters behind the '}' at byte 54");
}

TEST_CASE("the element type") {
  CHECK(error_of_type("'>f4'") == "header: descr '>f4' is big-endian");
  for (const char* other : {"'<c8'", "'<U1'", "'|O'", "'|V2'", "'<f16'", "'=f4'", "'f4'", "''", "'<M8[ns]'"})
    CHECK(error_of_type(other) == text("header: descr ", other, " is not supported"));
  CHECK(error_of_type("[('x', '<f4')]") == "header: a descr of a plain type in quotes expected at byte 10");
}

TEST_CASE("the shape and what it asks for") {
  for (const char* wrong : {"3", "(3)", "[3]", "(x,)", "(-1,)", "(,)", "(3,,)", "(3L,)", "("}) {
    const std::string what = error_of_shape(wrong, 3);
    CAPTURE(wrong);
    CAPTURE(what);
    CHECK((what == "header: shape is not a tuple of sizes" || what.find("header: ',' or ')' expected at byte") == 0));
  }
  CHECK(error_of_shape("(1 1)", 1) == "header: ',' or ')' expected at byte 53");
  CHECK(error_of_shape("(1, 1, 1, 1, 1)", 1) == "header: rank exceeds 4");
  CHECK(error_of_shape("(2, 3)", 5) == "data of 5 bytes, int8 [2, 3] needs 6");
  CHECK(error_of_shape("(2, 3)", 7) == "data of 7 bytes, int8 [2, 3] needs 6");
  // 2^64, 2^63, and products that overflow.
  CHECK(error_of_shape("(18446744073709551616,)") == "header: shape is larger than any file");
  CHECK(error_of_shape("(9223372036854775808,)") == "header: shape is larger than any file");
  CHECK(error_of_shape("(4294967296, 4294967296)") == "header: shape is larger than any file");
  CHECK(error_of_shape("(0, 9223372036854775807)") == "header: shape is larger than any file");
}

TEST_CASE("a file cut anywhere is refused, and no damaged byte crashes") {
  write_npy(folder / "whole.npy", tensor<float>{{1, 2, 3}, {4, 5, 6}});
  const std::string whole = read_text(folder / "whole.npy");
  int read = 0;
  for (std::size_t length = 0; length < whole.size(); ++length)
    read += error_of_bytes(whole.substr(0, length)) == "read";
  CHECK(read == 0);

  std::mt19937 random(1);
  for (int trial = 0; trial < 3000; ++trial) {
    std::string damaged = whole;
    for (int i = 0; i < 1 + trial % 3; ++i) damaged[random() % 80] = char(random());
    error_of_bytes(damaged);
  }
}
