// Every kind of file the programs read, spoilt hundreds of times: a program takes it, or says in one line why not.
//
//     MOR1E_MUTATIONS=5000 build/tests/test_programs_mutations        # more tries a kind than the 500 of ./dev test
//     build/tests/test_programs_mutations -tc='*GGUF*'                # one kind
#include <cstdlib>
#include <fcntl.h>
#include <map>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "io/gguf_writer.hpp"
#include "models/to_gguf.hpp"
#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/testing/golden.hpp"
#include "programs/mutator.hpp"
#include "programs/shell.hpp"

using namespace mor1e;
using testing::shell;
namespace fs = std::filesystem;

namespace {

int tries() {
  const char* wanted = std::getenv("MOR1E_MUTATIONS");
  return wanted ? std::atoi(wanted) : 500;
}

struct ending {
  int code = -1;    // of an exit
  int signal = 0;   // that ended it
  std::string err;  // what it said
};

/// Runs a program in a folder without a shell between: thousands of runs. More than 20 s of processor time or 6 GB of
/// address space end it.
ending run(const fs::path& folder, const std::vector<std::string>& command, const fs::path& err) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto open_as = [](const char* path, int flags, int as) {
      const int file = ::open(path, flags, 0600);
      if (file >= 0) ::dup2(file, as);
    };
    open_as("/dev/null", O_RDONLY, 0);
    open_as("/dev/null", O_WRONLY, 1);
    open_as(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 2);
    const rlimit seconds{20, 20}, none{0, 0};
    [[maybe_unused]] const rlimit bytes{6ull << 30, 6ull << 30};
    ::setrlimit(RLIMIT_CPU, &seconds);
#ifndef __SANITIZE_ADDRESS__  // whose shadow takes terabytes
    ::setrlimit(RLIMIT_AS, &bytes);
#endif
    ::setrlimit(RLIMIT_CORE, &none);
    if (::chdir(folder.c_str()) != 0) ::_exit(126);
    const std::string program = std::string(MOR1E_PROGRAMS_DIR "/") + command[0];
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::execv(program.c_str(), arguments.data());
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ending out;
  if (WIFEXITED(status)) out.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) out.signal = WTERMSIG(status);
  out.err = io::read_text(err);
  return out;
}

/// The files below a folder with their contents.
std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    out[entry.path().string()] = entry.is_regular_file() ? io::read_text(entry.path()) : std::string();
  return out;
}

/// One kind of file: `file` in the folder is spoilt, `command` reads it and writes below `out` alone.
struct subject {
  fs::path file;
  std::vector<std::string> command;
  bool may_change_out = false;  ///< a run that is gone on with has an output before
};

/// Spoils the file again and again. `out` (a file or folder, named "out" or "out.*") is what a success may leave.
void attack(const shell& where, const subject& of) {
  const fs::path folder = where / "";
  static const testing::temporary_folder streams;
  const std::string original = io::read_text(folder / of.file);
  const auto write = [&](const std::string& content) {
    std::FILE* file = std::fopen((folder / of.file).c_str(), "wb");
    REQUIRE(file != nullptr);
    std::fwrite(content.data(), 1, content.size(), file);
    std::fclose(file);
  };
  const auto before = contents(folder);
  const ending first = run(folder, of.command, streams / "err");
  CAPTURE(first.err);
  REQUIRE(first.code == 0);
  const auto restore = [&] {
    for (const auto& [path, content] : contents(folder))
      if (const auto old = before.find(path); old == before.end())
        fs::remove_all(path);
      else if (old->second != content)
        io::write_text(path, old->second);
  };
  restore();
  int taken = 0, refused = 0;
  for (int i = 0; i < tries(); ++i) {
    const std::string spoilt = testing::mutated(of.file.string(), original, std::uint64_t(i));
    write(spoilt);
    const ending end = run(folder, of.command, streams / "err");
    CAPTURE(of.file.string());
    CAPTURE(i);
    CAPTURE(end.err);
    CHECK(end.signal == 0);
    CHECK((end.code >= 0 && end.code <= 2));
    if (end.code == 0) {
      ++taken;
    } else {
      ++refused;
      CHECK(end.err.starts_with(of.command[0] + ": "));
      CHECK(end.err.size() <= 300);
      CHECK(end.err.find('\n') == end.err.size() - 1);
      CHECK(std::all_of(end.err.begin(), end.err.end() - !end.err.empty(),
                        [](unsigned char c) { return c >= 32 && c != 127; }));
    }
    // Whatever happened: nothing but the output has changed, and after a refusal not even that.
    write(original);
    for (const auto& [path, content] : contents(folder)) {
      const auto old = before.find(path);
      const bool is_out = fs::path(path).lexically_relative(folder).begin()->string().starts_with("out");
      CAPTURE(path);
      if (old != before.end()) CHECK((of.may_change_out && is_out ? true : content == old->second));
      if (old == before.end()) CHECK((is_out && (end.code == 0 || of.may_change_out)));
    }
    restore();
  }
  MESSAGE(of.file.string(), ": ", taken, " taken, ", refused, " refused");
}

