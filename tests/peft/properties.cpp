// What must hold of adapters whatever their values.
#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "host_values.hpp"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/models/outputs.hpp"
#include "mor1e/models/registry.hpp"
#include "mor1e/peft/accounting.hpp"
#include "mor1e/peft/adapter_file.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/random.hpp"
#include "peft/adapter_values.hpp"

using namespace mor1e;
using testing::randomise;
using testing::values_of;

namespace {

using group = nn::projection_group<reference, double>;

group linear(std::vector<index_t> outputs, index_t inputs) {
  std::vector<nn::projection<reference, double>> parts(outputs.size());
  for (std::size_t p = 0; p < parts.size(); ++p) {
    parts[p].name = text("block.linear", p);
    parts[p].w = nn::weight<reference, double>(
        backend::host_frozen<double>(testing::memory, testing::random(shape{outputs[p], inputs}, 100 + p)));
  }
  return group(testing::memory, std::move(parts));
}

/// y, then the gradients of all parameters.
std::vector<tensor<double>> run(const group& g, peft::adapter_set<reference, double>* set, const tensor<double>& x,
                                const tensor<double>& intuition) {
  reference device;
  tape<reference> t(device);
  nn::step_context<reference, double> step;
  tensor<std::int32_t> of(shape{x.extents()[0], 1}, 0);
  of[0] = 1;
  step.batch.instances = t.input<std::int32_t>(std::as_const(of).matrix());
  if (!intuition.empty()) step.batch.intuition = t.input<double>(intuition.matrix());
  const var<double> y = g.forward(t, t.input<double>(x.matrix(), true), step);
  t.keep(y);
  const tensor<double> dy = testing::random(shape{y.rows, y.cols}, 300);
  t.backward(y, dy.matrix());
  std::vector<tensor<double>> out;
  out.push_back(t.read(y));
  if (set)
    for (const auto* p : set->parameters()) out.push_back(p->read_gradient());
  return out;
}

tensor<double> output(const group& g, const tensor<double>& x, const tensor<double>& intuition) {
  return std::move(run(g, nullptr, x, intuition).front());
}

/// The gates of products that are all one.
tensor<double> gates_of(const peft::mor1e& method, int linears, const tensor<double>& logits,
                        const tensor<double>& intuition) {
  reference device;
  tape<reference> t(device, recording::forward);
  const index_t rows = logits.extents()[0], n = linears * method.experts;
  tensor<double> x(shape{rows, n + logits.extents()[1]}, 1.0);
  for (index_t i = 0; i < rows; ++i)
    std::copy_n(logits.data() + i * logits.extents()[1], logits.extents()[1], x.data() + i * x.extents()[1] + n);
  peft::adapter_context<reference, double> step;
  const tensor<std::int32_t> of(shape{rows, 1}, 0);
  step.batch.instances = t.input<std::int32_t>(of.matrix());
  if (!intuition.empty()) step.batch.intuition = t.input<double>(intuition.matrix());
  const tensor<double> zero(shape{1, linears}, 0.0);
  const std::vector<var<double>> extra(2, t.input<double>(zero.matrix()));
  return t.read(
      method.gates(t, t.input<double>(std::as_const(x).matrix()), linears, std::span<const var<double>>(extra), step));
}

template <class T>
bool same_bits(const tensor<T>& a, const tensor<T>& b) {
  return a.extents() == b.extents() && std::memcmp(a.data(), b.data(), std::size_t(a.size()) * sizeof(T)) == 0;
}

const tensor<double> nothing;

}  // namespace

