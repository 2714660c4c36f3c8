#include "mor1e/io/parameters.hpp"

#include "doctest/doctest.h"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/nn/linear.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;

TEST_CASE("parameters are saved by name and read back, or left as they were") {
  cpu device(1);
  testing::temporary_folder scratch;
  const auto path = scratch.path() / "model.safetensors";
  nn::linear saved(device, "layer", 3, 2, 1), other(device, "layer", 3, 2, 2);
  io::save_parameters(path, saved);
  io::load_parameters(path, other);
  for (std::size_t i = 0; i < 2; ++i) CHECK(other.parameters()[i]->read() == saved.parameters()[i]->read());

  nn::linear renamed(device, "other", 3, 2, 3), wider(device, "layer", 4, 2, 3);
  nn::linear bare(device, "layer", nn::init::normal({2, 3}, 1, 4));
  const tensor<float> before = wider.parameters()[1]->read(), weight = bare.parameters()[0]->read();
  CHECK_THROWS_WITH_AS(io::load_parameters(path, renamed.parameters()), doctest::Contains("other.weight"), io_error);
  CHECK_THROWS_WITH_AS(io::load_parameters(path, wider.parameters()),
                       doctest::Contains("tensor 'layer.weight' is F32 [2, 3], the parameter F32 [2, 4]"), io_error);
  CHECK_THROWS_WITH_AS(io::load_parameters(path, bare.parameters()),
                       doctest::Contains("tensor 'layer.bias' is no parameter"), io_error);
  CHECK(wider.parameters()[1]->read() == before);
  CHECK(bare.parameters()[0]->read() == weight);
  CHECK_THROWS_WITH_AS(io::save_parameters(path, parameters_of(saved, other)), doctest::Contains("is given twice"),
                       io_error);
}
