// What programs promise when something goes wrong: full disks, broken numbers, damaged files, bad places.
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <sys/stat.h>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/core/rng.hpp"
#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/integrity.hpp"
#include "programs/shell.hpp"
#include "programs/toy_folder.hpp"

using namespace mor1e;
using testing::break_tensor;
using testing::shell;
using testing::write_model;
namespace fs = std::filesystem;

namespace {

const shell here;
const std::string job =
    "--model toy --data suite --experts 4 --batch 16 --eval-limit 1 --threads 1 --quiet --lr 0.01 --steps 60 ";

const std::string& whole() {
  static const std::string name = [] {
    here.check_success("finetune", job + "--checkpoint-every 7 --out whole");
    return "whole";
  }();
  return name;
}
}  // namespace

TEST_CASE("adapters of ours with a bit flipped are refused or compute the same; of a run folder, its adapter") {
  whole();
  const std::vector<std::int64_t> ids{72, 101, 108, 108, 111, 32};
  const std::vector<float> intuition_rows(8, 0.1f);
  io::write_safetensors(here / "x.safetensors",
                        std::vector<io::stored_tensor>{{"input_ids", dtype::i64, shape{2, 3}, ids.data()},
                                                       {"intuition", dtype::f32, shape{2, 4}, intuition_rows.data()}});
  const auto logits = [&](const std::string& adapter) {
    return here.run("logits", "--quiet --model toy --input x.safetensors --out y.safetensors --adapter " + adapter);
  };
  REQUIRE(logits("whole/adapter").code == 0);
  const std::string right = io::read_text(here / "y.safetensors");
  REQUIRE(logits("whole").code == 0);
  CHECK((io::read_text(here / "y.safetensors") == right));
  rng random(5);
  int refused = 0;
  for (int i = 0; i < 60; ++i) {
    fs::remove_all(here / "bent");
    fs::copy(here / "whole" / "adapter", here / "bent", fs::copy_options::recursive);
    const fs::path file = here / "bent" / (i % 2 ? "adapter_config.json" : "adapter_model.safetensors");
    std::string bytes = io::read_text(file);
    const auto at = random.below(i % 4 == 2 ? 1500 : bytes.size());
    bytes[at] ^= char(1 << random.below(8));
    CAPTURE(file);
    CAPTURE(at);
    io::write_text(file, bytes);
    const auto got = logits("bent");
    CAPTURE(got.err);
    if (got.code == 0) {
      CHECK((io::read_text(here / "y.safetensors") == right));
      continue;
    }
    ++refused;
    CHECK((got.code == 1 || got.code == 2));
    CHECK(got.err.size() <= 300);
    CHECK(got.err.find('\n') == got.err.size() - 1);
    CHECK(got.err.find("bent") != std::string::npos);
  }
  CHECK(refused > 30);
  // Harmless keys may be edited; a run without its adapter says what to do.
  fs::remove_all(here / "bent");
  fs::copy(here / "whole" / "adapter", here / "bent", fs::copy_options::recursive);
  auto config = io::read_json(here / "bent" / "adapter_config.json");
  config["base_model_name_or_path"] = "somewhere";
  io::write_json(here / "bent" / "adapter_config.json", config);
  CHECK(logits("bent").code == 0);
  fs::remove_all(here / "bent");
  fs::copy(here / "whole", here / "bent", fs::copy_options::recursive);
  fs::remove_all(here / "bent" / "adapter");
  CHECK(logits("bent").err == "logits: bent: a run that is not finished; finetune --resume bent goes on with it\n");
}

