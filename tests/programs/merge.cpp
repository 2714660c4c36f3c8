// The program merge, as a shell sees it.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "io/gguf_writer.hpp"
#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/random.hpp"
#include "programs/logits.hpp"
#include "programs/shell.hpp"
#include "text/gguf_tokenizer.hpp"

using namespace mor1e;
using testing::difference;
using testing::shell;
namespace fs = std::filesystem;

namespace {

const shell here;
const std::string train =
    "--model toy --data suite --steps 3 --batch 6 --lr 0.03 --warmup 0 --eval-limit 0 --threads 1 --quiet ";

std::vector<float> logits_of(const std::string& options) { return testing::logits_of(here, options); }

/// A llama of one layer with the vocabulary of a fixture, as a GGUF file.
void write_gguf(const fs::path& path) {
  testing::gguf_writer out;
  out.text("general.architecture", "llama")
      .u32("llama.embedding_length", 32)
      .u32("llama.feed_forward_length", 48)
      .u32("llama.block_count", 1)
      .u32("llama.attention.head_count", 4)
      .u32("llama.attention.head_count_kv", 2)
      .u32("llama.context_length", 512)
      .f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  const auto fixture = testing::golden_folder() / "tokenizers" / "byte_phi" / "tokenizer.json";
  const std::uint64_t tokens = testing::put_tokenizer(out, io::read_json(fixture), "gpt-2");
  out.u32("tokenizer.ggml.eos_token_id", 1300).text("tokenizer.chat_template", "{{ messages }}");
  std::uint64_t key = 0;
  const auto put = [&](const std::string& name, std::uint64_t rows, std::uint64_t cols) {
    const auto values = testing::random<float>(shape{index_t(rows), index_t(cols)}, ++key);
    out.floats(name, cols == 1 ? std::vector{rows} : std::vector{cols, rows}, {values.begin(), values.end()});
  };
  put("token_embd.weight", tokens, 32), put("output_norm.weight", 32, 1);
  put("blk.0.attn_norm.weight", 32, 1), put("blk.0.ffn_norm.weight", 32, 1);
  put("blk.0.attn_q.weight", 32, 32), put("blk.0.attn_output.weight", 32, 32);
  put("blk.0.attn_k.weight", 16, 32), put("blk.0.attn_v.weight", 16, 32);
  put("blk.0.ffn_gate.weight", 48, 32), put("blk.0.ffn_up.weight", 48, 32), put("blk.0.ffn_down.weight", 32, 48);
  out.write(path);
}

/// Rows of one task, in a folder `data`.
void write_rows() {
  std::string rows;
  for (int i = 0; i < 6; ++i)
    rows += text(R"({"id": "r)", i, R"(", "task": "boxes", "context": "", "question": "What is in box )", i,
                 R"(?", "choices": ["a red ball", "nothing at all"], "answer": )", i % 2, "}\n");
  fs::create_directories(here / "data" / "boxes");
  for (const char* name : {"train.jsonl", "eval.jsonl"}) io::write_text(here / "data" / "boxes" / name, rows);
}

/// The log-likelihoods of choices.
std::vector<float> scores_of(const std::string& options) {
  here.check_success("evaluate", options + " --data data --scoring loglik --threads 1 --quiet --log scores.jsonl");
  std::vector<float> out;
  std::istringstream lines(io::read_text(here / "scores.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json item = nlohmann::json::parse(line);
    for (const auto& choice : item.at("loglik").at("choices")) out.push_back(choice.at("sum").get<float>());
  }
  return out;
}

}  // namespace

