// Every method by its preset: a short run on the toy model, its folder, and what the step reports.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/mor1e.hpp"
#include "mor1e/testing/random.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;

namespace {

constexpr int sequences = 4;

std::vector<data::packed_batch> batches(int vocabulary) {
  std::vector<data::encoded_example> all;
  for (int i = 0; i < sequences; ++i) {
    data::encoded_example e{std::to_string(i), {}, 3, i};
    for (int j = 0; j < 9 + i; ++j)
      e.ids.push_back(std::int32_t(uniform<double>(stream_key(1, i), std::uint64_t(j)) * vocabulary));
    all.push_back(std::move(e));
  }
  return data::pack(all, {.tokens = 24, .row_bucket = 8, .segment_bucket = 2, .answer_bucket = 4});
}

tensor<float> logits_of(cpu& device, models::language_model<cpu, float>& model) {
  models::padded_batch batch;
  batch.input_ids = tensor<std::int32_t>(shape{2, 7});
  for (index_t i = 0; i < 14; ++i) batch.input_ids[i] = std::int32_t(i * 5 % model.vocabulary());
  batch.lengths = {7, 4};
  return models::outputs_of<cpu, float>(device, model, batch).logits;
}

}  // namespace

TEST_CASE("every preset without intuition trains, is saved and comes back") {
  const testing::temporary_folder scratch;
  cpu device(2);
  for (const std::string& name : peft::method_names()) {
    peft::adapter_spec spec = peft::preset(name);
    if (spec.method.needs().clusters > 0) continue;
    CAPTURE(name);
    spec.seed = 3;
    const auto model = models::load<cpu, float>(device, models::toy_name),
               other = models::load<cpu, float>(device, models::toy_name);
    const tensor<float> base = logits_of(device, *model);
    auto set = peft::attach(*model, spec);
    const tensor<float> untrained = logits_of(device, *model);
    CHECK(std::memcmp(untrained.data(), base.data(), std::size_t(base.size()) * sizeof(float)) == 0);

    train::trainer<cpu, float> trainer(
        device, *model, set.parameters(),
        {.adam = {.learning_rate = 0.01}, .program = {.statistics = true, .dropout = spec.method.needs().draws}});
    const auto micro_batches = batches(model->vocabulary());
    REQUIRE(micro_batches.size() > 1);
    const train::step_report first = trainer.step(micro_batches, {}, 1);
    train::step_report last;
    for (int step = 0; step < 30; ++step) last = trainer.step(micro_batches, {}, 1);
    CHECK(last.loss - last.auxiliary < 0.7 * (first.loss - first.auxiliary));

    const bool mixture = spec.method.description().has_experts;
    double weight = 0;
    if (mixture)
      for (const char* loss : {"gshard_loss", "balance_loss"}) weight += peft::value_of<double>(spec.method, loss);
    CHECK((first.auxiliary > 0) == (weight > 0));
    CHECK(std::isfinite(first.auxiliary));
    CHECK(first.routers.empty() == !mixture);
    for (const auto& r : first.routers) {
      double sum = 0;
      for (const double w : r.load) sum += w;
      CHECK(sum == doctest::Approx(1).epsilon(1e-5));
      CHECK(r.entropy > 0);
      CHECK(r.entropy < std::log(double(r.load.size())) + 1e-5);
    }

    peft::adapter_record record;
    record.spec = spec;
    peft::save_adapter(scratch / name, set, record);
    const auto loaded = peft::load_adapter(*other, scratch / name);
    CHECK(loaded.record.spec.method.label() == spec.method.label());
    const tensor<float> ours = logits_of(device, *model), theirs = logits_of(device, *other);
    CHECK(std::memcmp(ours.data(), theirs.data(), std::size_t(ours.size()) * sizeof(float)) == 0);
    CHECK(std::memcmp(ours.data(), base.data(), std::size_t(ours.size()) * sizeof(float)) != 0);
  }
}

TEST_CASE("the auxiliary losses of a step are the mean over its tokens, and part of its loss") {
  cpu device(1);
  const auto model = models::load<cpu, float>(device, models::toy_name);
  const auto step = [&](const peft::router_losses& losses) {
    auto set = peft::attach(*model, peft::molora{.experts = 4, .losses = losses});
    train::trainer<cpu, float> trainer(device, *model, set.parameters(), {.adam = {.learning_rate = 0}});
    return trainer.step(batches(model->vocabulary()), {}, 1);
  };
  const auto none = step({}), entropy = step({.entropy = 2});
  CHECK(none.auxiliary == 0);
  CHECK(entropy.loss == doctest::Approx(none.loss + entropy.auxiliary).epsilon(1e-5));
  // A router of small numbers is nearly uniform: log 4 a linear.
  index_t linears = 0;
  for (const auto* g : model->groups()) linears += index_t(g->parts().size());
  CHECK(entropy.auxiliary == doctest::Approx(2 * double(linears) * std::log(4)).epsilon(0.02));
}
