#include <cstdlib>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/backend/concept.hpp"
#include "mor1e/backend/cuda.hpp"

using namespace mor1e;

static_assert(HasMemory<cuda> && HasHost<cuda> && std::same_as<host_of<cuda>, cpu>);
static_assert(HasFrozen<cuda, float> && HasFrozen<cuda, double>);

TEST_CASE("cuda: what is uploaded in pieces is downloaded") {
  cuda device({.host_threads = 1});
  // Longer than both halves of the pinned memory, and no multiple of one.
  tensor<std::int32_t> values(shape{3, 300'007});
  for (index_t i = 0; i < values.size(); ++i) values[i] = std::int32_t(i * 7919);
  array<cuda, std::int32_t> there(device, values);
  CHECK(there.read() == values);
  // The host's memory may be used again as soon as upload has returned.
  tensor<std::int32_t> reused = values.clone();
  array<cuda, std::int32_t> second(device, values.extents());
  second.write(reused);
  reused.fill(0);
  CHECK(second.read() == values);
}

TEST_CASE("cuda: arrays are filled, in rows with gaps too") {
  cuda device({.host_threads = 1});
  array<cuda, float> x(device, shape{5, 7}, 2.0f);
  fill(device, 3.0f, x.matrix().col_range(1, 3));
  const tensor<float> there = x.read();
  for (index_t i = 0; i < 5; ++i)
    for (index_t j = 0; j < 7; ++j) CHECK(there(i, j) == (1 <= j && j < 4 ? 3.0f : 2.0f));
}

TEST_CASE("cuda: a device that is not there is one plain line") {
  CHECK_THROWS_WITH_AS(cuda({.device = 9}), "no CUDA device 9: there are 1", cuda_error);
}

TEST_CASE("cuda: a failed call names the expression and where it stands") {
  cuda device({.host_threads = 1});
  CHECK_THROWS_AS(device.allocate(std::size_t(1) << 60), cuda_error);
  try {
    device.allocate(std::size_t(1) << 60);
  } catch (const cuda_error& e) {
    const std::string what = e.what();
    CHECK(what.find("cudaMallocAsync") != std::string::npos);
    CHECK(what.find("device.hpp:") != std::string::npos);
    CHECK(what.find('\n') == std::string::npos);
  }
  // The device can be used after it.
  const array<cuda, float> x(device, shape{2, 2}, 1.0f);
  CHECK(x.read()(1, 1) == 1.0f);
}

// Run as a test of its own, with a runtime that finds no device.
TEST_CASE("cuda: where there is no device, one plain line says so") {
  if (!std::getenv("CUDASIM_NO_DEVICE")) return;
  CHECK(!cuda_available());
  CHECK_THROWS_WITH_AS(cuda(), "no CUDA device: no CUDA-capable device is detected", cuda_error);
}
