// The examples that every contestant trains on, as tokens: one JSON object {id, ids, n_prompt} a line.
//
//     examples --data FOLDER --model smollm2 --out examples.jsonl
#include "mor1e/train/examples.hpp"

#include <algorithm>
#include <string>

#include "../../examples/program.hpp"
#include "mor1e/data/sampling.hpp"
#include "mor1e/io/atomic_file.hpp"
#include "mor1e/models/open.hpp"

using namespace mor1e;

namespace {

constexpr index_t rows_of_a_task = 29, count = 512, max_length = 1024;

/// The first rows of each task, shuffled and cut; long prompts are cut at their left.
void write_examples(const std::string& data, const std::string& model, const std::string& out) {
  const auto tasks = data::read_data_folder(data, "", data::splits::train);
  const auto set =
      train::encode(tasks, texts::prompt_encoder(models::open_tokenizer(model)), {}, max_length, true, rows_of_a_task);
  auto order = data::epoch_order(index_t(set.examples.size()), 0, 0);
  require<value_error>(index_t(order.size()) >= count, data, " has ", order.size(), " examples, ", count,
                       " are needed: ", rows_of_a_task, " of each of 18 tasks");
  order.resize(std::size_t(count));
  io::atomic_file file(out);
  for (const index_t i : order) {
    const auto& example = set.examples[std::size_t(i)];
    const nlohmann::json line = {{"id", example.id}, {"ids", example.ids}, {"n_prompt", example.first_target}};
    file.write(line.dump() + '\n');
  }
  file.commit();
}

}  // namespace

int main(int argc, char** argv) {
  program::common_options common;
  std::string data, model = "smollm2", out;
  return program::run(
      argc, argv, "examples", "Writes the examples of the comparison with other libraries", common,
      [&](CLI::App& app) {
        app.add_option("--data", data, "folder with <task>/train.jsonl")->required();
        app.add_option("--model", model, "folder, .gguf file or short name")->capture_default_str();
        app.add_option("--out", out, "file to write")->required();
      },
      [&] { write_examples(data, model, out); });
}
