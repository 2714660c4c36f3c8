// Every weight of a loaded model trained, stopped, and gone on with.
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "append.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/testing/temporary_folder.hpp"
#include "mor1e/train/checkpoint.hpp"

using namespace mor1e;

namespace {

const std::vector<data::encoded_example> greetings{
    {"hello", {72, 101, 108, 108, 111, 44, 32, 119, 111, 114, 108, 100}, 6, 0}, {"hi", {72, 105, 33, 33}, 2, 1}};

struct full_run {
  cpu device{1};
  std::unique_ptr<models::language_model<cpu, float>> model =
      models::load<cpu, float>(device, "toy", {.trainable = true});
  train::trainer<cpu, float> trainer{device, *model, model->parameters(), {.adam = {.learning_rate = 3e-3}}};
  train::run_state state;

  double steps(int count) {
    double loss = 0;
    for (int i = 0; i < count; ++i, ++state.step) loss = trainer.step(data::pack(greetings), {}, 1).loss;
    return loss;
  }
  std::vector<double> values() const {
    std::vector<double> out;
    for (auto* p : trainer.parameters()) testing::append(out, p->read());
    return out;
  }
};

}  // namespace

TEST_CASE("full fine-tuning trains every weight of the model, and lowers its loss") {
  full_run run;
  const auto before = models::load<cpu, float>(run.device, "toy", {.trainable = true});
  const double first = run.steps(1), last = run.steps(9);
  CHECK(last < 0.8 * first);
  const auto was = before->parameters(), now = run.model->parameters();
  index_t elements = 0;
  for (std::size_t i = 0; i < was.size(); ++i) {
    CAPTURE(now[i]->name);
    CHECK(now[i]->name == was[i]->name);
    CHECK_FALSE(now[i]->read() == was[i]->read());
    elements += now[i]->size();
  }
  CHECK(was.size() == run.trainer.parameters().size());
  // What a frozen model's groups hold is a part of them: embeddings and norms are trained, too.
  index_t linears = 0;
  for (auto* group : run.model->groups())
    for (const auto& part : group->parts()) linears += part.inputs() * part.outputs();
  CHECK(elements > linears);
}

TEST_CASE("full fine-tuning goes on from its checkpoint bit for bit") {
  const testing::temporary_folder folder;
  full_run whole;
  whole.steps(3);
  train::save_checkpoint(folder.path(), whole.trainer, whole.state);
  const double loss = whole.steps(4);

  full_run resumed;
  resumed.steps(1);  // whatever was there is replaced
  resumed.state = train::load_checkpoint(folder.path(), resumed.trainer);
  CHECK(resumed.state.step == 3);
  CHECK(resumed.steps(4) == loss);
  CHECK(resumed.values() == whole.values());
}