TEST_CASE("an adapter that was not trained is the base model bit for bit") {
  cpu device(2);
  const auto model = models::load<cpu, float>(device, (testing::golden_folder() / "train" / "base").string());
  models::padded_batch batch;
  batch.input_ids = tensor<std::int32_t>(shape{3, 11});
  for (index_t i = 0; i < 33; ++i) batch.input_ids[i] = std::int32_t(i * 7 % 97);
  batch.lengths = {11, 4, 1};
  const tensor<float> intuition = testing::random<float>(shape{3, 8}, 1);
  const auto logits = [&] { return models::outputs_of<cpu, float>(device, *model, batch, intuition.matrix()).logits; };
  const tensor<float> base = logits();
  for (const peft::any_method& method :
       {peft::any_method(peft::lora{.rank = 4}), peft::any_method(peft::mor1e{.experts = 8}),
        peft::any_method(peft::mor1e::paper(8)), peft::any_method(peft::mor1e{.experts = 5, .clusters = 8}),
        peft::any_method(peft::mor1e{.experts = 8, .before = true}),
        peft::any_method(peft::mor1e{.experts = 8, .low_rank_router = true}), peft::any_method(peft::dora{.rank = 4}),
        peft::any_method(peft::mix_and_match{.r1 = 2, .r2 = 4}),
        peft::any_method(peft::mix_and_match{.r1 = 4, .r2 = 2, .factorised = true})}) {
    auto set = peft::attach<cpu, float>(model->groups(), peft::adapter_spec{.method = method});
    CHECK(same_bits(logits(), base));
    // Not because it is not there: up projections that are not zero change the answer, and taking it off restores it.
    for (auto& v : set.views())
      if (v.name.ends_with("lora_B.weight")) v.write(tensor<float>(v.extents, 0.1f));
    CHECK_FALSE(same_bits(logits(), base));
    set.detach();
    CHECK(same_bits(logits(), base));
    set.attach();
    CHECK_FALSE(same_bits(logits(), base));
  }
  CHECK(same_bits(logits(), base));  // gone with its set
}

TEST_CASE("permuting the experts permutes the gates and nothing else") {
  const int n = 6;
  const index_t inputs = 5, outputs = 4, rows = 7;
  const std::vector<index_t> order{3, 0, 5, 1, 4, 2};
  const tensor<double> x = testing::random(shape{rows, inputs}, 1), intuition = testing::random(shape{2, n}, 2);
  tensor<double> moved_intuition(intuition.extents());
  for (index_t i = 0; i < 2; ++i)
    for (index_t j = 0; j < n; ++j) moved_intuition[i * n + j] = intuition[i * n + order[std::size_t(j)]];

  const peft::mor1e release{.experts = n};
  for (const peft::mor1e& method :
       {release, peft::mor1e::paper(n), peft::mor1e{.experts = n, .router_bias = true},
        peft::mor1e{.experts = n, .clusters = 2}, peft::mor1e{.experts = n, .before = true},
        peft::mor1e{.experts = n, .low_rank_router = true}, peft::mor1e{.experts = n, .router = false},
        peft::mor1e{.experts = n, .k = 2},
        peft::mor1e{.experts = n, .clusters = 2, .before = true, .low_rank_router = true}}) {
    group g = linear({outputs}, inputs), moved_g = linear({outputs}, inputs);
    auto set = peft::attach(std::vector{&g}, method), moved = peft::attach(std::vector{&moved_g}, method);
    randomise(set);
    const auto from = set.views(), to = moved.views();
    for (std::size_t k = 0; k < from.size(); ++k)
      for (index_t i = 0; i < from[k].extents.rows(); ++i)
        for (index_t j = 0; j < from[k].extents.cols(); ++j) {
          const std::string& name = from[k].name;
          const bool router = name.ends_with("router.weight");
          const bool rows_move = router || name.ends_with("lora_A.weight") || name.ends_with("intuition_map.weight");
          const bool cols_move =
              name.ends_with("lora_B.weight") || name.ends_with("router.bias") || (router && method.low_rank_router);
          testing::in_place(to[k])(i, j) =
              testing::in_place(from[k])(rows_move ? order[std::size_t(i)] : i, cols_move ? order[std::size_t(j)] : j);
        }
    // Of clusters that are mapped the map moves, not the intuition.
    const tensor<double> clusters = testing::random(shape{2, 2}, 4);
    const bool mapped = method.clusters > 0;
    const tensor<double> y = output(g, x, mapped ? clusters : intuition),
                         moved_y = output(moved_g, x, mapped ? clusters : moved_intuition);
    CHECK(testing::violation(moved_y.data(), y.data(), y.size(), {.atol = 1e-12}) == "");
    if (mapped) continue;
    const tensor<double> unmoved_y = output(moved_g, x, intuition);
    CHECK(testing::violation(unmoved_y.data(), y.data(), y.size(), {.atol = 1e-3}) != "");
  }

  const tensor<double> logits = testing::random(shape{rows, n}, 3);
  tensor<double> moved_logits(logits.extents());
  for (index_t i = 0; i < rows; ++i)
    for (index_t j = 0; j < n; ++j) moved_logits[i * n + j] = logits[i * n + order[std::size_t(j)]];
  const tensor<double> gates = gates_of(release, 1, logits, intuition),
                       moved_gates = gates_of(release, 1, moved_logits, moved_intuition);
  for (index_t i = 0; i < rows; ++i)
    for (index_t j = 0; j < n; ++j)
      CHECK(moved_gates[i * n + j] == doctest::Approx(gates[i * n + order[std::size_t(j)]]).epsilon(1e-14));
}

