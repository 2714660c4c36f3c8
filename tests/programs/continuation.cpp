// What the programs make of a prompt and what follows it, as a shell sees them.
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/testing/golden.hpp"
#include "programs/json_lines.hpp"
#include "programs/shell.hpp"
#include "text/sentencepiece.hpp"

using namespace mor1e;
using testing::shell;
namespace fs = std::filesystem;

namespace {

const shell here;

nlohmann::json read(const std::string& name) { return io::read_json(here / name); }

std::vector<nlohmann::json> read_lines(const std::string& name) { return testing::read_json_lines(here / name); }

/// A golden model of 211 tokens and 128 of context with a tokenizer.
void make_model(const std::string& name, const nlohmann::json& tokenizer) {
  fs::copy(testing::golden_folder() / "models" / "llama_mha", here / name, fs::copy_options::recursive);
  for (const auto& entry : fs::directory_iterator(here / name)) fs::permissions(entry.path(), fs::perms::owner_all);
  io::write_json(here / name / "tokenizer.json", tokenizer);
  io::write_json(here / name / "tokenizer_config.json", {{"bos_token", "<s>"}, {"eos_token", "</s>"}});
}

nlohmann::json choice_row(const std::string& id, const std::string& question) {
  return {{"id", id},
          {"task", "a"},
          {"context", ""},
          {"question", question},
          {"choices", {"y", "t"}},
          {"answer", 0},
          {"meta", {{"answer", "text"}}}};
}

void write_rows(const std::string& folder, const nlohmann::json& train, const nlohmann::json& eval) {
  fs::create_directories(here / folder / "a");
  io::write_text(here / folder / "a" / "train.jsonl", train.dump() + "\n");
  io::write_text(here / folder / "a" / "eval.jsonl", eval.dump() + "\n");
}

}  // namespace

TEST_CASE("sentencepiece: the log-probabilities of Transformers over the joined text") {
  const nlohmann::json question = choice_row("r0", "y?");
  write_rows("d", question, question);
  const nlohmann::json said = {{"id", "r1"}, {"task", "a"}, {"instruction", "y?"}, {"input", ""}, {"output", "y"}};
  write_rows("said", said, said);
  // Transformers on the same folder, in fp32: `<s>` and the joined text, tokenised by the tokenizers library.
  const std::vector<std::pair<std::string, std::vector<double>>> expected{
      {"plain", {-9.399326803125831, -13.17777516523151}}, {"release", {-9.181629754085645, -7.551637039468244}}};
  for (const std::string style : {"prepend", "always", "first"}) {
    CAPTURE(style);
    make_model(style, testing::sentencepiece_json(style));
    const std::string run = "--quiet --log l.jsonl --model " + style;
    for (const auto& [wording, sums] : expected) {
      here.check_success("evaluate", run + " --data d --scoring loglik --template " + wording);
      const auto found = read_lines("l.jsonl").front()["loglik"]["choices"];
      for (std::size_t c = 0; c < 2; ++c)
        CHECK(found[c]["sum"].get<double>() == doctest::Approx(sums[c]).epsilon(1e-5));
    }
    here.check_success("evaluate", run + " --data said");
    const auto output = read_lines("l.jsonl").front();
    CHECK(output["tokens"] == 2);
    CHECK(output["log_probability"].get<double>() == doctest::Approx(-17.66022512734372).epsilon(1e-5));
    // The loss of training is the same: its targets are.
    here.check_success(
        "finetune", "--quiet --data said --method lora --rank 2 --steps 1 --batch 1 --eval-limit 0 --out run_" + style +
                        " --model " + style);
    CHECK(read_lines("run_" + style + "/log.jsonl").front()["loss"].get<double>() ==
          doctest::Approx(17.66022512734372 / 2).epsilon(1e-5));
  }
}

