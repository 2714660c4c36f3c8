// Every weight of a loaded model trained, stopped after three steps and gone on with from the checkpoint.
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "mor1e/mor1e.hpp"
#include "mor1e/optim/schedule.hpp"
#include "mor1e/train/checkpoint.hpp"

using namespace mor1e;

int main() {
  cpu device;
  const std::vector<data::encoded_example> examples{
      {"greeting", {72, 101, 108, 108, 111, 44, 32, 119, 111, 114, 108, 100}, 6, 0}};
  const auto batches = data::pack(examples);
  const auto folder = std::filesystem::temp_directory_path() / "mor1e-tour-full";

  const auto model = models::load(device, "toy", {.trainable = true});
  train::trainer run(device, *model, model->parameters(), {.adam = {.learning_rate = 1e-3}});
  train::run_state state;
  double first = 0, last = 0;
  const auto steps_until = [&](auto& run, int end) {
    for (; state.step < end; ++state.step) {
      last = run.step(batches, {}, optim::cosine_with_warmup(state.step + 1, 2, 20)).loss;
      if (state.step == 0) first = last;
    }
  };
  steps_until(run, 3);
  train::save_checkpoint(folder, run, state);
  steps_until(run, 10);

  const auto other = models::load(device, "toy", {.trainable = true});
  train::trainer again(device, *other, other->parameters(), {.adam = {.learning_rate = 1e-3}});
  state = train::load_checkpoint(folder, again);
  steps_until(again, 10);
  std::filesystem::remove_all(folder);

  bool same = true;
  for (std::size_t i = 0; i < run.parameters().size(); ++i)
    same &= run.parameters()[i]->read() == again.parameters()[i]->read();
  std::printf("loss %.3f -> %.3f; %s after going on from step 3\n", first, last, same ? "the same" : "another");
  return same && last < 0.9 * first ? 0 : 1;
}