/// A folder with a golden model as "m" and its input as "x.safetensors".
struct model_folder {
  explicit model_folder(const std::string& fixture = "models/llama_mha") {
    fs::copy(testing::golden_folder() / fixture, here / "m", fs::copy_options::recursive);
    fs::rename(here / "m" / "golden.safetensors", here / "x.safetensors");
    fs::remove(here / "m" / "grads.safetensors");
  }
  shell here;
  std::vector<std::string> logits{"logits", "--model",         "m",         "--input", "x.safetensors",
                                  "--out",  "out.safetensors", "--threads", "1",       "--quiet"};
};

/// A folder with a tokenizer as "m" and strings.
struct tokenizer_folder {
  explicit tokenizer_folder(const std::string& fixture) {
    fs::copy(testing::golden_folder() / "tokenizers" / fixture, here / "m", fs::copy_options::recursive);
    io::write_json(here / "s.json", {"Hello  world", "a\n\nb 12", "\xc3\xa9t\xc3\xa9 <s>"});
  }
  shell here;
  std::vector<std::string> tokenize{"tokenize", "--model", "m", "--input", "s.json", "--out", "out.json", "--quiet"};
};

/// A run of `method` on the toy model in "run", with the data it was trained on in "d".
struct run_folder {
  explicit run_folder(const std::string& method, const std::string& more = "", const std::string& out = "run") {
    const std::string run = "--model toy --method " + method + " " + more +
                            " --steps 2 --batch 4 --eval-limit 0 --threads 1 --seed 1 --quiet --data ";
    here.check_success("finetune", run + "suite --tasks review,flip --out made");
    fs::rename(here / "made" / "data", here / "d");
    fs::remove_all(here / "made");
    here.check_success("finetune", run + "d --out " + out);
    const tensor<std::int32_t> ids(shape{1, 9}, 65);
    const tensor<float> intuition(shape{1, 4}, 0.25f);
    io::write_safetensors(here / "x.safetensors",
                          std::vector{io::stored("input_ids", ids), io::stored("intuition", intuition)});
  }
  shell here;
  std::vector<std::string> logits{"logits",  "--model",       "toy",   "--adapter",       "run/adapter",
                                  "--input", "x.safetensors", "--out", "out.safetensors", "--threads",
                                  "1",       "--quiet"};
};

}  // namespace

