// Layers that are trained from scratch: their formulas, their parameters, and that they are those of loaded models.
#include <cmath>
#include <set>
#include <string>

#include "doctest/doctest.h"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/nn/attention.hpp"
#include "mor1e/nn/block.hpp"
#include "mor1e/nn/embedding.hpp"
#include "mor1e/nn/linear.hpp"
#include "mor1e/nn/mlp.hpp"
#include "mor1e/nn/norm.hpp"
#include "mor1e/ops/all.hpp"
#include "mor1e/testing/random.hpp"

using namespace mor1e;

namespace {

template <class M>
std::vector<std::string> names_of(const M& module) {
  std::vector<std::string> out;
  for (const auto* p : parameters_of(module)) out.push_back(text(p->name, " ", p->extents()));
  return out;
}
using names = std::vector<std::string>;

auto small_block(cpu& device, std::uint64_t key) {
  return nn::pre_norm_block{nn::rms_norm(device, "norm1", 6), nn::attention(device, "attention", 6, {.heads = 2}, key),
                            nn::rms_norm(device, "norm2", 6), nn::mlp(device, "mlp", 6, 12, key + 1)};
}

/// y of a block for one sequence of three rows.
template <class Block>
value<cpu, float> applied(tape<cpu>& t, const Block& block, const tensor<float>& x) {
  const segment whole{0, std::int32_t(x.extents().rows()), 0, 0, 0};
  nn::step_context<cpu, float> step;
  step.batch.segments = t.input(view<const std::int32_t>(&whole.begin, 1, segment_fields));
  return on(t, block.forward(t, t.input(x), {}, step));
}

}  // namespace

TEST_CASE("norms are their formulas, and start as plain normalisation") {
  reference device;
  const tensor<double> x = testing::random({3, 4}, 1);
  nn::layer_norm<reference, double> layer(device, "layer", 4, 1e-6);
  nn::rms_norm<reference, double> rms(device, "rms", 4, 1e-6);
  CHECK(names_of(layer) == names{"layer.weight [1, 4]", "layer.bias [1, 4]"});
  CHECK(names_of(rms) == names{"rms.weight [1, 4]"});
  layer.w.parameter()->write(tensor<double>{{1, 2, 1, 1}});
  layer.b.parameter()->write(tensor<double>{{0, 3, 0, 0}});
  tape t(device);
  const tensor<double> y = layer(input(t, x)).read(), z = rms(input(t, x)).read();
  for (index_t i = 0; i < 3; ++i) {
    double mean = 0, square = 0;
    for (index_t j = 0; j < 4; ++j) mean += x(i, j) / 4, square += x(i, j) * x(i, j) / 4;
    const double deviation = std::sqrt(square - mean * mean + 1e-6);
    CHECK(y(i, 1) == doctest::Approx(2 * (x(i, 1) - mean) / deviation + 3));
    CHECK(y(i, 2) == doctest::Approx((x(i, 2) - mean) / deviation));
    CHECK(z(i, 2) == doctest::Approx(x(i, 2) / std::sqrt(square + 1e-6)));
  }
}

TEST_CASE("an embedding gives the rows of its table, and trains those alone that were asked for") {
  cpu device(1);
  nn::embedding letters(device, "letters", 5, 3, 1, 0.5);
  CHECK(names_of(letters) == names{"letters.weight [5, 3]"});
  const tensor<float> table = letters.table.parameter()->read();
  CHECK(table == nn::init::normal({5, 3}, 0.5, 1));
  tensor<std::int32_t> tokens({2, 1});
  tokens[0] = 4, tokens[1] = 1;
  tape t(device);
  const auto y = letters(input(t, tokens));
  CHECK(y.read()(0, 2) == table(4, 2));
  CHECK(y.read()(1, 0) == table(1, 0));
  backward(sum(y));
  const tensor<float> gradient = letters.table.parameter()->read_gradient();
  CHECK(gradient(4, 0) == 1);
  CHECK(gradient(0, 0) == 0);
}

TEST_CASE("a block lists its parameters by names that are all different, in the order of its parts") {
  cpu device(1);
  const auto block = small_block(device, 1);
  CHECK(names_of(block) == names{"norm1.weight [1, 6]", "attention.q.weight [6, 6]", "attention.q.bias [1, 6]",
                                 "attention.k.weight [6, 6]", "attention.k.bias [1, 6]", "attention.v.weight [6, 6]",
                                 "attention.v.bias [1, 6]", "attention.o.weight [6, 6]", "attention.o.bias [1, 6]",
                                 "norm2.weight [1, 6]", "mlp.up.weight [12, 6]", "mlp.up.bias [1, 12]",
                                 "mlp.down.weight [6, 12]", "mlp.down.bias [1, 6]"});
  const nn::attention shared(device, "a", 8, {.heads = 4, .kv_heads = 2, .bias = false}, 1);
  CHECK(names_of(shared) == names{"a.q.weight [8, 8]", "a.k.weight [4, 8]", "a.v.weight [4, 8]", "a.o.weight [8, 8]"});
  CHECK(shared.how.scale == doctest::Approx(1 / std::sqrt(2)));
  const nn::gated_mlp gated(device, "g", 3, 5, 1, false);
  CHECK(names_of(gated) == names{"g.gate.weight [5, 3]", "g.up.weight [5, 3]", "g.down.weight [3, 5]"});
}