TEST_CASE("one expert with a constant gate is LoRA of rank 1") {
  const tensor<double> x = testing::random(shape{5, 4}, 1);
  group plain = linear({3, 2}, 4);
  auto lora = peft::attach(std::vector{&plain}, peft::lora{.rank = 1, .alpha = 0.5}, 9);
  randomise(lora);
  const auto expected = run(plain, &lora, x, nothing);
  // The softmax of one logit is 1. With gates at 0: 4 * 1/2 * 1/2.
  for (const peft::mor1e& method :
       {peft::mor1e{.experts = 1, .c_token = 1, .learned_gates = false, .intuition = false, .update_scale = 0.5},
        peft::mor1e{.experts = 1, .c_token = 4, .intuition = false, .update_scale = 0.5}}) {
    group g = linear({3, 2}, 4);
    auto set = peft::attach(std::vector{&g}, method);
    for (auto& v : set.views())
      for (const auto& other : lora.views())
        if (other.name == v.name) v.write(other.read());
    const auto ours = run(g, &set, x, nothing);
    CHECK(testing::violation(ours[0].data(), expected[0].data(), expected[0].size(), {.atol = 1e-14}) == "");
    // The gradients of A (the first rows of the fused projection), and of both B.
    for (std::size_t k : {1, 2, 3})
      CHECK(testing::violation(ours[k].data(), expected[k].data(), expected[k].size(), {.atol = 1e-14}) == "");
    // One logit decides nothing: the router gets no gradient.
    for (index_t i = expected[1].size(); i < ours[1].size(); ++i) CHECK(ours[1][i] == 0);
  }
}

TEST_CASE("n experts with equal gates are LoRA of rank n; so are n x n pairs of which one product meets one vector") {
  const int n = 3;
  const tensor<double> x = testing::random(shape{5, 4}, 1);
  group plain = linear({3, 2}, 4), g = linear({3, 2}, 4);
  auto lora = peft::attach(std::vector{&plain}, peft::lora{.rank = n, .alpha = n * 0.5}, 9);
  randomise(lora);
  const auto expected = run(plain, &lora, x, nothing);
  const auto copy = [&](peft::adapter_set<reference, double>& to) {
    for (auto& v : to.views())
      for (const auto& other : lora.views())
        if (other.name == v.name) v.write(other.read());
  };
  const auto same = [](const tensor<double>& ours, const tensor<double>& theirs, index_t count) {
    return testing::violation(ours.data(), theirs.data(), count, {.atol = 1e-13});
  };
  // A router of zeros weighs all with 1/n. The release: n, times 1/2 of each gate.
  for (const peft::mor1e& method :
       {peft::mor1e{.experts = n, .intuition = false, .update_scale = 2},
        peft::mor1e{.experts = n, .c_token = n, .learned_gates = false, .intuition = false, .update_scale = 0.5}}) {
    auto set = peft::attach(std::vector{&g}, method);
    copy(set);
    const auto ours = run(g, &set, x, nothing);
    CHECK(same(ours[0], expected[0], expected[0].size()) == "");
    for (std::size_t k : {1, 2, 3}) CHECK(same(ours[k], expected[k], expected[k].size()) == "");
    values_of(set, "router.weight")[0] += 1;
    CHECK(same(run(g, &set, x, nothing)[0], expected[0], expected[0].size()) != "");
  }
  // An intuition that is one at the pairs (i, i), and no router.
  auto set = peft::attach(
      std::vector{&g},
      peft::mix_and_match{
          .r1 = n, .r2 = n, .c_intuition = 1, .learned_gates = false, .router = false, .update_scale = 0.5});
  copy(set);
  tensor<double> diagonal(shape{2, n * n}, 0.0);
  for (index_t i = 0; i < 2 * n; ++i) diagonal[i / n * n * n + i % n * (n + 1)] = 1;
  const auto ours = run(g, &set, x, diagonal);
  CHECK(same(ours[0], expected[0], expected[0].size()) == "");
  for (std::size_t k : {1, 2, 3}) CHECK(same(ours[k], expected[k], expected[k].size()) == "");
}

