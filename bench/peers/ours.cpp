// mor1e as a contestant of run.py: reads a line with the number of a batch, makes one optimiser step on it, answers
// with one line of JSON.
//
//     ours --model smollm2 --examples examples.jsonl --method mor1e --experts 32 --threads 2
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "../../examples/program.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/train/telemetry.hpp"

using namespace mor1e;

namespace {

struct contestant_options {
  program::common_options common;
  std::string model = "smollm2", examples, method = "lora";
  int rank = 32, experts = 32, batch = 16;
};

std::vector<data::encoded_example> read_examples(const std::string& path) {
  std::ifstream file(path);
  require<io_error>(file.good(), path, " cannot be read");
  std::vector<data::encoded_example> out;
  for (std::string line; std::getline(file, line);) {
    const auto row = nlohmann::json::parse(line);
    out.push_back({row.at("id"), row.at("ids"), row.at("n_prompt"), 0});
  }
  return out;
}

void answer(const nlohmann::json& line) {
  fmt::print("{}\n", line.dump());
  std::fflush(stdout);
}

/// Batch `number` of the list, then of the list sorted by length, as run.py numbers them: one packed batch.
std::vector<data::packed_batch> batch_of(const std::vector<data::encoded_example>& from, index_t number, index_t size) {
  const index_t batches = index_t(from.size()) / size;
  require<value_error>(number >= 0 && number < 2 * batches, "there is no batch ", number);
  std::vector<index_t> order(from.size());
  std::iota(order.begin(), order.end(), 0);
  if (number >= batches)
    std::stable_sort(order.begin(), order.end(), [&](index_t a, index_t b) {
      return from[std::size_t(a)].ids.size() < from[std::size_t(b)].ids.size();
    });
  std::vector<data::encoded_example> chosen;
  index_t tokens = 0;
  for (index_t i = 0; i < size; ++i) {
    chosen.push_back(from[std::size_t(order[std::size_t(number % batches * size + i)])]);
    chosen.back().instance = i;
    tokens += index_t(chosen.back().ids.size());
  }
  return data::pack(chosen, {.tokens = tokens});
}

template <class B>
void take_turns(B& device, const contestant_options& o) {
  using clock = std::chrono::steady_clock;
  const auto examples = read_examples(o.examples);
  const auto model = models::load<B, float>(device, o.model);
  const bool mixture = o.method == "mor1e";
  auto adapters = mixture ? peft::attach(*model, peft::mor1e{.experts = o.experts})
                          : peft::attach(*model, peft::lora{.rank = o.rank, .alpha = 16});
  const tensor<float> intuition(shape{o.batch, mixture ? o.experts : 1}, 0.5f);
  train::trainer<B, float> trainer(
      device, *model, adapters,
      {.adam = {.learning_rate = 1e-4}, .clip = 0, .program = {.clusters = mixture ? o.experts : 0}});
  answer({{"ready", true}, {"parameters", adapters.parameter_count()}, {"threads", device.arithmetic().threads}});
  for (std::string line; std::getline(std::cin, line);) {
    const auto begin = clock::now();
    const auto batches = batch_of(examples, std::stol(line), o.batch);
    const auto report = trainer.step(batches, intuition.matrix(), 1);
    const double seconds = std::chrono::duration<double>(clock::now() - begin).count();
    answer({{"seconds", seconds},
            {"useful_tokens", report.tokens},
            {"padded_tokens", batches[0].rows()},
            {"loss", report.loss},
            {"peak_memory", train::peak_memory()}});
  }
}

}  // namespace

int main(int argc, char** argv) {
  contestant_options o;
  return program::run(
      argc, argv, "ours", "One optimiser step for each batch number on standard input", o.common,
      [&](CLI::App& app) {
        const CLI::Range whole(1, 1 << 20);
        app.add_option("--model", o.model, "folder, .gguf file or short name")->capture_default_str();
        app.add_option("--examples", o.examples, "file that `examples` wrote")->required();
        app.add_option("--method", o.method)->check(CLI::IsMember({"lora", "mor1e"}))->capture_default_str();
        app.add_option("--rank", o.rank, "of lora")->check(whole)->capture_default_str();
        app.add_option("--experts", o.experts, "of mor1e")->check(whole)->capture_default_str();
        app.add_option("--batch", o.batch, "examples of a step")->check(whole)->capture_default_str();
      },
      [&] { with_device(o.common.device, [&](auto& device) { take_turns(device, o); }); });
}
