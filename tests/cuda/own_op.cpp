#include "../../examples/consumer/cube_op.hpp"
#include "cuda/parity.hpp"

TEST_CASE("cuda: an op of a user's runs with the kernels of a .cu of three lines") {
  mor1e::testing::check_parity<cube_op>();
}
