// Every kind of decoder and encoder through the programs: trained, scored, merged, generating.
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/core/rng.hpp"
#include "mor1e/io/checkpoint.hpp"
#include "mor1e/testing/golden.hpp"
#include "programs/shell.hpp"
#include "programs/toy_folder.hpp"

using namespace mor1e;
using testing::shell;
namespace fs = std::filesystem;

namespace {

/// The model of a golden fixture with a vocabulary of bytes and one end, a longer context and other random weights.
void write_like(const std::string& fixture, const fs::path& folder) {
  constexpr index_t words = 257;
  const io::checkpoint from = io::open_checkpoint(testing::golden_folder() / fixture);
  fs::create_directories(folder);
  nlohmann::json config = from.config;
  const index_t before = config["vocab_size"];
  config["vocab_size"] = words, config["bos_token_id"] = 256, config["eos_token_id"] = 256;
  config.erase("pad_vocab_size_multiple"), config.erase("pad_token_id");
  for (const char* context : {"max_position_embeddings", "seq_length", "n_positions"}) config[context] = 2048;
  io::write_json(folder / "config.json", config);

  rng draw(1);
  std::vector<std::string> names = from.weights->names();
  std::vector<tensor<float>> values;
  std::vector<io::stored_tensor> tensors;
  for (const std::string& name : names) {
    const shape own = from.weights->extents(name);
    shape extents;
    for (index_t axis = 0; axis < index_t(own.rank()); ++axis)
      extents.append(own[int(axis)] == before ? words : own[int(axis)]);
    tensor<float> some(extents);
    for (float& value : some) value = float(draw.normal() * (extents.rank() == 1 ? 0.1 : 0.3));
    values.push_back(std::move(some));
  }
  for (std::size_t i = 0; i < names.size(); ++i) tensors.push_back(io::stored(names[i], values[i]));
  io::write_safetensors(folder / "model.safetensors", tensors);
  testing::write_tokenizer(folder);
}

}  // namespace

TEST_CASE("the paper's kinds of models, with the paper's embedder: trained, scored, generating") {
  const shell here;
  write_like("encoders/nomic_bert", here / "nomic");
  for (const std::string kind : {"gemma_mqa", "phi", "bloom_pow2", "bloom_odd"}) {
    CAPTURE(kind);
    write_like("models/" + kind, here / kind);
    const std::string common = "--model " + kind + " --threads 1 --quiet ";
    here.check_success("finetune",
                       common +
                           "--data suite --method mor1e --experts 6 --clusters 4 --intuition nomic --steps 3 --batch 4 "
                           "--eval-limit 1 --out " +
                           kind + "-run");
    const nlohmann::json result = io::read_json(here / (kind + "-run/result.json"));
    CHECK(result.at("last_loss").get<double>() > 0);
    CHECK(io::read_json(here / (kind + "-run/adapter/adapter_config.json")).dump().find("nomic") != std::string::npos);
    here.check_success("evaluate", common + "--adapter " + kind + "-run/adapter --data " + kind +
                                       "-run/data --limit 1 --json scores.json");
  }
}

TEST_CASE("a merged model says what its adapter says, whatever the kind") {
  const shell here;
  for (const std::string kind : {"gemma_mqa", "phi", "bloom_pow2", "bloom_odd"}) {
    CAPTURE(kind);
    write_like("models/" + kind, here / kind);
    const std::string common = "--model " + kind + " --threads 1 --quiet ";
    here.check_success("finetune", common +
                                       "--data suite --method lora --lr 0.05 --warmup 0 --steps 3 --batch 4 "
                                       "--eval-limit 0 --out " +
                                       kind + "-run");
    here.check_success("merge",
                       "--quiet --model " + kind + " --adapter " + kind + "-run/adapter --out " + kind + "-merged");
    const auto continued = [&](const std::string& model) {
      here.check_success(
          "generate", "--model " + model + " --threads 1 --quiet --tokens 12 --prompt 'Which word?' --json said.json");
      return io::read_json(here / "said.json").at("tokens");
    };
    const auto alone = continued(kind), adapted = continued(kind + " --adapter " + kind + "-run/adapter"),
               merged = continued(kind + "-merged");
    CHECK(adapted == merged);
    CHECK(adapted != alone);
  }
}
