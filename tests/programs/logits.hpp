// What the program logits says of two fixed sequences of bytes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "mor1e/io/safetensors.hpp"
#include "programs/shell.hpp"

namespace mor1e::testing {

/// `options` name the model, and an adapter if there is one.
inline std::vector<float> logits_of(const shell& here, const std::string& options) {
  const std::vector<std::int64_t> ids{72, 101, 108, 108, 111, 32};
  io::write_safetensors(here / "x.safetensors",
                        std::vector<io::stored_tensor>{{"input_ids", dtype::i64, shape{2, 3}, ids.data()}});
  here.check_success("logits", options + " --input x.safetensors --out y.safetensors");
  const auto values = io::safetensors_file(here / "y.safetensors").read<float>("logits");
  return {values.begin(), values.end()};
}

/// The largest between elements of the same place.
inline double difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, double(std::abs(a[i] - b[i])));
  return most;
}

}  // namespace mor1e::testing
