// Checkpoints: what is damaged is refused, and the one before is there.
#include "mor1e/train/checkpoint.hpp"

#include <cstring>
#include <fstream>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/core/rng.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/testing/temporary_folder.hpp"
#include "train/small_step.hpp"

using namespace mor1e;
using namespace mor1e::testing::small_step;
using mor1e::testing::temporary_folder;
namespace fs = std::filesystem;

namespace {

/// A training of a mixture, whose steps are all alike.
struct small_run {
  cpu device{1};
  adapted<float, peft::mor1e> on{device, mixture};
  train::trainer<cpu, float> trainer{
      device, *on.model, on.set.parameters(), {.adam = {.learning_rate = 0.01}, .program = {.clusters = clusters}}};
  train::run_state state;

  void step() {
    const auto batches = data::pack(examples());
    const tensor<float> intuition_rows = intuition<float>();
    state.totals.last_loss = trainer.step(batches, intuition_rows.matrix(), 1).loss;
    ++state.step;
    state.sampler_position += 6;
    state.settings = {{"lr", 0.01}, {"steps", 9}};
  }
  /// Every value of parameters and moments, and what the state says.
  std::string all() {
    std::string out = text(state.step, ' ', state.sampler_position, ' ', state.log_bytes, ' ', state.settings.dump(),
                           ' ', nlohmann::json(state.totals.last_loss).dump(), ' ', trainer.optimizer().steps());
    const auto add = [&](const auto& values) {
      out.append(reinterpret_cast<const char*>(values.data()), std::size_t(values.size()) * sizeof(float));
    };
    for (std::size_t i = 0; i < trainer.parameters().size(); ++i) {
      add(trainer.parameters()[i]->read());
      add(trainer.optimizer().moments()[i].first);
      add(trainer.optimizer().moments()[i].second);
    }
    return out;
  }
};

void flip(const fs::path& file, std::uint64_t bit) {
  std::fstream at(file, std::ios::in | std::ios::out | std::ios::binary);
  at.seekg(std::streamoff(bit / 8));
  const char byte = char(at.get());
  at.seekp(std::streamoff(bit / 8));
  at.put(char(byte ^ (1 << bit % 8)));
}

}  // namespace

TEST_CASE("a checkpoint with one bit flipped is refused by name, or loads as the same run: 200 places") {
  temporary_folder folder;
  small_run first;
  first.step();
  train::save_checkpoint(folder.path(), first.trainer, first.state);
  const std::string saved = first.all();
  small_run second;
  rng random(8);
  int refused = 0, same = 0;
  for (int i = 0; i < 200; ++i) {
    // The tensors are most of the bytes: a third of the places in each of the header and the state's text.
    const fs::path file = folder / "checkpoint" / (i % 3 == 0 ? "state.json" : "state.safetensors");
    const std::uint64_t bytes = i % 3 == 1 ? 2000 : fs::file_size(file);
    const std::uint64_t bit = random.below(bytes * 8);
    CAPTURE(file);
    CAPTURE(bit);
    flip(file, bit);
    try {
      second.state = train::load_checkpoint(folder.path(), second.trainer);
      CHECK(second.all() == saved);
      ++same;
    } catch (const io_error& e) {
      CHECK(std::string(e.what()).find("checkpoint/state.") != std::string::npos);
      ++refused;
    }
    flip(file, bit);
  }
  CHECK(refused + same == 200);
  CHECK(refused > 190);
  second.state = train::load_checkpoint(folder.path(), second.trainer);
  CHECK(second.all() == saved);
}

TEST_CASE("the checkpoint before stays, and is what a run goes on from when the newer one is damaged") {
  temporary_folder folder;
  small_run first;
  std::vector<std::string> saved;
  for (int i = 0; i < 3; ++i) {
    first.step();
    train::save_checkpoint(folder.path(), first.trainer, first.state);
    saved.push_back(first.all());
  }
  small_run second;
  const auto load = [&] { return second.state = train::load_checkpoint(folder.path(), second.trainer); };
  CHECK(load().passed_over == "");
  CHECK(second.all() == saved[2]);

  flip(folder / "checkpoint" / "state.safetensors", fs::file_size(folder / "checkpoint" / "state.safetensors") * 8 - 9);
  CHECK(load().passed_over.find("checkpoint/state.safetensors: is not as it was written") != std::string::npos);
  CHECK(second.all() == saved[1]);
  // The damaged one does not push the good one out.
  second.step();
  CHECK(second.all() == saved[2]);
  train::save_checkpoint(folder.path(), second.trainer, second.state);
  CHECK(train::read_run_state(folder.path()).step == 3);
  fs::remove_all(folder / "checkpoint");
  CHECK(load().passed_over == "");
  CHECK(second.all() == saved[1]);
  CHECK(train::has_checkpoint(folder.path()));

  second.step();
  train::save_checkpoint(folder.path(), second.trainer, second.state);
  for (const char* which : {"checkpoint", "checkpoint.previous"}) flip(folder / which / "state.json", 77);
  try {
    load();
    CHECK(false);
  } catch (const io_error& e) {
    CHECK(std::string(e.what()).find("checkpoint/state.json") != std::string::npos);
    CHECK(std::string(e.what()).find("nor is the one before: ") != std::string::npos);
  }
}

TEST_CASE("what is not finite is not saved, and names the tensor") {
  temporary_folder folder;
  small_run first;
  first.step();
  auto& broken = *first.trainer.parameters()[1];
  tensor<float> values = broken.read();
  values[3] = std::numeric_limits<float>::quiet_NaN();
  broken.write(values);
  CHECK_THROWS_WITH_AS(train::save_checkpoint(folder.path(), first.trainer, first.state),
                       doctest::Contains(("tensor 'value." + broken.name + "': element 3 is nan").c_str()), io_error);
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("a step stops at what is not finite: the op where it began, or the parameter the update broke") {
  const auto batches = data::pack(examples());
  const tensor<float> intuition_rows = intuition<float>();
  {
    small_run first;
    const std::string before = first.all();
    tensor<float> endless = intuition<float>();
    endless[2] = std::numeric_limits<float>::infinity();
    CHECK_THROWS_WITH_AS(first.trainer.step(batches, endless.matrix(), 1),
                         doctest::Contains("; first in rank1_gates (forward, node "), error);
    CHECK(first.all() == before);
  }
  {
    small_run first;
    CHECK_THROWS_WITH_AS(first.trainer.step(batches, intuition_rows.matrix(), 1e300),
                         doctest::Contains((first.trainer.parameters()[0]->name + " is not finite").c_str()), error);
  }
}
