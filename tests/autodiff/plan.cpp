// A plan does what the tape does, bit for bit, in memory known beforehand.
#include "mor1e/autodiff/plan.hpp"

#include <deque>

#include <doctest/doctest.h>

#include "mor1e/backend/cpu.hpp"
#include "mor1e/ops/add.hpp"
#include "mor1e/ops/cross_entropy.hpp"
#include "mor1e/ops/gated_silu.hpp"
#include "mor1e/ops/linear.hpp"
#include "mor1e/ops/multiply.hpp"
#include "mor1e/ops/rms_norm.hpp"
#include "mor1e/ops/sum.hpp"
#include "mor1e/testing/counting.hpp"
#include "mor1e/testing/random.hpp"

using namespace mor1e;

namespace {

using device_type = testing::counting<cpu>;

/// A small classifier: blocks of x + W_d gated(W_u rms_norm(x)), then a head and its cross entropy.
template <class T>
struct network {
  static constexpr index_t rows = 40, width = 12, inner = 20, classes = 7;
  static constexpr int blocks = 4;
  std::deque<param<device_type, T>> params;

  explicit network(device_type& device) {
    for (int b = 0; b < blocks; ++b) {
      add(device, "norm", {1, width}, 0.5, 1.5);
      add(device, "up", {2 * inner, width}, -0.5, 0.5);
      add(device, "down", {width, inner}, -0.5, 0.5);
    }
    add(device, "head", {classes, width}, -0.5, 0.5);
  }
  void add(device_type& device, const char* name, shape extents, double low, double high) {
    params.emplace_back(device, name, extents);
    const tensor<T> values = testing::random<T>(extents, params.size(), low, high);
    params.back().write(values);
  }

  template <class B>
  var<T> loss(tape<B>& t, var<T> x, var<std::int32_t> targets, var<T> scale, bool stretches) {
    for (int b = 0; b < blocks; ++b)
      x = t.stretch(stretches, [&] {
        const var<T> up = ops::linear(t, ops::rms_norm(t, x, t.use(params[3 * b]), 1e-5), t.use(params[3 * b + 1]));
        return ops::add(t, x, ops::linear(t, ops::gated_silu(t, up), t.use(params[3 * b + 2])));
      });
    return ops::cross_entropy(t, ops::linear(t, x, t.use(params.back())), targets, scale).loss;
  }
};

/// Everything a step leaves behind: loss, gradient of the input, gradients of the parameters.
template <class T>
using outcome = std::vector<tensor<T>>;

template <class T>
struct batch {
  tensor<T> x = testing::random<T>({network<T>::rows, network<T>::width}, 100),
            scale = tensor<T>(shape{1, 1}, T(0.125));
  tensor<std::int32_t> targets{shape{network<T>::rows, 1}};
  batch() {
    for (index_t i = 0; i < targets.size(); ++i)
      targets[i] = std::int32_t(i % 9) - 2 < 0 ? -1 : std::int32_t(i % 9) - 2;
  }
};

template <class T>
view<const T> constant(const tensor<T>& t) {
  return t.matrix();
}

template <class T>
outcome<T> collect(network<T>& net, tensor<T> loss, tensor<T> dx) {
  outcome<T> out;
  out.push_back(std::move(loss));
  out.push_back(std::move(dx));
  for (auto& p : net.params) {
    out.push_back(p.read_gradient());
    p.clear_gradient();
  }
  return out;
}

template <class T>
outcome<T> eager(device_type& device, network<T>& net, const batch<T>& data, bool stretches) {
  tape<device_type> t(device);
  const auto x = t.template input<T>(constant(data.x), true);
  const auto targets = t.template input<std::int32_t>(constant(data.targets));
  const auto loss = net.loss(t, x, targets, t.template input<T>(constant(data.scale)), stretches);
  t.backward(loss);
  return collect(net, t.read(loss), t.gradient(x));
}

/// A plan of the network and the values to fill.
template <class T>
struct planned {
  tape<device_type> recorded;
  var<T> x, scale;
  var<std::int32_t> targets;
  var<T> loss;
  plan<device_type> program;
  slab<device_type> memory;

  planned(device_type& device, network<T>& net, bool stretches, bool recompute_cheap)
      : recorded(device, recording::plan),
        x(recorded.template input<T>(net.rows, net.width, true)),
        scale(recorded.template input<T>(1, 1)),
        targets(recorded.template input<std::int32_t>(net.rows, 1)),
        loss(net.loss(recorded, x, targets, scale, stretches)),
        program(std::move(recorded), loss, true, recompute_cheap),
        memory(device) {
    memory.reserve(program.bytes());
    // What a plan does not write it must not read.
    std::fill_n(reinterpret_cast<unsigned char*>(memory.data()), program.bytes(), 0xff);
    program.bind(memory.data());
  }