TEST_CASE("what is not finite stops a run, and keeps the last good checkpoint; merge refuses it and names the tensor") {
  const std::string base =
      "--data suite --method lora --rank 2 --batch 8 --eval-limit 0 --threads 1 --quiet --warmup 0 ";
  const auto broken =
      here.run("finetune", base + "--model toy --steps 40 --lr 1e30 --clip 0 --checkpoint-every 1 --out high");
  CAPTURE(broken.err);
  CHECK(broken.code == 1);
  CHECK(broken.err.starts_with("finetune: trainer: step "));
  CHECK(!fs::exists(here / "high" / "adapter"));
  if (const fs::path kept = here / "high" / "checkpoint" / "state.safetensors"; fs::exists(kept)) {
    const io::safetensors_file file(kept);
    io::require_finite(io::tensors_of(file), "the checkpoint that was kept");
  }

  write_model(here / "m");
  write_model(here / "bad");
  break_tensor(here / "bad" / "model.safetensors", "model.layers.1.mlp.up_proj.weight",
               std::numeric_limits<float>::quiet_NaN());
  fs::create_directories(here / "d" / "t");
  io::write_text(here / "d" / "t" / "train.jsonl",
                 R"({"id":"c","task":"t","context":"","question":"a","choices":["b","c"],"answer":1})"
                 "\n");
  const std::string run =
      "--data d --method lora --rank 2 --steps 2 --batch 1 --eval-limit 0 --quiet --lr 0.1 --warmup 0 ";
  const auto sick = here.run("finetune", run + "--model bad --out sick");
  CHECK(sick.code == 1);
  CHECK(sick.err.find("; first in ") != std::string::npos);
  CHECK(!fs::exists(here / "sick" / "adapter"));

  here.check_success("finetune", run + "--model m --out good");
  fs::copy(here / "good" / "adapter", here / "nan");
  const std::string name = "base_model.model.model.layers.0.mlp.up_proj.lora_B.weight";
  break_tensor(here / "nan" / "adapter_model.safetensors", name, std::numeric_limits<float>::infinity());
  for (const char* program : {"merge --out merged", "generate --prompt a"}) {
    const std::string words = program;
    const auto space = words.find(' ');
    here.check_refusal(words.substr(0, space), "--model m --adapter nan" + words.substr(space), 1,
                       "nan/adapter_model.safetensors: tensor '" + name + "': element 0 is infinite");
  }
  // An adapter without a word of its base, merged into a broken one.
  fs::copy(here / "good" / "adapter", here / "plain");
  break_tensor(here / "plain" / "adapter_model.safetensors", "", 0);
  here.check_refusal("merge", "--model bad --adapter plain --out deep/merged", 1,
                     "tensor 'model.layers.1.mlp.up_proj.weight': element 0 is nan");
}

TEST_CASE("outputs that cannot be written are refused before the work") {
  fs::create_symlink("nowhere", here / "dangling");
  io::write_text(here / "file", "");
  fs::create_directories(here / "folder");
  io::write_text(here / "s.json", "[\"a\"]");
  const std::vector<std::int64_t> ids{72, 101};
  const std::vector<float> points{0, 1, 2, 3};
  io::write_safetensors(here / "ids.safetensors",
                        std::vector<io::stored_tensor>{{"input_ids", dtype::i64, shape{1, 2}, ids.data()}});
  io::write_safetensors(here / "points.safetensors",
                        std::vector<io::stored_tensor>{{"embeddings", dtype::f32, shape{2, 2}, points.data()}});
  const std::vector<std::pair<std::string, std::string>> programs = {
      {"finetune", job + "--out new"},
      {"compare", "--model toy --data suite --contestants lora --seeds 1 --steps 1 --out new"},
      {"evaluate", "--model toy --data suite --limit 1"},
      {"generate", "--model toy --prompt a"},
      {"logits", "--model toy --input ids.safetensors --out new"},
      {"tokenize", "--model toy --input s.json --out new"},
      {"embed", "--model toy --input s.json --out new"},
      {"cluster", "--input points.safetensors --k 1 --out new"},
      {"account", "--model toy --method lora"},
      {"merge", "--model toy --adapter none --out new"}};
  for (const auto& [program, arguments] : programs)
    for (const char* option : {"--json ", "--log "})
      for (const char* place : {"none/x.json", "folder", "file/x.json", "dangling", "/proc/x.json"})
        here.check_refusal(program, arguments + " " + option + place, 1, place);
  for (const auto& [program, arguments] : programs) {
    const auto at = arguments.find("--out new");
    if (at == std::string::npos) continue;
    const bool makes_folder = program == "finetune" || program == "compare" || program == "merge";
    for (const char* place : {"file/x", "dangling", "/proc/x"})
      here.check_refusal(program, arguments.substr(0, at) + "--out " + place, 1, place);
    if (!makes_folder) here.check_refusal(program, arguments.substr(0, at) + "--out folder", 1, "folder");
  }
  here.check_refusal("generate", "--model toy --prompt $(printf '\\377')", 2, "argument 4 is not UTF-8");
  // What lies in the way inside.
  fs::create_directories(here / "blocked");
  io::write_text(here / "blocked" / "adapter", "");
  here.check_refusal("finetune", job + "--out blocked", 2, "blocked");
  fs::remove(here / "blocked" / "adapter");
  io::write_text(here / "blocked" / "checkpoint", "");
  here.check_refusal("finetune", job + "--out blocked", 2, "blocked");
}