TEST_CASE("a merged model is a model, and is the adapted one") {
  write_rows();
  for (const char* method : {"lora", "rslora", "dora"}) {
    CAPTURE(method);
    const std::string run = text("run-", method), out = text("merged-", method);
    here.check_success("finetune", train + "--rank 4 --method " + method + " --out " + run);
    here.check_success("merge", "--model toy --adapter " + run + "/adapter --json m.json --out " + out);
    CHECK(io::read_json(here / "m.json")["linears"].get<int>() > 0);
    CHECK(io::read_json(here / out / "config.json")["torch_dtype"] == "float32");
    CHECK(scores_of("--model " + out).size() == 12);
    const auto base = logits_of("--model toy"), adapted = logits_of("--model toy --adapter " + run + "/adapter"),
               merged = logits_of("--model " + out);
    CHECK(difference(adapted, merged) < 1e-4);
    CHECK(difference(base, merged) > 1e-2);
  }
  here.check_refusal("merge", "--model toy --adapter run-lora/adapter --out merged-lora", 2,
                     "merged-lora is there already");
  here.check_refusal("merge", "--model merged-lora --adapter run-lora/adapter --out again", 2,
                     "trained on weights with hash");
  here.check_refusal("merge", "--model toy --adapter run-lora/adapter --out again --intuition-of hello", 2,
                     "this lora reads no intuition");
  here.check_refusal("merge", "--model toy --adapter nowhere --out again", 1, "nowhere");
}

TEST_CASE("a mixture is refused, or folded for one text") {
  here.check_success("finetune", train + "--experts 4 --out run-mor1e");
  here.check_refusal("merge", "--model toy --adapter run-mor1e/adapter --out folded", 2,
                     "weighs its experts for each text; --intuition-of TEXT folds it for one");
  const std::string said = here.check_success(
      "merge", "--model toy --adapter run-mor1e/adapter --out folded --intuition-of hello --json m.json");
  CHECK(said.find("differ from the adapter's by at most") != std::string::npos);
  CHECK(io::read_json(here / "m.json")["largest_difference"].get<double>() > 0);
  CHECK(difference(logits_of("--model folded"), logits_of("--model toy")) > 1e-4);

  // Without a router nothing is dropped.
  here.check_success("finetune", train + "--experts 4 --no-router --out run-bare");
  here.check_success("merge", "--model toy --adapter run-bare/adapter --out bare --intuition-of hello --json m.json");
  CHECK(io::read_json(here / "m.json")["largest_difference"].get<double>() < 1e-4);

  here.check_success("finetune", train + "--experts 4 --no-intuition --out run-routed");
  here.check_refusal("merge", "--model toy --adapter run-routed/adapter --out routed", 2,
                     "the router weighs the experts anew for every token");
}

TEST_CASE("a GGUF base becomes a folder that every program takes") {
  write_rows();
  write_gguf(here / "tiny.gguf");
  here.check_success("finetune",
                     "--model tiny.gguf --data data --method lora --rank 2 --steps 2 --batch 4 --lr 0.05 "
                     "--warmup 0 --eval-limit 0 --threads 1 --quiet --out run-gguf");
  const std::string adapted = "--model tiny.gguf --adapter run-gguf/adapter", merged = "--model gguf-merged";
  here.check_success("merge", adapted + " --out gguf-merged");
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json", "generation_config.json"})
    CHECK_MESSAGE(fs::exists(here / "gguf-merged" / name), name);
  CHECK(io::read_json(here / "gguf-merged" / "tokenizer_config.json").at("chat_template") == "{{ messages }}");

  const auto before = scores_of("--model tiny.gguf"), by_adapter = scores_of(adapted), by_folder = scores_of(merged);
  REQUIRE(by_adapter.size() == 12);
  CHECK(difference(by_adapter, by_folder) < 1e-2);
  CHECK(difference(before, by_folder) > 1);
  const auto said = [&](const std::string& model) {
    return here.check_success("generate", model + " --prompt \"Who  was it?\" --tokens 8");
  };
  CHECK(said(adapted) == said(merged));
  here.check_success("finetune", merged +
                                     " --data data --method lora --rank 2 --steps 1 --batch 2 --eval-limit 0 "
                                     "--threads 1 --quiet --out again-gguf");
}

TEST_CASE("a base without a tokenizer is refused before anything is read") {
  fs::create_directory(here / "wordless");
  for (const char* name : {"config.json", "model.safetensors"})
    fs::copy_file(testing::golden_folder() / "train" / "base" / name, here / "wordless" / name);
  here.check_refusal("merge", "--model wordless --adapter nowhere --out again", 1, "wordless: has no tokenizer");
}