  outcome<T> run(network<T>& net, const batch<T>& data) {
    program.fill(x, constant(data.x));
    program.fill(scale, constant(data.scale));
    program.fill(targets, constant(data.targets));
    program.run();
    return collect(net, program.read(loss), program.gradient(x));
  }
};

template <class T>
bool same_bits(const outcome<T>& a, const outcome<T>& b) {
  bool same = a.size() == b.size();
  for (std::size_t k = 0; same && k < a.size(); ++k)
    same = a[k].extents() == b[k].extents() &&
           std::memcmp(a[k].data(), b[k].data(), std::size_t(a[k].size()) * sizeof(T)) == 0;
  return same;
}

}  // namespace

TEST_CASE_TEMPLATE("eager, planned and recomputed gradients have the same bits", T, float, double) {
  device_type device(3);
  network<T> net(device);
  const batch<T> data;
  const outcome<T> expected = eager(device, net, data, false);
  CHECK(expected[0][0] > 0);
  for (const auto& values : expected) CHECK(std::any_of(values.begin(), values.end(), [](T v) { return v != 0; }));
  CHECK(same_bits(eager(device, net, data, true), expected));

  for (const bool stretches : {false, true})
    for (const bool recompute_cheap : {false, true}) {
      CAPTURE(stretches);
      CAPTURE(recompute_cheap);
      planned<T> p(device, net, stretches, recompute_cheap);
      const long before = device.allocations;
      CHECK(same_bits(p.run(net, data), expected));
      CHECK(same_bits(p.run(net, data), expected));
      CHECK(device.allocations == before);
    }
}

TEST_CASE("recomputation saves memory") {
  device_type device(1);
  network<float> net(device);
  const long of_parameters = device.live;
  const auto bytes = [&](bool stretches, bool cheap) {
    return planned<float>(device, net, stretches, cheap).program.bytes();
  };
  const std::size_t all = bytes(false, false), cheap = bytes(false, true), stretched = bytes(true, false);
  CAPTURE(all);
  CAPTURE(cheap);
  CAPTURE(stretched);
  CHECK(cheap < all);
  CHECK(stretched < cheap);
  CHECK(device.live == of_parameters);
}

TEST_CASE("memory of a plan may move") {
  device_type device(1);
  network<float> net(device);
  const batch<float> data;
  planned<float> p(device, net, false, true);
  const outcome<float> first = p.run(net, data);
  slab<device_type> other(device);
  CHECK(other.reserve(p.program.bytes() + 4096));
  CHECK(!other.reserve(p.program.bytes()));
  CHECK(!p.program.bound_to(other.data()));
  p.program.bind(other.data());
  CHECK(p.program.bound_to(other.data()));
  CHECK(same_bits(p.run(net, data), first));
}

TEST_CASE("an output takes the place of an input that nobody reads any more, and of no other") {
  device_type device(1);
  const auto sum_of_product = [&](bool twice) {
    tape<device_type> t(device, recording::plan);
    const auto x = t.input<float>(64, 64);
    const auto y = ops::add(t, x, ops::multiply(t, x, x));
    const auto root = ops::sum(t, twice ? ops::add(t, y, y) : y);
    plan<device_type> p(std::move(t), root, false);
    slab<device_type> memory(device);
    memory.reserve(p.bytes());
    p.bind(memory.data());
    const tensor<float> two(shape{64, 64}, 2.0f);
    p.fill(x, two.matrix());
    p.run();
    return std::pair(p.bytes(), p.read_scalar(root));
  };
  const std::size_t matrix = 64 * 64 * sizeof(float);
  CHECK(sum_of_product(false) ==
        std::pair(2 * matrix + 64, 64 * 64 * 6.0f));                      // x, then x * x which y takes over, the sum
  CHECK(sum_of_product(true) == std::pair(3 * matrix, 64 * 64 * 12.0f));  // y + y has its own, the sum takes y's
}

TEST_CASE("a plan with an input that nobody filled does not run") {
  cpu device;
  tape<cpu> t(device, recording::plan);
  const var<float> x = t.input<float>(2, 3), scale = t.input<float>(1, 1);
  const value<cpu, float> load = on(t, ops::multiply(t, x, scale)), root = sum(load);
  t.keep(load);
  plan<cpu> steps(std::move(t), root, false);
  steps.fill(x, tensor<float>(shape{2, 3}, 1.0f));
  CHECK_THROWS_WITH_AS(steps.run(), "plan: an input [1, 1] of F32 was never filled", value_error);
  steps.fill(scale, tensor<float>(shape{1, 1}, 2.0f));
  steps.run();
  CHECK(steps.read_scalar(root) == 12);
  CHECK(steps.read(load)[5] == 2);
}
