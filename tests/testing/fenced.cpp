#include "mor1e/testing/fenced.hpp"

#include <csignal>
#include <numeric>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "doctest/doctest.h"
#include "host_values.hpp"
#include "mor1e/cluster/intuition.hpp"
#include "mor1e/cluster/kmeans.hpp"
#include "mor1e/eval/branches.hpp"
#include "mor1e/models/generation.hpp"
#include "mor1e/models/outputs.hpp"
#include "mor1e/models/registry.hpp"
#include "mor1e/peft/adapter_file.hpp"
#include "mor1e/peft/attach.hpp"
#include "mor1e/peft/merge.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/random.hpp"
#include "mor1e/testing/temporary_folder.hpp"
#include "mor1e/train/checkpoint.hpp"
#include "mor1e/train/trainer.hpp"
#include "mor1e/train/update_scale.hpp"

using namespace mor1e;
using testing::fenced;

namespace {

/// How a child process that runs `f` ends: the number of its signal, 0 if it ends by itself.
template <class F>
int signal_of(F f) {
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);  // not doctest's report
    f();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

constexpr int clusters = 4;

std::vector<data::encoded_example> examples() {
  std::vector<data::encoded_example> out;
  for (std::size_t i = 0; i < 5; ++i) {
    data::encoded_example e{std::to_string(i), {}, index_t(3 + i), index_t(i), std::int32_t(i % 2)};
    for (std::size_t j = 0; j < 6 + 2 * i; ++j) e.ids.push_back(std::int32_t(97 + (i * 7 + j * 3) % 26));
    out.push_back(std::move(e));
  }
  return out;
}

/// Everything a user does with a model and a method, on one device: the numbers that come out.
template <class B, class Method>
std::vector<double> everything(B& device, const std::string& family, const Method& method, bool intuitive) {
  testing::temporary_folder scratch;
  std::vector<double> out;
  const auto load = [&] { return models::load<B, float>(device, "toy"); };

  // Intuition: clusters of embeddings, on the host of the device.
  const tensor<float> embeddings = testing::random<float>({24, 8}, 3);
  const auto found = cluster::kmeans<float>(device, embeddings.matrix(), {.clusters = clusters});
  const tensor<float> intuition =
      cluster::intuition<float>(device, embeddings.matrix().row_range(0, 5), std::as_const(found.centroids).matrix());
  const view<const float> rows = intuitive ? intuition.matrix() : view<const float>{};

  // Training, with recomputation and dropout, a checkpoint in the middle and another trainer that goes on from it.
  const auto batches = data::pack(examples(), {.tokens = 40});
  peft::adapter_record record;
  record.spec = peft::preset(family);
  record.spec.method = method;
  if (intuitive) record.intuition = {{"kind", "clusters"}};
  const train::trainer_options options{
      .adam = {.learning_rate = 0.01, .weight_decay = 0.1},
      .clip = 0.5,
      .program = {.recompute = true, .statistics = true, .dropout = true, .types = true}};
  const auto model = load();
  auto set = peft::attach(*model, method, 7);
  out.push_back(train::update_scale(device, *model, std::span<const data::packed_batch>(batches), rows));
  train::trainer<B, float> first(device, *model, set, options);
  for (int step = 0; step < 3; ++step) {
    const train::step_report report = first.step(batches, rows, 1);
    out.insert(out.end(), {report.loss, report.gradient_norm, report.auxiliary});
  }
  train::run_state state;
  state.step = 3;
  state.settings = {{"family", family}};
  train::save_checkpoint(scratch.path(), first, state);
  const auto other = load();
  auto resumed_set = peft::attach(*other, method, 8);
  train::trainer<B, float> resumed(device, *other, resumed_set, options);
  train::load_checkpoint(scratch.path(), resumed);
  out.push_back(resumed.step(batches, rows, 1).loss);
  for (auto* p : resumed_set.parameters()) testing::append(out, p->read());
  for (const auto& of : resumed_set.views()) testing::append(out, of.read_gradient());
  resumed_set.each([&](const auto&, auto& adapter) {
    for (const auto& norms : adapter.expert_norms()) out.insert(out.end(), norms.experts.begin(), norms.experts.end());
  });

  // Saved and loaded; scored and generated from.
  peft::save_adapter(scratch.path() / "adapter", resumed_set, record);
  const auto fresh = load();
  auto loaded = peft::load_adapter(*fresh, scratch.path() / "adapter");
  eval::branch_scorer<B, float> scorer(device, *fresh);
  const eval::branching item{"item", {72, 105, 32}, {{97, 98}, {99}}};
  scorer.score({&item, 1}, rows, [&](std::size_t, eval::branching_score&& score) {
    for (const auto& branch : score.branches)
      for (const auto& token : branch) out.push_back(token.log_probability);
  });
  const view<const float> one_row = intuitive ? rows.row_range(0, 1) : rows;
  models::generation<B, float> text(device, *fresh, 8, one_row);
  testing::append(out, text.push(std::vector<std::int32_t>{72, 105}));
  testing::append(out, text.push(std::vector<std::int32_t>{33}));

  // Merged into the weights, without the router where there is one.
  peft::merged_adapters<B, float> merged(device, loaded.set, {.intuition = one_row, .drop_router = true});
  models::generation<B, float> plain(device, *fresh, 8);
  testing::append(out, plain.push(std::vector<std::int32_t>{72, 105}));
  const io::checkpoint base = models::open("toy");
  peft::save_merged(scratch.path() / "merged", base, merged);
  merged.unmerge();
  return out;
}

template <class Method>
void check_everything(const std::string& family, const Method& method, bool intuitive = false) {
  CAPTURE(family);
  fenced device;
  reference oracle;
  const std::vector<double> ours = everything(device, family, method, intuitive);
  const std::vector<double> expected = everything(oracle, family, method, intuitive);
  CHECK(ours.size() > 1000);
  CHECK(ours == expected);
}

}  // namespace

