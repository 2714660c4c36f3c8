#include "mor1e/train/run/experiment.hpp"

#include <doctest/doctest.h>

#include "mor1e/backend/cpu.hpp"
#include "mor1e/data/suite.hpp"
#include "mor1e/peft/attach.hpp"
#include "mor1e/peft/methods/lora.hpp"
#include "mor1e/testing/random.hpp"

using namespace mor1e;
using train::data_settings;

namespace {

using experiment = train::experiment<cpu>;

std::unique_ptr<experiment> make(cpu& device, const data_settings& data, const experiment* same_model = nullptr) {
  return std::make_unique<experiment>(device, data, train::schedule_settings{.batch = 4, .steps = 2}, 1, false,
                                      std::nullopt, same_model);
}

std::vector<double> answers(const std::vector<eval::item_score>& scores) {
  std::vector<double> out;
  for (const eval::item_score& s : scores)
    out.push_back(s.letter ? s.letter->answer_log_probability : s.loglik->answer_log_probability);
  return out;
}

}  // namespace

TEST_CASE("experiments of one model score its base once for the same items") {
  cpu device(1);
  const auto families = data::suite_families("suite");
  const data_settings all{.model = "toy", .data = "suite", .eval_limit = 3};
  data_settings drops = all, fewer = all;
  drops.unseen = families[0].name;
  fewer.eval_limit = 2;

  const auto first = make(device, all);
  auto own = peft::attach(*first->model, peft::lora{.rank = 2});
  const std::vector<double> base = answers(first->scored.score_base(own));
  REQUIRE(!base.empty());
  // An adapter that stays on the model shows which scores are computed again.
  for (auto& v : own.views())
    if (const tensor<float> values = testing::random<float>(v.extents, 5); true) v.write(values);
  peft::adapter_set<cpu, float> none;

  const auto same_items = make(device, drops, first.get());
  CHECK(same_items->set.task_names.size() + 1 == first->set.task_names.size());
  CHECK(answers(same_items->scored.score_base(none)) == base);
  data_settings other_wording = all;
  other_wording.wording = "plain";
  CHECK(answers(make(device, other_wording, first.get())->scored.score_base(none)) != base);
  const auto other_items = make(device, fewer, first.get());
  const std::vector<double> again = answers(other_items->scored.score_base(none));
  CHECK(again.size() < base.size());
  CHECK(std::find(base.begin(), base.end(), again[0]) == base.end());
}