TEST_CASE("config.json") {
  const model_folder m;
  attack(m.here, {"m/config.json", m.logits});
}
TEST_CASE("config.json with scaled positions") {
  const model_folder m;
  auto config = io::read_json(m.here / "m/config.json");
  config["rope_scaling"] = {{"rope_type", "yarn"},
                            {"factor", 4.0},
                            {"original_max_position_embeddings", 16},
                            {"beta_fast", 16},
                            {"truncate", false}};
  io::write_json(m.here / "m/config.json", config);
  attack(m.here, {"m/config.json", m.logits});
}
TEST_CASE("config.json of account") {
  const model_folder m;
  attack(m.here, {"m/config.json", {"account", "--model", "m", "--method", "mor1e", "--quiet"}});
}
TEST_CASE("model.safetensors") {
  const model_folder m;
  attack(m.here, {"m/model.safetensors", m.logits});
}
TEST_CASE("model.safetensors.index.json") {
  const model_folder m("models/tinyllama_gqa");
  attack(m.here, {"m/model.safetensors.index.json", m.logits});
}
TEST_CASE("the input of logits") {
  const model_folder m;
  attack(m.here, {"x.safetensors", m.logits});
}
TEST_CASE("GGUF") {
  const model_folder m;
  testing::gguf_writer writer;
  writer.text("general.architecture", "llama").u32("llama.embedding_length", 8).u32("llama.feed_forward_length", 8);
  writer.u32("llama.block_count", 1).u32("llama.attention.head_count", 2).u32("llama.attention.head_count_kv", 1);
  writer.u32("llama.context_length", 64).f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  writer.f32("llama.rope.scaling.factor", 2);
  const auto floats = [&](const char* name, std::uint64_t rows, std::uint64_t cols) {
    std::vector<float> values(rows * cols);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.1f * float(i % 7) - 0.2f;
    writer.floats(name, cols == 1 ? std::vector{rows} : std::vector{cols, rows}, values);
  };
  floats("token_embd.weight", 300, 8), floats("output_norm.weight", 8, 1);
  for (const char* norm : {"blk.0.attn_norm.weight", "blk.0.ffn_norm.weight"}) floats(norm, 8, 1);
  for (const char* square : {"blk.0.attn_q.weight", "blk.0.attn_output.weight", "blk.0.ffn_gate.weight",
                             "blk.0.ffn_up.weight", "blk.0.ffn_down.weight"})
    floats(square, 8, 8);
  floats("blk.0.attn_k.weight", 4, 8), floats("blk.0.attn_v.weight", 4, 8);
  writer.write(m.here / "m.gguf");
  auto command = m.logits;
  command[2] = "m.gguf";
  attack(m.here, {"m.gguf", command});
}
TEST_CASE("GGUF of Gemma, of Bloom, of Phi-2 with q, k and v as one") {
  for (const std::string model : {"gemma_mqa", "bloom_odd", "phi"}) {
    const model_folder m("models/" + model);
    testing::to_gguf(io::open_checkpoint(m.here / "m"), model == "phi").write(m.here / "m.gguf");
    auto command = m.logits;
    command[2] = "m.gguf";
    attack(m.here, {"m.gguf", command});
  }
}
TEST_CASE("model.safetensors in four bits") {
  const model_folder m;
  m.here.check_success("quantise", "--model toy --out four --quiet");
  const tensor<std::int32_t> ids(shape{1, 9}, 65);
  io::write_safetensors(m.here / "x.safetensors", std::vector{io::stored("input_ids", ids)});
  auto command = m.logits;
  command[2] = "four";
  attack(m.here, {"four/model.safetensors", command});
}
TEST_CASE("the tokenizer of a GGUF") {
  const shell here;
  testing::gguf_writer writer;
  using testing::gguf_writer;
  std::string tokens, types, merges;
  const std::vector<std::string> list = {"a",
                                         "b",
                                         "ab",
                                         "\xc4\xa0",
                                         "\xc4\xa0"
                                         "a",
                                         "<|end|>"};
  for (const std::string& token : list) tokens += gguf_writer::raw_text(token);
  for (std::size_t i = 0; i < list.size(); ++i) types += gguf_writer::raw(std::int32_t(i + 1 == list.size() ? 3 : 1));
  for (const char* merge : {"a b", "\xc4\xa0 a"}) merges += gguf_writer::raw_text(merge);
  writer.text("tokenizer.ggml.model", "gpt2").text("tokenizer.ggml.pre", "smollm");
  writer.array("tokenizer.ggml.tokens", 8, list.size(), tokens)
      .array("tokenizer.ggml.token_type", 5, list.size(), types);
  writer.array("tokenizer.ggml.merges", 8, 2, merges).u32("tokenizer.ggml.eos_token_id", 5);
  writer.write(here / "m.gguf");
  io::write_json(here / "s.json", {"ab a b", "<|end|> a"});
  attack(here, {"m.gguf", {"tokenize", "--model", "m.gguf", "--input", "s.json", "--out", "out.json", "--quiet"}});
}
TEST_CASE("tokenizer.json, byte level") {
  const tokenizer_folder t("byte_phi");
  attack(t.here, {"m/tokenizer.json", t.tokenize});
}
TEST_CASE("tokenizer.json, sentencepiece") {
  const tokenizer_folder t("spm_llama");
  attack(t.here, {"m/tokenizer.json", t.tokenize});
}
TEST_CASE("tokenizer_config.json") {
  const tokenizer_folder t("byte_phi");
  attack(t.here, {"m/tokenizer_config.json", t.tokenize});
}
TEST_CASE("vocab.txt") {
  const shell here;
  fs::create_directory(here / "m");
  io::write_text(here / "m/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\n##s\nwor\n##ld\n");
  io::write_json(here / "s.json", {"hello worlds"});
  attack(here, {"m/vocab.txt", {"tokenize", "--model", "m", "--input", "s.json", "--out", "out.json", "--quiet"}});
}
TEST_CASE("a list of strings") {
  const tokenizer_folder t("byte_phi");
  attack(t.here, {"s.json", t.tokenize});
}
TEST_CASE("generation_config.json") {
  const model_folder m;
  fs::copy(testing::golden_folder() / "tokenizers" / "byte_phi" / "tokenizer.json", m.here / "m/tokenizer.json");
  io::write_json(m.here / "m/generation_config.json",
                 {{"eos_token_id", {1, 2}}, {"do_sample", true}, {"temperature", 0.6}, {"repetition_penalty", 1.0}});
  attack(m.here, {"m/generation_config.json",
                  {"generate", "--model", "m", "--prompt", "!", "--tokens", "1", "--threads", "1", "--quiet"}});
}
TEST_CASE("adapter_config.json of LoRA") {
  const run_folder r("lora", "--rank 2");
  attack(r.here, {"run/adapter/adapter_config.json", r.logits});
}
TEST_CASE("adapter_model.safetensors of LoRA") {
  const run_folder r("lora", "--rank 2");
  attack(r.here, {"run/adapter/adapter_model.safetensors", r.logits});
}
TEST_CASE("adapter_config.json of MoR1E") {
  const run_folder r("mor1e", "--experts 4");
  attack(r.here, {"run/adapter/adapter_config.json", r.logits});
}
TEST_CASE("adapter_model.safetensors of MoR1E") {
  const run_folder r("mor1e", "--experts 4");
  attack(r.here, {"run/adapter/adapter_model.safetensors", r.logits});
}
TEST_CASE("task rows") {
  const shell here;
  fs::create_directories(here / "d/a");
  std::string rows;
  for (int i = 0; i < 3; ++i)
    rows += R"({"id":"r)" + std::to_string(i) +
            R"(","task":"a","context":"he","question":"y?","choices":["y","no"],"answer":)" + std::to_string(i % 2) +
            R"(,"meta":{"answer":"text"}})" + "\n";
  io::write_text(here / "d/a/eval.jsonl", rows);
  attack(here, {"d/a/eval.jsonl", {"evaluate", "--model", "toy", "--data", "d", "--threads", "1", "--quiet"}});
}
TEST_CASE("instruction rows") {
  const shell here;
  fs::create_directories(here / "d/a");
  io::write_text(here / "d/a/eval.jsonl", R"({"id":"i","task":"a","instruction":"Say","input":"x","output":"y"})"
                                          "\n"
                                          R"({"id":"j","task":"a","instruction":"Say","input":"","output":"z"})"
                                          "\n");
  attack(here, {"d/a/eval.jsonl", {"evaluate", "--model", "toy", "--data", "d", "--threads", "1", "--quiet"}});
}
TEST_CASE("modules.json, pooling and sentence_bert_config.json") {
  const shell here;
  fs::copy(testing::golden_folder() / "encoders/minilm_like", here / "m", fs::copy_options::recursive);
  fs::rename(here / "m/golden.safetensors", here / "x.safetensors");
  io::write_json(here / "m/config_sentence_transformers.json",
                 {{"prompts", nlohmann::json::object()}, {"default_prompt_name", nullptr}});
  const std::vector<std::string> command{"logits", "--model",         "m",         "--input", "x.safetensors",
                                         "--out",  "out.safetensors", "--threads", "1",       "--quiet"};
  for (const char* file : {"m/modules.json", "m/1_Pooling/config.json", "m/sentence_bert_config.json",
                           "m/config_sentence_transformers.json", "m/config.json"})
    attack(here, {file, command});
}
TEST_CASE("embeddings, their texts, and centroids") {
  const shell here;
  tensor<float> rows(shape{6, 3});
  for (index_t i = 0; i < rows.size(); ++i) rows[i] = float((i * 7) % 5) - 2;
  io::write_safetensors(here / "e.safetensors", std::vector{io::stored("embeddings", rows)},
                        {{"embedder", "mine"}, {"prefix", ""}});
  io::write_json(here / "e.json", {"a", "b", "c", "d", "e", "f"});
  io::write_json(here / "s.json", {"c", "a"});
  attack(here, {"e.safetensors",
                {"cluster", "--input", "e.safetensors", "--k", "2", "--out", "out.safetensors", "--threads", "1",
                 "--quiet"}});
  const std::vector<std::string> embed{"embed", "--model",         "e.safetensors", "--input", "s.json",
                                       "--out", "out.safetensors", "--threads",     "1",       "--quiet"};
  attack(here, {"e.safetensors", embed});
  attack(here, {"e.json", embed});
}
TEST_CASE("the state of a run") {
  const run_folder r("mor1e", "--experts 4", "out");
  const std::vector<std::string> resume{"finetune", "--model",      "toy",      "--data",    "d", "--method",
                                        "mor1e",    "--experts",    "4",        "--steps",   "2", "--batch",
                                        "4",        "--eval-limit", "0",        "--threads", "1", "--seed",
                                        "1",        "--quiet",      "--resume", "out"};
  attack(r.here, {"out/checkpoint/state.json", resume, true});
  // Without a result the adapter is made again from the checkpoint.
  fs::remove(r.here / "out/result.json");
  for (const char* file : {"out/checkpoint/state.json", "out/checkpoint/state.safetensors"})
    attack(r.here, {file, resume, true});
}