TEST_CASE("the router's weights sum to one before the constants") {
  const int n = 9, linears = 3;
  const tensor<double> logits = testing::random(shape{4, linears * n}, 1, -5, 5);
  const auto check_sums = [&](const peft::mor1e& method, double expected) {
    const tensor<double> gates = gates_of(method, linears, logits, nothing);
    for (index_t i = 0; i < gates.size(); i += n) {
      CHECK(std::accumulate(gates.begin() + i, gates.begin() + i + n, 0.0) == doctest::Approx(expected).epsilon(1e-14));
      CHECK(*std::min_element(gates.begin() + i, gates.begin() + i + n) >= 0);
    }
  };
  check_sums({.experts = n, .c_token = 1, .learned_gates = false, .intuition = false}, 1);
  check_sums({.experts = n, .intuition = false}, n * 0.5 * 0.5);  // the release's: c_token = N, both gates at 0
}

TEST_CASE("targets: those alone are adapted") {
  cpu device(1);
  const auto model = models::load<cpu, float>(device, (testing::golden_folder() / "train" / "base").string());
  {
    auto set = peft::attach(*model, peft::lora{.rank = 2}, 1, {"q_proj", "v_proj"});
    CHECK(set.linears() ==
          std::vector<std::string>{"model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.v_proj",
                                   "model.layers.1.self_attn.q_proj", "model.layers.1.self_attn.v_proj"});
    CHECK(set.views().size() == 8);
    index_t attached = 0;
    for (auto* g : model->groups()) attached += g->attached() != nullptr;
    CHECK(attached == 2);
    auto& qkv = *model->groups().front();
    REQUIRE(qkv.parts().size() == 3);
    for (auto& v : set.views()) v.write(tensor<float>(v.extents, 0.25f));
    tape<cpu> t(device);
    nn::step_context<cpu, float> step;
    const tensor<float> x = testing::random<float>(shape{3, qkv.inputs()}, 5);
    const var<float> in = t.input<float>(x.matrix());
    const var<float> adapted = qkv.forward(t, in, step), base = qkv.base(t, in);
    t.keep(adapted), t.keep(base);
    const tensor<float> dy = testing::random<float>(shape{3, qkv.outputs()}, 6);
    t.backward(adapted, dy.matrix());
    const tensor<float> with = t.read(adapted), without = t.read(base);
    const index_t q = qkv.parts()[0].w.rows(), k = qkv.parts()[1].w.rows();
    for (index_t i = 0; i < 3; ++i)
      for (index_t j = 0; j < qkv.outputs(); ++j) {
        const index_t at = i * qkv.outputs() + j;
        const bool of_k = j >= q && j < q + k;
        CHECK((with[at] == without[at]) == of_k);
      }
    for (auto* p : set.parameters())
      if (const tensor<float> gradient = p->read_gradient(); p->name.find("layers.0") != std::string::npos)
        CHECK_MESSAGE(std::any_of(gradient.begin(), gradient.end(), [](float v) { return v != 0; }), p->name);
  }
  CHECK_THROWS_WITH_AS(peft::attach(*model, peft::lora{}, 1, {"q_proj", "q"}),
                       "targets: no linear of the model is called 'q'", value_error);
  for (auto* g : model->groups()) CHECK(g->attached() == nullptr);
  CHECK(peft::attach(*model, peft::lora{}, 1, {"1.mlp.up_proj"}).linears() ==
        std::vector<std::string>{"model.layers.1.mlp.up_proj"});

  auto first = peft::attach(*model, peft::lora{}, 1, {"o_proj"});
  CHECK_THROWS_WITH_AS(peft::attach(*model, peft::lora{}),
                       "model.layers.0.self_attn.o_proj: has an adapter already; detach it first", value_error);
  // A set that takes another's place takes it off its groups too.
  first = peft::attach(*model, peft::lora{}, 1, {"down_proj"});
  for (auto* g : model->groups()) CHECK((g->attached() != nullptr) == (g->parts().front().name.ends_with("down_proj")));
}