TEST_CASE("the host that reads or writes device memory is stopped, and only it") {
  fenced device;
  array<fenced, float> values(device, {2, 3}, 1.5f);
  CHECK(values.read()[5] == 1.5f);
  CHECK(signal_of([&] { std::memset(const_cast<float*>(values.matrix().address()), 0, 4); }) == SIGSEGV);
  CHECK(signal_of([&] { _exit(int(*values.matrix().address())); }) == SIGSEGV);
  CHECK(signal_of([&] { values.fill(2); }) == 0);
  fenced::frozen<float> w(device, tensor<float>({2, 3}, 2.0f));
  CHECK(read_frozen(device, w)[5] == 2.0f);
  CHECK(signal_of([&] { _exit(int(w.inner().values()[0])); }) == SIGSEGV);
}

TEST_CASE("training, saving, scoring, generation and merging touch device memory inside primitives alone") {
  check_everything("lora", peft::lora{.rank = 2, .dropout = 0.1});
  check_everything("mor1e", peft::mor1e{.experts = clusters, .router_bias = true}, true);
}

TEST_CASE("full fine-tuning on the fenced device") {
  const auto run = [](auto& device) {
    using device_type = std::remove_reference_t<decltype(device)>;
    const auto model = models::load<device_type, float>(device, "toy", {.trainable = true});
    train::trainer<device_type, float> trainer(device, *model, model->parameters(), {});
    const auto batches = data::pack(examples(), {.tokens = 40});
    std::vector<double> out;
    for (int step = 0; step < 2; ++step) out.push_back(trainer.step(batches, {}, 1).loss);
    for (auto* p : model->parameters()) testing::append(out, p->read());
    return out;
  };
  fenced device;
  reference oracle;
  CHECK(run(device) == run(oracle));
}

TEST_CASE("encoders on the fenced device") {
  const auto run = [](auto& device) {
    using device_type = std::remove_reference_t<decltype(device)>;
    std::vector<double> out;
    for (const auto& entry : std::filesystem::directory_iterator(testing::golden_folder() / "encoders")) {
      if (!entry.is_directory() || models::architecture_of(models::open(entry.path().string())) != "bert") continue;
      const auto model = models::load_encoder<device_type, float>(device, entry.path().string());
      models::padded_batch batch;
      batch.input_ids = tensor<std::int32_t>({2, 4}, 3);
      batch.lengths = {4, 3};
      testing::append(out, models::outputs_of(device, *model, batch).embedding);
    }
    return out;
  };
  fenced device;
  reference oracle;
  const auto ours = run(device);
  CHECK(ours.size() > 0);
  CHECK(ours == run(oracle));
}
