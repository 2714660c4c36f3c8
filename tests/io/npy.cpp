// What NumPy itself wrote and reads is in tests/interop/numpy; here are files written down by hand.
#include "mor1e/io/npy.hpp"

#include <doctest/doctest.h>

#include "mor1e/core/print.hpp"
#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;
using namespace mor1e::io;
using mor1e::testing::temporary_folder;
using namespace std::string_literals;

namespace {

const temporary_folder folder;

/// A file of these bytes, read.
template <class T>
tensor<T> read(const std::string& bytes) {
  write_text(folder / "a.npy", bytes);
  return read_npy<T>(folder / "a.npy");
}

/// The bytes of a file of version 1 with the header as it stands.
std::string version1(std::string header, const std::string& data) {
  header += '\n';
  return "\x93NUMPY\x01\x00"s + char(header.size()) + '\0' + header + data;
}

}  // namespace

TEST_CASE("a file of version 1, 2 and 3") {
  const std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }   \n";
  const std::string data = "\x00\x00\x80\x3f\x00\x00\x00\xc0"s;  // 1, -2
  const tensor<float> values{{1}, {-2}};
  const char length = char(header.size());
  CHECK(read<float>("\x93NUMPY\x01\x00"s + length + "\x00"s + header + data) == values);
  CHECK(read<float>("\x93NUMPY\x02\x00"s + length + "\x00\x00\x00"s + header + data) == values);
  CHECK(read<float>("\x93NUMPY\x03\x00"s + length + "\x00\x00\x00"s + header + data) == values);
}

TEST_CASE("elements of each type") {
  const auto header = [](std::string descr) {
    return "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (2,), }";
  };
  const tensor<double> one_minus_two({2}, {1, -2});
  CHECK(read<double>(version1(header("<f2"), "\x00\x3c\x00\xc0"s)) == one_minus_two);
  CHECK(read<double>(version1(header("<f8"), "\x00\x00\x00\x00\x00\x00\xf0\x3f\x00\x00\x00\x00\x00\x00\x00\xc0"s)) ==
        one_minus_two);
  const tensor<std::int64_t> three_minus_one({2}, {3, -1});
  CHECK(read<std::int64_t>(version1(header("|i1"), "\x03\xff"s)) == three_minus_one);
  CHECK(read<std::int64_t>(version1(header("<i2"), "\x03\x00\xff\xff"s)) == three_minus_one);
  CHECK(read<std::int64_t>(version1(header("<i4"), "\x03\x00\x00\x00\xff\xff\xff\xff"s)) == three_minus_one);
  CHECK(read<std::int64_t>(version1(
            header("<i8"), "\x03\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"s)) == three_minus_one);
  CHECK(read<std::uint8_t>(version1(header("|b1"), "\x01\x00"s)) == tensor<std::uint8_t>({2}, {1, 0}));
  CHECK(read<bool>(version1(header("|b1"), "\x01\x00"s)) == tensor<bool>({2}, {true, false}));
  CHECK_THROWS_WITH_AS(read<bool>(version1(header("|u1"), "\x01\x02"s)),
                       doctest::Contains("a.npy: 2 does not fit BOOL"), io_error);
  CHECK(read<std::int32_t>(version1(header("<u2"), "\xff\xff\x01\x00"s)) == tensor<std::int32_t>({2}, {65535, 1}));
  CHECK_THROWS_WITH_AS(read<float>(version1(header("|i1"), "\x03\xff"s)),
                       doctest::Contains("a.npy: stored as I8, cannot be read as F32"), io_error);
  CHECK_THROWS_WITH_AS(read<std::uint8_t>(version1(header("|i1"), "\x03\xff"s)),
                       doctest::Contains("a.npy: -1 does not fit U8"), io_error);
}

TEST_CASE("the keys in any order and either kind of quotes") {
  CHECK(read<std::uint8_t>(version1("{ \"shape\" :( ) ,'fortran_order':True,\"descr\":\"|u1\"}", "\x07")) ==
        tensor<std::uint8_t>(shape{}, 7));
}

TEST_CASE("Fortran order is read row by row") {
  const auto read_shape = [](std::string extents, std::string data) {
    return read<std::int32_t>(version1("{'descr': '|u1', 'fortran_order': True, 'shape': " + extents + ", }", data));
  };
  CHECK(read_shape("(2, 3)", "\1\2\3\4\5\6") == tensor<std::int32_t>{{1, 3, 5}, {2, 4, 6}});
  // [i, j, k] stands at i + 2 j + 6 k.
  CHECK(read_shape("(2, 3, 2)", "\1\2\3\4\5\6\7\10\11\12\13\14") ==
        tensor<std::int32_t>({2, 3, 2}, {1, 7, 3, 9, 5, 11, 2, 8, 4, 10, 6, 12}));
  CHECK(read_shape("(3,)", "\1\2\3") == tensor<std::int32_t>({3}, {1, 2, 3}));
  CHECK(read_shape("(0, 3)", "").extents() == shape{0, 3});
}

TEST_CASE("what is written: the bytes, and the elements at a multiple of 64") {
  write_npy(folder / "b.npy", tensor<std::uint8_t>{{1, 2, 3}});
  const std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 3), }";
  std::string wanted = "\x93NUMPY\x01\x00\x76\x00"s + header;
  wanted += std::string(128 - 1 - wanted.size(), ' ') + "\n\1\2\3";
  CHECK(read_text(folder / "b.npy") == wanted);
  // A header that ends right at the multiple takes no padding but its newline.
  for (const shape& extents :
       {shape{}, shape{1}, shape{1, 1, 1}, shape{1, 1, 1, 1}, shape{1000000, 0, 100000, 10000}}) {
    write_npy(folder / "c.npy", tensor<float>(extents, 2.5f));
    const std::string bytes = read_text(folder / "c.npy");
    CHECK((bytes.size() - std::size_t(extents.size()) * 4) % 64 == 0);
    CHECK(read_npy<float>(folder / "c.npy") == tensor<float>(extents, 2.5f));
  }
}

TEST_CASE("what was written is read again") {
  const auto round_trip = [](const auto& values) {
    write_npy(folder / "d.npy", values);
    return read_npy<std::remove_cvref_t<decltype(values[0])>>(folder / "d.npy");
  };
  const tensor<float> x{{1, 2, 3}, {4, 5, 6}};
  CHECK(round_trip(x) == x);
  CHECK(round_trip(tensor<double>({2}, {0.1, -1e300})) == tensor<double>({2}, {0.1, -1e300}));
  CHECK(round_trip(tensor<std::int64_t>({1}, {-5})) == tensor<std::int64_t>({1}, {-5}));
  CHECK(round_trip(tensor<float>()).extents() == shape{0});
  tensor<float> mutable_rows = x.clone();
  CHECK(round_trip(mutable_rows.matrix().col_range(1, 2)) == tensor<float>{{2, 3}, {5, 6}});
  CHECK(round_trip(x.matrix().row_range(1, 1)) == tensor<float>{{4, 5, 6}});
  CHECK_THROWS_WITH_AS(write_npy(folder / "none" / "d.npy", x), doctest::Contains("none/d.npy: cannot write"),
                       io_error);
}
