// What a batch asks of a model is checked where it is filled in.
#include <doctest/doctest.h>

#include "mor1e/autodiff/plan.hpp"
#include "mor1e/models/batch.hpp"
#include "mor1e/mor1e.hpp"

using namespace mor1e;

namespace {

data::packed_batch two_examples() {
  const std::vector<data::encoded_example> examples{{"a", {5, 6, 7}, 1, 0}, {"b", {8, 9}, 1, 1}};
  return data::pack(examples, {.row_bucket = 4, .segment_bucket = 1, .answer_bucket = 1}).front();
}
std::string refusal(const data::packed_batch& batch) {
  try {
    models::check_batch(batch, {.vocabulary = 10, .context = 3});
  } catch (const value_error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("what lies outside the model is named with row, example and both numbers") {
  CHECK(refusal(two_examples()) == "");
  auto batch = two_examples();
  batch.tokens[4] = 10;
  CHECK(refusal(batch) == "batch: token 10 of row 4, example 1: the vocabulary has 10");
  batch.tokens[4] = -1;
  CHECK(refusal(batch) == "batch: token -1 of row 4, example 1: the vocabulary has 10");
  batch = two_examples();
  batch.positions[2] = 3;
  CHECK(refusal(batch) == "batch: position 3 of row 2, example 0: the context of the model is 3");
  batch = two_examples();
  batch.positions[7] = 3;  // of a dead row
  CHECK(refusal(batch) == "");
  batch.targets[2] = 11;
  CHECK(refusal(batch) == "batch: target 11 of row 3, example 1: the vocabulary has 10");
  batch.targets[2] = -1;
  CHECK(refusal(batch) == "");
  batch.answer_rows[0] = 8;
  CHECK(refusal(batch) == "batch: answer 0 of row 8: the rows of the batch are 8");
  batch = two_examples();
  batch.segments[1].end = 9;
  CHECK(refusal(batch) == "batch: segment 1 is rows [3, 9) of 8");
  batch.positions.pop_back();
  CHECK(refusal(batch) == "batch: 8 tokens, 7 positions, 8 instances; 3 answers, 3 targets");
  batch = two_examples();
  batch.segments[1] = {.begin = 4, .end = 3};
  CHECK(refusal(batch) == "batch: segment 1 is rows [4, 3) of 8");
}

TEST_CASE("training, and an eager pass, refuse it before anything runs") {
  cpu device(1);
  const auto model = models::load(device, "toy");
  auto adapters = peft::attach(*model, peft::lora{.rank = 2});
  train::trainer trainer(device, *model, adapters);
  auto batch = two_examples();
  batch.tokens[1] = std::int32_t(model->vocabulary());
  CHECK_THROWS_WITH_AS(
      trainer.step({&batch, 1}, {}, 1),
      text("batch: token ", model->vocabulary(), " of row 1, example 0: the vocabulary has ", model->vocabulary())
          .c_str(),
      value_error);
  CHECK(trainer.optimizer().steps() == 0);
  tape t(device);
  CHECK_THROWS_AS((models::place_batch<cpu, float>(t, batch, models::limits_of(*model))), value_error);

  models::generation<cpu, float> writer(device, *model, 8);
  CHECK_THROWS_AS(writer.push(std::vector<std::int32_t>{1, std::int32_t(model->vocabulary())}), value_error);
}