TEST_CASE("no two matrices start the same, and all do from the same key") {
  cpu device(1);
  const auto block = small_block(device, 1), again = small_block(device, 1), other = small_block(device, 9);
  const nn::gated_mlp gated(device, "gated", 6, 12, 3), gated_again(device, "gated", 6, 12, 3);
  const auto all = parameters_of(block, gated), same = parameters_of(again, gated_again);
  std::set<long> firsts;  // in units of the layer's bound, 1 / sqrt(inputs)
  std::size_t matrices = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const tensor<float> values = all[i]->read();
    CHECK(values == same[i]->read());
    if (values.extents().rows() == 1) continue;
    firsts.insert(std::lround(1e5 * double(values[0]) * std::sqrt(double(values.extents().cols())))), ++matrices;
  }
  CHECK(matrices == 9);
  CHECK(firsts.size() == matrices);
  for (std::size_t i = 0; i < block.parameters().size(); ++i)
    if (block.parameters()[i]->name.find("norm") == std::string::npos)
      CHECK_FALSE(block.parameters()[i]->read() == other.parameters()[i]->read());
}

TEST_CASE("a block of trained layers is attention and MLP as composed from ops, and every parameter gets a gradient") {
  cpu device(1);
  const auto block = small_block(device, 3);
  const tensor<float> x = nn::init::normal({3, 6}, 1, 5);
  tape t(device);
  const auto y = applied(t, block, x);

  const auto p = block.parameters();
  const auto of = [&](std::size_t i) { return use(t, *p[i]); };
  const auto in = input(t, x), normed = rms_norm(in, of(0), 1e-5);
  const auto q = linear(normed, of(1), of(2)), k = linear(normed, of(3), of(4)), v = linear(normed, of(5), of(6));
  tensor<float> mask({3, 3}, 0);
  mask(0, 1) = mask(0, 2) = mask(1, 2) = -1e9f;
  std::vector<value<cpu, float>> heads;
  for (const index_t head : {0, 1}) {
    const auto part = [&](const auto& of_all) { return columns(of_all, 3 * head, 3); };
    const auto scores = matmul(part(q), transpose(part(k))) * float(1 / std::sqrt(3.0)) + input(t, mask);
    heads.push_back(matmul(softmax(scores), part(v)));
  }
  const auto a = in + linear(concat_columns(heads[0], heads[1]), of(7), of(8));
  const auto inner = linear(rms_norm(a, of(9), 1e-5), of(10), of(11));
  const tensor<float> expected = (a + linear(gelu(inner), of(12), of(13))).read(), found = y.read();
  for (index_t i = 0; i < expected.size(); ++i) CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-4));

  backward(sum(square(y)));
  for (const auto* each : p) {
    CAPTURE(each->name);
    double squares = 0;
    for (const float g : each->read_gradient()) squares += double(g) * g;
    if (each->name != "attention.k.bias") CHECK(squares > 1e-10);  // a shift of all scores of a row changes nothing
  }
}

TEST_CASE("a linear layer of frozen weights computes the same, and has no parameters") {
  reference device;
  const tensor<double> w = testing::random({3, 2}, 1), b = testing::random({1, 3}, 2), x = testing::random({4, 2}, 3);
  const nn::linear trained(device, "layer", w, b);
  const nn::linear<reference, double> frozen(
      "layer", nn::weight<reference, double>(reference::frozen<double>(device, w.clone())),
      {std::make_unique<param<reference, double>>(device, "layer.bias", b), false});
  CHECK(frozen.parameters().empty());
  tape t(device);
  const tensor<double> one = trained(input(t, x)).read(), other = frozen(input(t, x)).read();
  for (index_t i = 0; i < one.size(); ++i) CHECK(other[i] == doctest::Approx(one[i]));
}

TEST_CASE("heads that do not divide the width are refused") {
  cpu device(1);
  CHECK_THROWS_AS(nn::attention(device, "a", 10, {.heads = 4}, 1), value_error);
  CHECK_THROWS_AS(nn::attention(device, "a", 10, {.heads = 0}, 1), value_error);
  CHECK_NOTHROW(nn::attention(device, "a", 10, {.heads = 4, .head_dim = 3}, 1));
}
