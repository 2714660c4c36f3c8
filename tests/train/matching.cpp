// Methods made comparable: scales that are known by hand, sizes that no other size comes nearer to.
#include "mor1e/peft/matching.hpp"

#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/mor1e.hpp"
#include "mor1e/testing/random.hpp"
#include "mor1e/train/update_scale.hpp"

using namespace mor1e;

namespace {

data::packed_batch batch() {
  std::vector<data::encoded_example> all;
  for (int i = 0; i < 3; ++i) {
    data::encoded_example e{std::to_string(i), {}, 3, i};
    for (int j = 0; j < 9 + i; ++j) e.ids.push_back((7 * i + j * j) % 100);
    all.push_back(std::move(e));
  }
  return data::pack(all, {.tokens = 40, .row_bucket = 8, .segment_bucket = 2, .answer_bucket = 4}).front();
}

/// The scale of a method that was not trained, on the toy model.
double scale_at_start(const peft::adapter_spec& spec, const tensor<float>& intuition = {}) {
  cpu device(1);
  const auto model = models::load<cpu, float>(device, models::toy_name);
  auto set = peft::attach(*model, spec);
  return train::update_scale<cpu, float>(device, *model, std::vector{batch()}, intuition.matrix());
}

const std::vector<peft::linear_size> linears{{576, 576}, {576, 192}, {576, 1536}, {1536, 576}};

}  // namespace

TEST_CASE("the scale at the start, by hand") {
  CHECK(scale_at_start(peft::preset("lora")) == doctest::Approx(0.5));
  CHECK(scale_at_start(peft::preset("rslora")) == doctest::Approx(16 / std::sqrt(32.)));
  CHECK(scale_at_start(peft::preset("dora")) == doctest::Approx(0.5));
  // Routers that start at zero weigh all alike: 1 / 8, and of SiRA's six chosen of eight the root mean square.
  CHECK(scale_at_start(peft::preset("molora-release")) == doctest::Approx(0.125));
  CHECK(scale_at_start(peft::preset("sira-release")) == doctest::Approx(0.125 * std::sqrt(6. / 8)));
  // The release's gates: half of 32 (1/2) (1/32) + 4 (1/2) I. The paper's: 1/32 + I.
  tensor<float> intuition_rows(shape{3, 32}, 0.7f);
  CHECK(scale_at_start(peft::preset("mor1e"), intuition_rows) == doctest::Approx(0.25 + 0.7));
  CHECK(scale_at_start(peft::preset("mor1e-paper"), intuition_rows) == doctest::Approx(1. / 32 + 0.7));
  // An instance's intuition counts by its tokens.
  for (index_t j = 0; j < 32; ++j) intuition_rows[j] = -0.25f;
  const double counted = std::sqrt((9 * 0. + 21 * std::pow(0.95, 2)) / 30);
  CHECK(scale_at_start(peft::preset("mor1e"), intuition_rows) == doctest::Approx(counted));
  // Of a mix: four pairs add up to one output vector, with signs that do not agree.
  const tensor<float> none(shape{3, 32}, 0.f);
  CHECK(scale_at_start(peft::preset("mix-paper"), none) == doctest::Approx(std::sqrt(4.) / 32).epsilon(0.05));
}

TEST_CASE("a scaled method has the scale asked for, whatever it is made of") {
  for (const std::string& name : peft::method_names()) {
    CAPTURE(name);
    const peft::adapter_spec own = peft::preset(name), twice = peft::scaled(own, 2);
    CHECK(twice.method.scale() == doctest::Approx(2 * own.method.scale()));
    const tensor<float> intuition_rows = testing::random<float>(shape{3, 32}, 5);
    CHECK(scale_at_start(twice, intuition_rows) == doctest::Approx(2 * scale_at_start(own, intuition_rows)));
  }
  CHECK_THROWS_AS(peft::scaled(peft::preset("lora"), 0), value_error);
}

TEST_CASE("matched parameters: no neighbour is nearer, and the scale stays") {
  const std::int64_t target = peft::cost_on(peft::preset("lora").method, linears).parameters;
  for (const std::string& name : peft::method_names()) {
    CAPTURE(name);
    const peft::any_method own = peft::preset(name).method, found = peft::match_parameters(own, linears, target);
    CAPTURE(found.size());
    CHECK(found.scale() == doctest::Approx(own.scale()));
    const auto off = [&](const peft::any_method& method) {
      return std::abs(double(peft::cost_on(method, linears).parameters) / double(target) - 1);
    };
    CHECK(off(found) <= off(own));
    CHECK(off(found) < 0.11);  // ranks 3 and 4 of AdaMoLE's eight experts are a quarter apart
    for (const int step : {-1, 1}) {
      peft::any_method neighbour = found;
      for (const peft::described_field& f : found.fields())
        if (f.about.least) {  // the first of them
          neighbour.set(f.about.key, std::get<int>(f.value) + step);
          break;
        }
      CHECK(off(found) <= off(neighbour));
    }
  }
  // MoR1E pays for its routers: N (S + S_in) against 32 S.
  std::int64_t inputs = 0, both = 0;
  for (const auto& l : linears) inputs += l.inputs, both += l.inputs + l.outputs;
  const auto found = peft::match_parameters(peft::preset("mor1e").method, linears, target);
  CHECK(found.as<peft::mor1e>().experts == std::lround(32. * double(both) / double(both + inputs)));
  // SiRA goes on choosing a quarter of its experts.
  const auto sparse = peft::match_parameters(peft::preset("sira").method, linears, target).as<peft::sira>();
  CHECK(sparse.k == std::max(1, int(std::lround(sparse.experts * 4 / 16.))));
}