TEST_CASE("a token that the model lacks: row, token and tokenizer are named, and nothing is written") {
  nlohmann::json tokenizer = testing::sentencepiece_json("always");
  tokenizer["added_tokens"].push_back({{"id", 211}, {"content", "<|n|>"}, {"special", true}, {"normalized", false}});
  make_model("small", tokenizer);
  write_rows("in_train", choice_row("r7", "y? <|n|>"), choice_row("r8", "y?"));
  write_rows("in_eval", choice_row("r7", "y?"), choice_row("r8", "y? <|n|>"));
  const std::string why = ": token 211 '<|n|>' of small/tokenizer.json is beyond the model's vocabulary of 211";
  const std::string train = "--model small --method lora --rank 2 --steps 1 --batch 1 --out out --data ";
  here.check_refusal("finetune", train + "in_train", 2, "r7" + why);
  here.check_refusal("finetune", train + "in_eval", 2, "r8" + why);
  io::write_text(here / "old.jsonl", "{}\n");
  here.check_refusal("evaluate", "--model small --data in_eval --log old.jsonl --json j.json", 2, "r8" + why);
  CHECK(io::read_text(here / "old.jsonl") == "{}\n");
  here.check_refusal("generate", "--model small --prompt '<|n|>' --log old.jsonl", 2, "--prompt" + why);
  CHECK(io::read_text(here / "old.jsonl") == "{}\n");
}

TEST_CASE("--truncate cuts the prompts of the evaluation, too, and keeps the beginning token") {
  make_model("short", testing::sentencepiece_json("always"));
  // Two tokens an "o" with the space before it: with `<s>` and the nine of "\nAnswer:\n", 59 of them are a context of
  // 128, and what is left of more of them.
  const auto words = [](int count) {
    std::string out = "o";
    for (int i = 1; i < count; ++i) out += " o";
    return out;
  };
  write_rows("long", choice_row("r0", "y?"), choice_row("r1", words(100)));
  write_rows("fits", choice_row("r0", "y?"), choice_row("r1", words(59)));
  const std::string score = "--quiet --model short --template release --scoring loglik --log l.jsonl --data ";
  const auto scores = [&](const std::string& options) {
    here.check_success("evaluate", score + options);
    return read_lines("l.jsonl").front()["loglik"]["choices"];
  };
  const auto expected = scores("fits");
  CHECK(scores("fits --truncate") == expected);
  CHECK(scores("long --truncate") == expected);
  const std::string train =
      "--quiet --model short --template release --method lora --rank 2 --steps 1 --batch 1 --out ";
  here.check_success("finetune", train + "whole --data fits");
  here.check_success("finetune", train + "cut --data long --truncate");
  const auto before = read("cut/result.json")["evaluation"]["before"];
  CHECK(before["all"]["n"] == 1);
  CHECK(before == read("whole/result.json")["evaluation"]["before"]);

  const std::string why = "r1 has a sequence of 210 tokens, the context of the model is 128 (--truncate cuts";
  here.check_refusal("evaluate", score + "long", 2, why);
  here.check_refusal("finetune", train + "none --data long", 2, why);
}

TEST_CASE("generate: says when the first token ends the text") {
  make_model("ending", testing::sentencepiece_json("always"));
  const std::string run = "--model ending --prompt y --tokens 3 --json g.json";
  CHECK(here.run("generate", run).err == "");
  CHECK(read("g.json")["first_token_ends"] == false);
  const int first = read("g.json")["tokens"][0], second = read("g.json")["tokens"][1];
  const auto ends_with = [&](int token) {
    auto config = io::read_json(here / "ending" / "config.json");
    config["eos_token_id"] = {2, token};
    io::write_json(here / "ending" / "config.json", config);
    return here.run("generate", run);
  };
  auto got = ends_with(first);
  CHECK(got.code == 0);
  CHECK(got.out == "\n");
  CHECK(got.err == "generate: the first token ends the text\n");
  CHECK(read("g.json")["first_token_ends"] == true);
  CHECK(here.run("generate", run + " --quiet").err == "");
  if (second == first) return;
  CHECK(ends_with(second).err == "");
  CHECK(read("g.json")["ended"] == true);
  CHECK(read("g.json")["first_token_ends"] == false);
}
