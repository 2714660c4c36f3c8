// The parameters of adapters in tests: random ones, and one by its name.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include <doctest/doctest.h>

#include "host_values.hpp"
#include "mor1e/peft/attach.hpp"
#include "mor1e/testing/random.hpp"

namespace mor1e::testing {

/// Gives every parameter values within `size`, the gates of sigmoid(100 a) within `gate`: neither 0 nor 1.
template <class B, class T>
void randomise(peft::adapter_set<B, T>& set, double gate = 0.01, double size = 1, std::uint64_t key = 30) {
  for (auto& v : set.views()) {
    const double within = v.name.find(".gate_") != std::string::npos ? gate : size;
    const tensor<T> values = random<T>(v.extents, ++key, -within, within);
    v.write(values);
  }
}

/// The first whose name ends so: "linear0.lora_A.weight".
template <class B, class T>
view<T> values_of(peft::adapter_set<B, T>& set, const std::string& name) {
  for (auto& v : set.views())
    if (v.name.ends_with(name)) return testing::in_place(v);
  FAIL(name);
  return {};
}

}  // namespace mor1e::testing
