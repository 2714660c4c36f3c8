// Adam, the schedule and clipping against what torch and transformers computed.
#include "mor1e/testing/golden.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "doctest/doctest.h"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/optim/adam.hpp"
#include "mor1e/optim/gradients.hpp"
#include "mor1e/optim/schedule.hpp"

using namespace mor1e;
using namespace mor1e::optim;

namespace {

const std::filesystem::path folder = testing::golden_folder() / "optim";

adam_options options_of(const std::string& name, const nlohmann::json& facts) {
  return {.learning_rate = facts.at("lr"),
          .beta1 = facts.at("betas").at(0),
          .beta2 = facts.at("betas").at(1),
          .epsilon = facts.at("eps"),
          .weight_decay = facts.value("weight_decay", 0.),
          .decay = name.starts_with("adamw") ? decay_rule::decoupled : decay_rule::l2};
}

template <class T, class B>
void check_adam(B& device, const std::string& prefix, double tolerance) {
  const io::safetensors_file file(folder / "adam.safetensors");
  const nlohmann::json facts = io::read_json(folder / "optim.json").at("adam");
  const tensor<T> gradients = file.read<T>(prefix + ".grads");
  const index_t size = gradients.extents()[1];
  REQUIRE(facts.size() > 0);
  for (const auto& item : facts.items()) {
    const std::string name = item.key();
    CAPTURE(name);
    param<B, T> parameter(device, name, file.read<T>(prefix + ".param0"));
    const tensor<T> after = file.read<T>(prefix + "." + name + ".params");
    adam<B, T> optimizer(std::vector{&parameter}, options_of(name, item.value()));
    for (index_t step = 0; step < gradients.extents()[0]; ++step) {
      CAPTURE(step);
      parameter.gradient.write(gradients.matrix().row_range(step, 1));
      optimizer.step();
      CHECK(testing::violation(parameter.read().data(), after.data() + step * size, size, {.atol = tolerance}) == "");
    }
    const adam_moments<T> moments = std::move(optimizer.moments()[0]);
    const tensor<T> first = file.read<T>(prefix + "." + name + ".exp_avg"),
                    second = file.read<T>(prefix + "." + name + ".exp_avg_sq");
    CHECK(testing::violation(moments.first.data(), first.data(), size, {.atol = tolerance}) == "");
    // Second moments reach 84, where neighbouring floats are 7.6e-6 apart: an absolute 1e-5 alone would allow one ulp
    // in 50 steps.
    const double ulps = 8 * double(std::numeric_limits<T>::epsilon());
    CHECK(testing::violation(moments.second.data(), second.data(), size, {.atol = tolerance, .rtol = ulps}) == "");
  }
}

}  // namespace

TEST_CASE("adam and adamw") {
  cpu device(3);
  reference oracle;
  check_adam<double>(device, "f64", 1e-12);
  check_adam<double>(oracle, "f64", 1e-12);
  check_adam<float>(device, "f32", 1e-5);
  check_adam<float>(oracle, "f32", 1e-5);
}

TEST_CASE("cosine schedule with warm-up") {
  const nlohmann::json facts = io::read_json(folder / "optim.json").at("cosine_with_warmup");
  REQUIRE(facts.size() > 0);
  for (const auto& fact : facts) {
    const std::vector<double> factors = fact.at("factor_at_step");
    for (std::size_t step = 0; step < factors.size(); ++step) {
      CAPTURE(step);
      CHECK(std::abs(cosine_with_warmup(std::int64_t(step), fact.at("warmup"), fact.at("total")) - factors[step]) <
            1e-12);
    }
  }
}

TEST_CASE("clipping, also of what is not finite") {
  cpu device(2);
  const io::safetensors_file file(folder / "clip.safetensors");
  const nlohmann::json facts = io::read_json(folder / "optim.json").at("clip");
  REQUIRE(facts.size() > 0);
  for (const auto& fact : facts) {
    const std::string name = fact.at("name");
    const double max_norm = fact.at("max_norm");
    CAPTURE(name);
    std::vector<tensor<float>> gradients, clipped;
    std::deque<param<cpu, float>> held;
    std::vector<param<cpu, float>*> parameters;
    for (int i = 0; i < fact.at("tensors").get<int>(); ++i) {
      gradients.push_back(file.read<float>(text(name, ".in.", i)));
      clipped.push_back(file.read<float>(text(name, ".out.", i)));
    }
    double squares = 0;
    for (auto& gradient : gradients) {
      parameters.push_back(&held.emplace_back(device, name, gradient.extents()));
      held.back().gradient.write(gradient);
      for (float g : gradient) squares += double(g) * g;
    }
    const double norm = clip_gradients(parameters, max_norm);
    for (std::size_t i = 0; i < held.size(); ++i) gradients[i] = held[i].read_gradient();
    const double stored = file.read<float>(name + ".norm")[0];
    const bool exact_is_stored = std::isfinite(stored) == std::isfinite(squares) && (stored != 0 || squares == 0);
    for (std::size_t i = 0; i < gradients.size(); ++i)
      for (index_t j = 0; j < gradients[i].size(); ++j) {
        float expected = clipped[i][j];
        // Where a float norm overflows or underflows, the rule itself with the double norm.
        if (!exact_is_stored)
          expected = float(double(file.read<float>(text(name, ".in.", i))[j]) *
                           std::min(1., max_norm / (std::sqrt(squares) + 1e-6)));
        if (std::isnan(expected))
          CHECK(std::isnan(gradients[i][j]));
        else
          CHECK(std::abs(gradients[i][j] - expected) <= 1e-5);
      }
    if (std::isnan(stored))
      CHECK(std::isnan(norm));
    else if (exact_is_stored)
      CHECK((norm == stored || std::abs(norm - stored) <= 1e-5 * stored));
    else
      CHECK(norm == doctest::Approx(std::sqrt(squares)));
  }
}