TEST_CASE("a task whose name is no UTF-8 is refused") {
  fs::create_directories(here / "latin" / "caf\xe9");
  io::write_text(here / "latin" / "caf\xe9" / "train.jsonl",
                 R"({"id":"c","task":"t","context":"","question":"a","choices":["b","c"],"answer":1})"
                 "\n");
  here.check_refusal("finetune", "--model toy --data latin --method lora --steps 1 --out none", 1,
                     "latin: the name of a task is not UTF-8: 'caf");
}

TEST_CASE("a file that grows too large, a full disk, no stderr: one line or none, and the code that was due") {
  const auto limited = here.run(
      "finetune", "--help >/dev/null; ulimit -f 40; exec " MOR1E_PROGRAMS_DIR "/finetune " + job + "--out large");
  CHECK(limited.code == 1);
  CHECK(limited.err.find("File too large") != std::string::npos);
  CHECK(limited.err.find('\n') == limited.err.size() - 1);
  here.check_refusal("tokenize", "--model toy --input s.json --out /dev/full", 1, "No space left on device");
  for (const char* nowhere : {"2>/dev/full", "2>&-"}) {
    CHECK(here.run("finetune", std::string("--colour red ") + nowhere + " #").code == 2);
    CHECK(here.run("generate", std::string("--model nowhere --prompt a ") + nowhere + " #").code == 1);
  }
}

TEST_CASE("messages are one line of at most 300 characters, whatever was given") {
  const std::string much = std::string(3000, 'x') + "\\n\\033[31m";
  for (const auto& [program, arguments] : std::vector<std::pair<std::string, std::string>>{
           {"generate", "--model \"$(printf '" + much + "')\" --prompt a"},
           {"generate", "--\"$(printf '" + much + "')\""},
           {"finetune", job + "--out new --tasks \"$(printf '" + much + "')\""}}) {
    const auto got = here.run(program, arguments);
    CHECK((got.code == 1 || got.code == 2));
    CHECK(got.err.size() <= 300);
    CHECK(got.err.find('\n') == got.err.size() - 1);
    CHECK(got.err.find('\033') == std::string::npos);
  }
}

TEST_CASE("a pipe nobody writes does not hold a program up; one that somebody writes is read") {
  REQUIRE(::mkfifo((here / "pipe").c_str(), 0600) == 0);
  fs::create_directories(here / "piped");
  REQUIRE(::mkfifo((here / "piped" / "config.json").c_str(), 0600) == 0);
  here.check_refusal("tokenize", "--model toy --input pipe --out t.json", 1, "pipe: a pipe that nothing came through");
  here.check_refusal("logits", "--model toy --input pipe --out o.safetensors", 1, "pipe: not a regular file");
  here.check_refusal("generate", "--model piped --prompt a", 1, "piped");
  here.check_refusal("tokenize", "--model toy --input s.json --out pipe", 1,
                     "pipe: cannot write: nobody reads this pipe");
  CHECK(here.run("tokenize", "--quiet --model toy --out t.json --input pipe & sleep 0.2; echo '[\"ab\"]' >" +
                                 (here / "pipe").string() + "; wait")
            .code == 0);
  CHECK(io::read_json(here / "t.json").size() == 1);
}
