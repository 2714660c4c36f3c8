// Random graphs: however a plan places, overwrites, drops and recomputes values, its gradients have the bits of the
// plainest tape.
#include <cstring>
#include <deque>

#include <doctest/doctest.h>

#include "host_values.hpp"
#include "mor1e/autodiff/plan.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/core/rng.hpp"
#include "mor1e/ops/add.hpp"
#include "mor1e/ops/columns.hpp"
#include "mor1e/ops/concat_columns.hpp"
#include "mor1e/ops/linear.hpp"
#include "mor1e/ops/multiply.hpp"
#include "mor1e/ops/rms_norm.hpp"
#include "mor1e/ops/scale.hpp"
#include "mor1e/ops/sigmoid.hpp"
#include "mor1e/ops/softmax.hpp"
#include "mor1e/ops/sum.hpp"
#include "mor1e/ops/zip.hpp"
#include "mor1e/testing/random.hpp"

using namespace mor1e;

namespace {

constexpr index_t rows = 3, cols = 4;
using values = std::vector<var<double>>;

/// A sum whose gradients are copied, where those of `add` share memory with the gradient that they are equal to.
struct copied_add : ops::zip<copied_add> {
  static constexpr const char* label = "copied_add";
  static constexpr std::uint64_t backward_reads = 0;
  template <class T>
  static T f(T a, T b) {
    return a + b;
  }
  template <class T>
  static T da(T, T, T) {
    return T(1);
  }
  template <class T>
  static T db(T, T, T) {
    return T(1);
  }
};

/// Draws the same graph from the same seed, on whatever tape.
struct random_graph {
  std::uint64_t seed;
  bool stretches;
  std::deque<param<reference, double>>& params;
  bool copies = false;
  std::uint64_t drawn = 0;

  std::uint64_t draw(std::uint64_t below) { return std::uint64_t(uniform<double>(seed, drawn++) * double(below)); }

  var<double> op(tape<reference>& t, const values& known) {
    const auto any = [&] { return known[draw(known.size())]; };
    const auto weight = [&](int kind) { return t.use(params[2 * draw(params.size() / 2) + kind]); };
    const var<double> x = any();
    const auto add = [&](var<double> a, var<double> b) {
      return copies ? t.template apply<copied_add, double>({}, {a, b}) : ops::add(t, a, b);
    };
    switch (draw(10)) {
      case 0:
      case 8: return add(x, any());
      case 9: return add(any(), ops::sigmoid(t, x));  // a residual
      case 1: return ops::multiply(t, x, any());
      case 2: return ops::scale(t, x, 0.5);
      case 3: return ops::softmax(t, x);
      case 4: return ops::sigmoid(t, x);
      case 5: return ops::rms_norm(t, x, weight(0), 1e-2);
      case 6: return ops::linear(t, x, weight(1));
      default: {
        const values halves{ops::columns(t, x, 2, 2), ops::columns(t, any(), 0, 2)};
        return ops::concat_columns(t, std::span<const var<double>>(halves));
      }
    }
  }

  var<double> root(tape<reference>& t, var<double> x) {
    values known{x};
    for (int step = 0; step < 12; ++step) {
      const std::uint64_t inside = draw(3) == 0 ? 2 + draw(4) : 0;
      if (!inside) {
        known.push_back(op(t, known));
        continue;
      }
      known.push_back(t.stretch(stretches, [&] {
        values local = known;
        for (std::uint64_t k = 0; k < inside; ++k) local.push_back(op(t, local));
        return local.back();
      }));
    }
    return ops::sum(t, ops::add(t, known.back(), known[known.size() - 2]));
  }
};

/// The root, the gradient of x, and those of the parameters, which start again from zero.
std::vector<double> collect(double root, const tensor<double>& dx, std::deque<param<reference, double>>& params) {
  std::vector<double> out{root};
  testing::append(out, dx);
  for (auto& p : params) {
    testing::append(out, p.read_gradient());
    p.clear_gradient();
  }
  return out;
}

}  // namespace

TEST_CASE("random graphs: plans and recomputation agree with the tape") {
  reference device;
  std::deque<param<reference, double>> params;
  for (int k = 0; k < 3; ++k)
    for (const shape& extents : {shape{1, cols}, shape{cols, cols}}) {
      params.emplace_back(device, "p", extents);
      const auto drawn = testing::random(extents, 50 + params.size());
      params.back().write(drawn);
    }
  const auto input = testing::random({rows, cols}, 99);
  const auto same = [](const std::vector<double>& a, const std::vector<double>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
  };

  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    const auto eager = [&](bool stretches, bool copies = false) {
      tape<reference> t(device);
      const auto x = t.input<double>(input.matrix(), true);
      const auto root = random_graph{seed, stretches, params, copies}.root(t, x);
      t.backward(root);
      return collect(t.read(root)[0], t.gradient(x), params);
    };
    const auto expected = eager(false, true);
    REQUIRE(same(eager(false), expected));
    REQUIRE(same(eager(true), expected));
    for (const bool stretches : {false, true})
      for (const bool cheap : {false, true}) {
        CAPTURE(stretches);
        CAPTURE(cheap);
        tape<reference> t(device, recording::plan);
        const auto x = t.input<double>(rows, cols, true);
        const auto root = random_graph{seed, stretches, params}.root(t, x);
        plan<reference> p(std::move(t), root, true, cheap);
        slab<reference> memory(device);
        memory.reserve(p.bytes());
        std::memset(memory.data(), 0xff, p.bytes());
        p.bind(memory.data());
        p.fill(x, input.matrix());
        for (int run = 0; run < 2; ++run) {
          p.run();
          REQUIRE(same(collect(p.read_scalar(root), p.gradient(x), params), expected));
        }
      }
  }
}
