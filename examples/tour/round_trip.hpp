// What every method of one's own has by being registered: a few steps of training, a folder, and itself again from it.
#pragma once

#include <cstdio>
#include <cstring>
#include <filesystem>

#include "mor1e/mor1e.hpp"

namespace tour {

/// Whether the loss fell, and the adapter that was saved and loaded computes the same as the one that was trained.
inline bool round_trip(const char* name) {
  using namespace mor1e;
  cpu device;
  const auto model = models::load<cpu, float>(device, "toy"), other = models::load<cpu, float>(device, "toy");
  const std::vector<data::encoded_example> examples{
      {.id = "greeting", .ids = {72, 101, 108, 108, 111, 44, 32, 119, 111, 114, 108, 100}, .first_target = 6}};
  const auto batches = data::pack(examples, data::packing_options{});

  const peft::adapter_spec spec = peft::preset(name);
  auto adapters = peft::attach(*model, spec);
  train::trainer trainer(device, *model, adapters, {.adam = {.learning_rate = 0.02}});
  const double first = trainer.step(batches, {}, 1).loss;
  double last = first;
  for (int step = 0; step < 20; ++step) last = trainer.step(batches, {}, 1).loss;

  const auto folder = std::filesystem::temp_directory_path() / ("mor1e-tour-" + std::string(name));
  peft::save_adapter(folder, adapters);
  const auto loaded = peft::load_adapter(*other, folder);
  std::filesystem::remove_all(folder);

  const auto logits = [&](auto& of) {
    models::padded_batch batch;
    batch.input_ids = tensor<std::int32_t>(shape{1, 5}, 104);
    batch.lengths = {5};
    return models::outputs_of<cpu, float>(device, of, batch, {}).logits;
  };
  const tensor<float> trained = logits(*model), again = logits(*other);
  const bool same = std::memcmp(trained.data(), again.data(), std::size_t(trained.size()) * sizeof(float)) == 0;
  std::printf("%s: %lld trained parameters; loss %.2f -> %.2f; %s after loading\n", name,
              static_cast<long long>(adapters.parameter_count()), first, last, same ? "the same" : "another");
  return last < 0.8 * first && same && loaded.record.spec.method == spec.method;
}

}  // namespace tour
