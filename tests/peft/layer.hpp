// A small group of linears with a method on it, in double: values that depend on names alone, one pass, its gradients.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "host_values.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/nn/auxiliary_loss.hpp"
#include "mor1e/ops/sum.hpp"
#include "mor1e/peft/adapter_spec.hpp"
#include "mor1e/peft/attach.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/random.hpp"

namespace mor1e::testing::layer {

using group = nn::projection_group<reference, double>;
using adapters = peft::adapter_set<reference, double>;

inline constexpr index_t inputs = 5;
// Rows of three instances, not in one piece, and two dead ones.
inline const std::vector<std::int32_t> rows_of{0, 0, 2, -1, 1, 1, 2, 0, -1, 2, 2, 1};
inline const std::vector<std::int32_t> in_one_piece{-1, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, -1};
inline constexpr index_t tokens = 12, live = 10, instances = 3;
inline const double token_scale = 1.0 / live;

/// Linears "block.linear<p>" with biases if asked; `first` numbers the first of them.
inline group linears(const std::vector<index_t>& outputs, bool biases = false, std::size_t first = 0) {
  std::vector<nn::projection<reference, double>> parts(outputs.size());
  for (std::size_t p = 0; p < parts.size(); ++p) {
    parts[p].name = text("block.linear", first + p);
    const std::uint64_t key = 100 + std::uint64_t(outputs[p]);
    parts[p].w =
        nn::weight<reference, double>(backend::host_frozen<double>(memory, random(shape{outputs[p], inputs}, key)));
    if (!biases) continue;
    auto bias = std::make_unique<param<reference, double>>(memory, parts[p].name + ".bias", shape{1, outputs[p]});
    const tensor<double> values = random(shape{1, outputs[p]}, key + 100);
    bias->write(values);
    parts[p].b = nn::vector_weight<reference, double>(std::move(bias), false);
  }
  return group(memory, std::move(parts));
}

/// Values that depend on the name of the view alone; of a gate small ones, where its sigmoid is neither 0 nor 1.
inline void randomise(adapters& set) {
  for (auto& v : set.views()) {
    std::uint64_t key = 200;
    for (const char c : v.name) key = stream_key(key, c);
    const double size = v.name.find(".gate_") != std::string::npos ? 0.01 : 1;
    const tensor<double> values = random(v.extents, key, -size, size);
    v.write(values);
  }
}
inline view<double> values(adapters& set, const std::string& ending) {
  for (auto& v : set.views())
    if (v.name.ends_with(ending)) return testing::in_place(v);
  throw value_error("no parameter " + ending);
}
inline view<double> gradients(adapters& set, const std::string& ending) {
  for (auto& v : set.views())
    if (v.name.ends_with(ending)) return gradient_in_place(v);
  throw value_error("no parameter " + ending);
}
inline void copy(view<double> from, view<double> to) {
  REQUIRE(from.size() == to.size());
  std::copy_n(from.data, from.size(), to.data);
}

/// A step over the rows `of`; with the random numbers of one if `draw` [1, 2] is given.
inline nn::step_context<reference, double> context(tape<reference>& t, bool training,
                                                   const std::vector<std::int32_t>& of = rows_of,
                                                   const std::vector<std::int32_t>* draw = nullptr) {
  nn::step_context<reference, double> step;
  const auto column = [&](const std::vector<std::int32_t>& numbers) {
    return t.input<std::int32_t>(view<const std::int32_t>(numbers.data(), index_t(numbers.size()), 1));
  };
  step.batch.instances = column(of);
  step.batch.token_scale = t.input<double>(view<const double>(&token_scale, 1, 1));
  // From the first row of an instance to its last, which is right for those in one piece; types of task in turn; and
  // a segment that is no instance, as of dead rows.
  std::vector<std::int32_t> segments;
  std::vector<double> types;
  for (std::int32_t i = 0; i < instances; ++i) {
    const auto first = std::find(of.begin(), of.end(), i);
    const auto last = std::find(of.rbegin(), of.rend(), i).base();
    const auto begin = std::int32_t(first - of.begin()),
               end = first == of.end() ? begin : std::int32_t(last - of.begin());
    segments.insert(segments.end(), {begin, end, begin, 0, 0});
    types.push_back(i % 2 ? 1 : -1);
  }
  segments.insert(segments.end(), {0, 1, 0, 0, 0});
  types.push_back(0);
  step.batch.segments = t.input<std::int32_t>(view<const std::int32_t>(segments.data(), instances + 1, segment_fields));
  step.batch.types = t.input<double>(view<const double>(types.data(), instances + 1, 1));
  step.mode.training = training;
  if (draw) {
    std::vector<std::int32_t> positions(of.size());
    for (std::size_t i = 0; i < of.size(); ++i)
      positions[i] = std::int32_t(std::count(of.begin(), of.begin() + std::ptrdiff_t(i), of[i]));
    step.batch.examples = step.batch.instances;
    step.batch.positions = column(positions);
    step.batch.draw = t.input<std::int32_t>(view<const std::int32_t>(draw->data(), 1, 2));
  }
  return step;
}

struct outcome {
  tensor<double> y, dx, loss;
};

/// y, and the gradients of <y, dy> plus the auxiliary losses, which go to the parameters.
inline outcome run(const group& g, adapters* set, bool training = true, const std::vector<std::int32_t>& of = rows_of,
                   const tensor<double>* given = nullptr) {
  if (set)
    for (auto* p : set->parameters()) p->clear_gradient();
  reference device;
  tape<reference> t(device);
  auto step = context(t, training, of);
  const tensor<double> own = random(shape{index_t(of.size()), inputs}, 1, -2, 2);
  const var<double> x = t.input<double>((given ? *given : own).matrix(), true);
  const var<double> y = g.forward(t, x, step);
  const tensor<double> dy = random(shape{y.rows, y.cols}, 300);
  const var<double> root = nn::total_loss(t, ops::sum(t, ops::multiply(t, y, t.input<double>(dy.matrix()))), step);
  t.keep(y);
  t.backward(root);
  outcome out{t.read(y), t.gradient(x), tensor<double>(shape{1, 1}, 0.0)};
  for (const auto& term : step.auxiliary_losses) out.loss[0] += t.read(term.loss)[0];
  return out;
}

inline void close(const tensor<double>& ours, const tensor<double>& expected, double tolerance = 1e-12) {
  REQUIRE(ours.size() == expected.size());
  CHECK(violation(ours.data(), expected.data(), expected.size(), {.atol = tolerance}) == "");
}
inline void close(view<double> ours, view<double> expected, double tolerance = 1e-12) {
  REQUIRE(ours.size() == expected.size());
  CHECK(violation(ours.data, expected.data, expected.size(), {.atol = tolerance}) == "");
}
inline bool differ(const tensor<double>& a, const tensor<double>& b) {
  return violation(a.data(), b.data(), a.size(), {.atol = 1e-3}) != "";
}

/// f(method) for each mixture of low-rank experts, small, with losses that are on and nothing drawn.
template <class F>
void each_mixture(F f) {
  const peft::router_losses losses{.gshard = 0.3, .balance = 0.2, .variation = 0.4, .z = 0.05, .entropy = 0.1};
  f(peft::molora{.experts = 4, .rank = 2, .losses = losses});
  f(peft::molora{.experts = 4, .rank = 2, .order = peft::slot_order::tiled, .losses = losses});
  f(peft::sira{.experts = 4, .rank = 2, .k = 2, .capacity = 0.75, .gate_dropout = 0, .losses = losses});
  f(peft::sira{.experts = 4,
               .rank = 2,
               .k = 2,
               .capacity = 0.75,
               .renorm = peft::renormalise::after_capacity,
               .group = peft::token_group::batch,
               .gate_dropout = 0,
               .losses = losses});
  f(peft::loramoe{.experts = 4, .rank = 2, .losses = losses, .dropout = 0});
  f(peft::hydralora{.experts = 4, .rank = 3, .losses = losses});
  f(peft::adamole{.experts = 4, .rank = 2, .losses = losses});
}

}  // namespace mor1e::testing::layer
