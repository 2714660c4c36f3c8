// Digests of tensors, and numbers that are none.
#include "mor1e/io/integrity.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;
using namespace mor1e::io;
using mor1e::testing::temporary_folder;

TEST_CASE("the first element that is not finite is found in every float type, and integers are let be") {
  const auto check = [](dtype type, auto fine, auto nan, auto infinite) {
    for (const index_t at : {0, 1, 4095, 4096, 8191, 9999}) {
      std::vector<decltype(fine)> values(10000, fine);
      const std::vector<stored_tensor> tensors{{"fine", type, shape{1}, &fine},
                                               {"x", type, shape{100, 100}, values.data()}};
      require_finite(tensors, "f");
      values[std::size_t(at)] = infinite;
      CHECK_THROWS_WITH_AS(require_finite(tensors, "f"), text("f: tensor 'x': element ", at, " is infinite").c_str(),
                           io_error);
      values[9999] = values[std::size_t(at)] = nan;
      CHECK_THROWS_WITH_AS(require_finite(tensors, "f"), text("f: tensor 'x': element ", at, " is nan").c_str(),
                           io_error);
    }
  };
  using f = std::numeric_limits<float>;
  using d = std::numeric_limits<double>;
  check(dtype::f32, f::max(), f::quiet_NaN(), -f::infinity());
  check(dtype::f64, d::max(), -d::quiet_NaN(), d::infinity());
  check(dtype::f16, std::uint16_t(0x7BFF), std::uint16_t(0x7E00), std::uint16_t(0xFC00));
  check(dtype::bf16, std::uint16_t(0x7F7F), std::uint16_t(0x7FC0), std::uint16_t(0x7F80));
  const std::int32_t all_ones = -1;
  require_finite(std::vector<stored_tensor>{{"x", dtype::i32, shape{1}, &all_ones}}, "f");
}

TEST_CASE("a seal holds names, types, shapes, bytes, metadata and what goes with them") {
  temporary_folder folder;
  const std::vector<float> a{1, 2, 3, 4}, b{1, 2, 3, 5};
  const auto tensors = [](const char* name, shape extents, const std::vector<float>& values, dtype type = dtype::f32) {
    return std::vector<stored_tensor>{{name, type, extents, values.data()}};
  };
  const auto path = folder / "t.safetensors";
  const auto holds = [&](const std::vector<stored_tensor>& written, std::map<std::string, std::string> metadata,
                         const std::string& also = "settings") {
    write_safetensors(path, written, metadata);
    try {
      return check_seal(safetensors_file(path), "do this", also);
    } catch (const io_error& e) {
      CHECK(std::string(e.what()).find("t.safetensors: is not as it was written: SHA-256 ") != std::string::npos);
      CHECK(std::string(e.what()).ends_with("; do this"));
      throw;
    }
  };
  const auto good = tensors("x", {2, 2}, a);
  write_safetensors(path, good);
  CHECK(digest_of(safetensors_file(path)) == digest_of(good));
  const auto seal = sealed({{"k", "v"}}, good, "settings");
  CHECK(holds(good, seal));
  CHECK_FALSE(holds(good, {{"k", "v"}}));  // not sealed at all
  CHECK_THROWS_AS(holds(tensors("x", {2, 2}, b), seal), io_error);
  CHECK_THROWS_AS(holds(tensors("y", {2, 2}, a), seal), io_error);
  CHECK_THROWS_AS(holds(tensors("x", {4, 1}, a), seal), io_error);
  CHECK_THROWS_AS(holds(tensors("x", {2, 2}, a, dtype::i32), seal), io_error);
  CHECK_THROWS_AS(holds(good, seal, "other settings"), io_error);
  auto changed = seal;
  changed["k"] = "w";
  CHECK_THROWS_AS(holds(good, changed), io_error);
  changed = seal;
  changed["more"] = "";
  CHECK_THROWS_AS(holds(good, changed), io_error);
}
