// The cases of an op on the CUDA back end, held against the reference.
#pragma once

#include <doctest/doctest.h>

#include "mor1e/backend/cuda.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/testing/gradcheck.hpp"

namespace mor1e::testing {

template <class Op>
void check_parity() {
  cuda device({.host_threads = 1});
  reference oracle;
  int checked = 0;
  for (const auto& c : Op::cases()) {
    if (c.benchmark || c.must_throw) continue;
    CAPTURE(c.name);
    const auto worst = parity_deviation<Op, float>(device, oracle, c);
    INFO(worst.str());
    CHECK(worst.relative <= c.parity_tolerance);
    ++checked;
  }
  CHECK(checked > 0);
}

}  // namespace mor1e::testing

#define MOR1E_CUDA_PARITY(op) \
  TEST_CASE(#op ": CUDA agrees with the reference") { mor1e::testing::check_parity<mor1e::ops::op##_op>(); }