TEST_CASE("initial values depend on the seed alone") {
  cpu device(1);
  const auto model = models::load<cpu, float>(device, (testing::golden_folder() / "train" / "base").string());
  const auto initial = [&](std::uint64_t seed) {
    auto set = peft::attach(*model, peft::mor1e{.experts = 4}, seed);
    std::vector<float> out;
    for (auto* p : set.parameters()) testing::append(out, p->read());
    return out;
  };
  const auto a = initial(1), b = initial(1), c = initial(2);
  CHECK(a == b);
  CHECK(a != c);
  auto set = peft::attach(*model, peft::mor1e{.experts = 4}, 1);
  for (const auto& v : set.views()) {
    const tensor<float> values = v.read();
    const float largest = *std::max_element(values.begin(), values.end());
    const float smallest = *std::min_element(values.begin(), values.end());
    if (v.name.ends_with("lora_A.weight")) {
      const double bound = 1 / std::sqrt(double(v.extents.cols()));
      CHECK(largest <= bound);
      CHECK(largest > 0.8 * bound);
      CHECK(smallest >= -bound);
      CHECK(smallest < -0.8 * bound);
    } else {
      CHECK(largest == 0);
      CHECK(smallest == 0);
    }
  }
}

TEST_CASE("parameter counts of ten published models") {
  const nlohmann::json models = io::read_json(testing::golden_folder() / "account.json").at("models");
  REQUIRE(models.size() > 0);
  for (const auto& model : models.items()) {
    CAPTURE(model.key());
    // One layer, of weights that are shapes alone.
    std::vector<std::unique_ptr<nn::projection_group<reference, float>>> held;
    std::vector<nn::projection_group<reference, float>*> groups;
    for (const auto& l : model.value().at("linears_per_layer")) {
      std::vector<nn::projection<reference, float>> parts(1);
      parts[0].name = l.at("name");
      parts[0].w = nn::weight<reference, float>(backend::host_frozen<float>(
          testing::memory, view<const float>(nullptr, l.at("n_out").get<index_t>(), l.at("n_in").get<index_t>()),
          nullptr));
      held.push_back(std::make_unique<nn::projection_group<reference, float>>(testing::memory, std::move(parts)));
      groups.push_back(held.back().get());
    }
    const index_t layers = model.value().at("layers");
    const auto count = [&](const auto& method) { return layers * peft::attach(groups, method).parameter_count(); };
    const nlohmann::json& expected = model.value().at("adapter_parameters");
    CHECK(count(peft::lora{.rank = 8}) == expected.at("lora_r8").get<index_t>());
    CHECK(count(peft::lora{.rank = 32}) == expected.at("lora_r32").get<index_t>());
    for (const auto& [r1, r2] : {std::pair(4, 8), std::pair(8, 4), std::pair(3, 5)}) {
      const index_t paper = expected.at(text("trex_", r1, "x", r2));
      CHECK(count(peft::mix_and_match::paper(r1, r2)) == paper);
      std::int64_t account = 0;
      for (const auto& l : model.value().at("linears_per_layer"))
        account += layers * peft::cost_on(peft::mix_and_match::paper(r1, r2), l.at("n_in"), l.at("n_out")).parameters;
      CHECK(account == paper);
    }
    for (const int n : {8, 20, 32}) {
      const index_t paper = expected.at(text("mor1e_", n));
      CHECK(count(peft::mor1e::paper(n)) == paper);
      CHECK(count(peft::mor1e{.experts = n}) ==
            paper + model.value().at("extra_release_gate_scalars").at("mor1e").get<index_t>());
    }
  }
}
