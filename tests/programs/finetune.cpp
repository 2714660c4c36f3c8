// The program finetune, as a shell sees it: whole runs, and what it refuses.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/models/toy.hpp"
#include "mor1e/testing/golden.hpp"
#include "programs/json_lines.hpp"
#include "programs/shell.hpp"

using namespace mor1e;
using testing::golden_folder;
using testing::read_json_lines;
using testing::shell;
namespace fs = std::filesystem;

namespace {

const shell here;
/// A run of seconds at most whose loss falls by a tenth.
const std::string quick =
    "--model toy --data suite --steps 12 --batch 10 --lr 0.03 --warmup 0 --eval-limit 2 --threads 1 --quiet ";

std::vector<nlohmann::json> log_of_run(const std::string& run, const std::string& options) {
  here.check_success("finetune", quick + options + " --out " + run);
  return read_json_lines(here / run / "log.jsonl");
}

void write_rows(const std::string& folder, const std::string& task, const std::vector<std::string>& train,
                const std::vector<std::string>& eval = {}) {
  fs::create_directories(here / folder / task);
  const auto join = [](const std::vector<std::string>& rows) {
    std::string out;
    for (const std::string& row : rows) out += row + "\n";
    return out;
  };
  io::write_text(here / folder / task / "train.jsonl", join(train));
  if (!eval.empty()) io::write_text(here / folder / task / "eval.jsonl", join(eval));
}

std::string choice_row(int i, const std::string& answer = "1") {
  return text(R"({"id":"c-)", i, R"(","task":"other name","context":"The box is red.","question":"What is it? )", i,
              R"(","choices":["blue","red"],"answer":)", answer, "}");
}
std::string instruction_row(int i) {
  return text(R"({"id":"i-)", i, R"(","task":"say","instruction":"Say it twice.","input":"w)", i, R"(","output":"w)", i,
              " w", i, "\"}");
}

/// Three kinds of rows in three tasks.
void write_mixed(const std::string& folder) {
  std::vector<std::string> choices, lists, said;
  for (int i = 0; i < 6; ++i)
    choices.push_back(choice_row(i)), lists.push_back(choice_row(10 + i, "[0,1]")), said.push_back(instruction_row(i));
  write_rows(folder, "boxes", choices, {choice_row(90)});
  write_rows(folder, "record", lists, {choice_row(91, "[1,0]")});
  write_rows(folder, "say", said);
}

/// The adapter of a run gives outputs in every program that takes one.
void check_adapter(const std::string& run, int clusters, bool of_texts) {
  const std::string adapter = run + "/adapter";
  const std::vector<std::int64_t> ids{72, 101, 108, 108, 111, 32};
  const std::vector<float> intuition(std::size_t(2 * std::max(clusters, 1)), 0.1f);
  std::vector<io::stored_tensor> tensors{{"input_ids", dtype::i64, shape{2, 3}, ids.data()}};
  if (clusters) tensors.push_back({"intuition", dtype::f32, shape{2, clusters}, intuition.data()});
  io::write_safetensors(here / "x.safetensors", tensors);
  here.check_success("logits", "--model toy --input x.safetensors --out base.safetensors");
  here.check_success("logits", "--model toy --adapter " + adapter + " --input x.safetensors --out y.safetensors");
  const auto base = io::safetensors_file(here / "base.safetensors").read<float>("logits"),
             tuned = io::safetensors_file(here / "y.safetensors").read<float>("logits");
  float most = 0;
  for (index_t i = 0; i < base.size(); ++i) most = std::max(most, std::fabs(base[i] - tuned[i]));
  CHECK(most > 1e-3f);  // the adapter does something; also no NaN
  here.check_success(
      "evaluate", "--model toy --adapter " + adapter + " --data " + run + "/data --limit 2 --quiet --log items.jsonl");
  CHECK(read_json_lines(here / "items.jsonl").size() == 10);
  const std::string generate = "--model toy --adapter " + adapter + " --prompt 'It is' --tokens 3";
  if (of_texts)
    here.check_success("generate", generate);
  else
    here.check_refusal("generate", generate, 2, "a text alone has none");
}

}  // namespace

TEST_CASE("every method learns, logs each step and leaves an adapter that loads") {
  struct method {
    const char* options;
    int clusters;
    bool of_texts, routers, gates;
  };
  int number = 0;
  for (const method& m :
       {method{"--method lora --rank 4", 0, true, false, false}, method{"--experts 4", 4, true, true, true},
        method{"--method mor1e-paper --experts 4", 4, true, true, false},
        method{"--no-router --experts 4", 4, true, true, true},
        method{"--no-intuition --experts 4", 0, true, true, true},
        method{"--intuition none --experts 4", 0, true, true, true},
        method{"--intuition random --experts 4", 4, false, true, true},
        method{"--intuition category --experts 4", 4, false, true, true},
        method{"--targets q_proj,v_proj --experts 4", 4, true, true, true},
        method{"--recompute --method lora --rank 4", 0, true, false, false},
        method{"--method dora --rank 4", 0, true, false, false},
        method{"--method rslora --rank 4 --dropout 0.1", 0, true, false, false},
        method{"--experts 4 --clusters 6", 6, true, true, true},
        method{"--method mor1e-paper --intuition-before --low-rank-router --experts 4", 4, true, true, false},
        method{"--method mix --r1 2 --r2 3", 6, true, true, true},
        method{"--method mix-paper --factorised --r1 3 --r2 4 --clusters 5", 5, true, true, false}}) {
    CAPTURE(m.options);
    const std::string run = text("method-", number++);
    const auto lines = log_of_run(run, m.options);
    REQUIRE(lines.size() == 12);
    const auto mean = [&](std::size_t begin) {
      double sum = 0;
      for (std::size_t i = 0; i < 3; ++i) sum += lines[begin + i]["loss"].get<double>() / 3;
      return sum;
    };
    CHECK(mean(9) < 0.9 * mean(0));
    for (std::size_t i = 0; i < lines.size(); ++i) {
      CHECK(lines[i]["step"] == i + 1);
      for (const char* field : {"loss", "gradient_norm", "tokens_per_second", "peak_memory", "targets", "tokens"})
        CHECK(lines[i][field].get<double>() > 0);
      CHECK(lines[i]["lr"].get<double>() == doctest::Approx(0.015 * (1 + std::cos(3.14159265358979 * double(i) / 12))));
      CHECK(lines[i].contains("routers") == m.routers);
      CHECK(lines[i].contains("gate_a") == m.gates);
      CHECK(lines[i].contains("gate_b") == m.gates);
      for (const char* of : {"gate_a", "gate_b", "gradient_a", "gradient_b"})
        if (m.gates) CHECK(lines[i][of].size() == 5);
      if (m.routers)
        for (const char* of : {"entropy", "effective_experts", "largest_load"})
          CHECK(lines[i]["routers"][of]["q_proj"].size() == 2);  // one a layer
    }
    if (m.routers) {
      here.check_success("evaluate", "--quiet --model toy --data suite --limit 2 --adapter " + run +
                                         "/adapter --routers " + run + "/routers");
      CHECK(io::read_json(here / run / "routers" / "routers.json")["tasks"].size() == 5);
    }
    const auto config = io::read_json(here / run / "adapter" / "adapter_config.json");
    const std::size_t linears = config["target_modules"].size();
    CHECK(linears == (std::string(m.options).starts_with("--targets") ? 2 : 7));
    const auto result = io::read_json(here / run / "result.json");
    CHECK(result["first_loss"] == lines.front()["loss"]);
    CHECK(result["last_loss"] == lines.back()["loss"]);
    CHECK(result["evaluation"]["after"]["all"]["n"] == 10);
    check_adapter(run, m.clusters, m.of_texts);
  }
}

TEST_CASE("a data folder of choices, lists of answers and instructions, in every wording") {
  write_mixed("mixed");
  const std::string run =
      "--model toy --data mixed --steps 6 --batch 6 --lr 0.01 --warmup 0 --experts 3 --threads 1 --quiet ";
  double targets[2];
  int number = 0;
  for (const char* options : {"", "--answer letter --template plain", "--answer text --template release",
                              "--answer text --template bare", "--order round-robin --tasks record,say"}) {
    CAPTURE(options);
    const std::string out = text("mixed-", number++);
    here.check_success("finetune", run + options + " --out " + out);
    const auto lines = read_json_lines(here / out / "log.jsonl");
    CHECK(lines.size() == 6);
    if (number == 2 || number == 4) {
      targets[number / 2 - 1] = 0;
      for (const auto& line : lines) targets[number / 2 - 1] += line["targets"].get<double>();
    }
    CHECK(!fs::exists(here / out / "data"));
    here.check_success("evaluate",
                       "--model toy --adapter " + out + "/adapter --data mixed --tasks boxes,record --quiet");
  }
  CHECK(targets[0] < targets[1]);  // " A" has fewer bytes than " red"
  // The folder, not the field of the row, is the task: so does evaluate.
  here.check_success("finetune", run + "--intuition category --out mixed-category");
  here.check_success("evaluate",
                     "--model toy --adapter mixed-category/adapter --data mixed --tasks boxes,record --quiet");
}

TEST_CASE("neither micro-batches nor recomputation change a loss; one seed gives one run") {
  const auto losses = [](const std::vector<nlohmann::json>& lines) {
    std::vector<double> out;
    for (const auto& line : lines) out.push_back(line["loss"].get<double>());
    return out;
  };
  const auto base = losses(log_of_run("plain", "--experts 4"));
  const auto close = [&](const std::vector<double>& other) {
    REQUIRE(other.size() == base.size());
    for (std::size_t i = 0; i < base.size(); ++i) CHECK(other[i] == doctest::Approx(base[i]).epsilon(1e-5));
  };
  close(losses(log_of_run("small", "--experts 4 --micro-batch 130")));
  close(losses(log_of_run("again", "--experts 4 --recompute")));
  CHECK(losses(log_of_run("same", "--experts 4")) == base);
  const auto stored = [](const char* run) {
    return io::read_text(here / run / "adapter" / "adapter_model.safetensors");
  };
  CHECK((stored("same") == stored("plain")));
  CHECK(losses(log_of_run("seed", "--experts 4 --seed 1")) != base);
  // The initial values are drawn, too: the first step of a warm-up leaves them as they are.
  write_mixed("seeds");
  const auto first = [&](const char* seed, const char* out) {
    here.check_success("finetune", text("--model toy --data seeds --steps 1 --warmup 1 --method lora --quiet --seed ",
                                        seed, " --out ", out));
    return io::read_text(here / out / "adapter" / "adapter_model.safetensors");
  };
  CHECK((first("0", "seed-0") != first("1", "seed-1")));
}

TEST_CASE("the report on the routers is that of an evaluation of the same items") {
  here.check_success(
      "finetune",
      "--model toy --data suite --steps 2 --batch 10 --experts 4 --eval-limit 3 --routers --quiet --out looked");
  here.check_success("evaluate",
                     "--model toy --adapter looked/adapter --data looked/data --limit 3 --quiet --routers again");
  const auto report = [&](const char* folder) {
    return nlohmann::json::parse(io::read_text(here / folder / "routers.json"));
  };
  CHECK(report("looked/routers")["items"] == report("again")["items"]);
  const auto ours = report("looked/routers")["linears"], theirs = report("again")["linears"];
  REQUIRE(ours.size() == theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i)
    CHECK(ours[i]["entropy"].get<double>() == doctest::Approx(theirs[i]["entropy"].get<double>()));
}

TEST_CASE("gates that saturate are told of once") {
  const auto got = here.run("finetune", quick + "--experts 4 --gate-rate 0.1 --out saturated");
  CHECK(got.code == 0);
  CHECK(got.err.starts_with("finetune: step "));
  CHECK(got.err.find("hardly learn any more") != std::string::npos);
  CHECK(got.err.find('\n') == got.err.size() - 1);
}

TEST_CASE("an adapter's intuition: another embedder and a missing one are refused") {
  here.check_success("finetune", quick + "--experts 4 --out felt");
  const tensor<std::int64_t> ids({1, 2}, 65);
  io::write_safetensors(here / "ids.safetensors", std::vector{io::stored("input_ids", ids)});
  here.check_refusal("logits", "--model toy --adapter felt/adapter --input ids.safetensors --out no.safetensors", 2,
                     "no tensor 'intuition'");
  fs::copy(here / "felt" / "adapter", here / "other");
  auto config = io::read_json(here / "other" / "adapter_config.json");
  config["intuition"]["embedder_hash"] = "of-another";
  io::write_json(here / "other" / "adapter_config.json", config);
  here.check_refusal("generate", "--model toy --adapter other --prompt a", 2, "of-another");
  here.check_refusal("evaluate", "--model toy --adapter other --data felt/data", 2, "of-another");
  config.erase("intuition");
  io::write_json(here / "other" / "adapter_config.json", config);
  here.check_refusal("generate", "--model toy --adapter other --prompt a", 1, "intuition");
  const auto encoder = golden_folder() / "encoders" / "bert";
  if (fs::exists(encoder / "vocab.txt"))
    here.check_refusal("evaluate", "--model toy --adapter felt/adapter --data felt/data --embedder " + encoder.string(),
                       2, "hash");
}

TEST_CASE("bad use exits with 2, one line, and leaves nothing") {
  const auto refused = [](const std::string& options, const std::string& why) {
    here.check_refusal("finetune", options + " --out none", 2, why);
  };
  const std::string good = "--model toy --data suite --batch 10 --steps 6 ";
  here.check_refusal("finetune", good, 2, "--out or --resume is needed");
  here.check_refusal("finetune", good + "--out a --resume b", 2, "--resume b and --out a differ");
  refused("--data suite", "--model and --data are needed");
  refused(good + "--colour red", "--colour");
  refused(good + "--method adalora", "adalora");
  refused(good + "--preset huge", "'huge' is not known (paper, release, quick, suite are)");
  refused(good + "--template fancy", "fancy");
  refused(good + "--order sorted", "sorted");
  refused(good + "--answer number", "--answer number is neither letter nor text");
  refused(good + "--targets q_proj,nose_proj", "nose_proj");
  refused(good + "--targets q_proj,,v_proj", "''");
  refused(good + "--tasks coref,chess", "'chess' is not among those present: ");
  refused(good + "--no-router --no-intuition", "nothing weighs the experts");
  refused(good + "--dropout 0.1", "--dropout is not an option of mor1e");
  refused(good + "--method lora --r1 3", "--r1 is not an option of lora");
  refused(good + "--method sira --no-router", "--no-router is not an option of sira");
  refused(good + "--method lora --gate-rate 1", "--gate-rate is not an option of lora");
  refused(good + "--method lora --balance-loss 1", "--balance-loss is not an option of lora");
  refused(good + "--top-k 40", "the 40 largest weights of 32");
  refused(good + "--no-router --intuition-before", "needs router and intuition");
  refused(good + "--method molora --clusters 4", "reads no intuition");
  refused(good + "--method mor1e-paper --gate-rate 1", "--gate-rate is not an option of mor1e-paper");
  refused(good + "--method lora --routers", "--routers: --method lora is lora: it has no experts");
  refused(good + "--routers --eval-limit 0", "--routers: there are no items to route");
  refused(good + "--dropout 1", "--dropout: '1' is not a number in [0, 1)");
  refused(good + "--method mix --r1 32 --r2 32 --no-intuition", "mix: 32 x 32 pairs need routers of");
  refused(good + "--experts 90", "90 clusters of 60 examples");
  for (const char* rate : {"nan", "-1", "0", "inf", "fast", "1e-3x"})
    refused(good + "--lr=" + rate, text("--lr: '", rate, "' is not a number above 0"));
  for (const char* option : {"--clip", "--weight-decay", "--gate-rate"})
    refused(good + option + "=nan", text(option, ": 'nan' is not a number from 0 on"));
  refused("--model toy --data suite --steps 0", "--steps");
  refused("--model toy --data suite --epochs nan", "--epochs");
  refused("--model toy --data suite --epochs 1e300", "have no end");
  refused(good + "--batch 0", "--batch");
  refused(good + "--memory lots", "'lots' is no amount of memory");
  refused(good + "--memory 1MB", "1 MB are allowed");
  refused(good + "--micro-batch 8", "--micro-batch 8 is too small for ");
}

TEST_CASE("bad data: file, line and numbers are named, and nothing is left") {
  const std::string run = "--model toy --data bad --steps 2 --batch 2 --method lora --quiet ";
  const auto with = [&](const std::vector<std::string>& rows, int code, const std::string& why,
                        const std::string& options = "") {
    write_rows("bad", "t", rows);
    here.check_refusal("finetune", run + options + "--out none", code, why);
  };
  with({choice_row(0), "", choice_row(1), R"({"id": )"}, 1, "bad/t/train.jsonl:4: not valid JSON");
  with({choice_row(0), choice_row(1, "2")}, 1, "bad/t/train.jsonl:2: field 'answer': index 2 is outside the 2 choices");
  with({choice_row(0, "-1")}, 1, "index -1");
  with({R"({"id":"a","task":"t","context":"","choices":["x"],"answer":0})"}, 1,
       "train.jsonl:1: field 'question' is missing");
  with({}, 1, "the file holds no example");
  with({choice_row(0)}, 2, "c-0: ", "--max-length 20 ");
  with({choice_row(0)}, 2, "at most 20 fit", "--max-length 20 ");
  with({R"({"id":"long","task":"t","instruction":")" + std::string(3000, 'a') + R"(","input":"","output":"b"})"}, 2,
       "long: 30");
  write_rows("bad", "t",
             {R"({"id":"long","task":"t","instruction":")" + std::string(3000, 'a') + R"(","input":"","output":"b"})"});
  here.check_success("finetune", run + "--truncate --out cut");
  CHECK(read_json_lines(here / "cut" / "log.jsonl").front()["tokens"] == 2 * 2048);
  write_rows(
      "bad", "t", {choice_row(0)},
      {R"({"id":"eval-long","task":"t","instruction":")" + std::string(3000, 'a') + R"(","input":"","output":"b"})"});
  here.check_refusal("finetune", run + "--out none", 2, "scoring: eval-long has a sequence of 30");
  write_rows("bad", "t", {choice_row(0)}, {choice_row(1), "{"});
  here.check_refusal("finetune", run + "--out none", 1, "bad/t/eval.jsonl:2: not valid JSON");

  here.check_refusal("finetune", "--model toy --data nowhere --out none", 1, "nowhere");
  fs::create_directories(here / "empty" / "folder");
  here.check_refusal("finetune", "--model toy --data empty --out none", 1, "no task here");
}

TEST_CASE("bad models and places to write: nothing is left") {
  const std::string rest = " --data suite --method lora --steps 2 --batch 5 --eval-limit 0 --quiet ";
  here.check_refusal("finetune", "--model nowhere --out none" + rest, 1, "no model at nowhere");
  fs::copy(golden_folder() / "models" / "llama_mha", here / "cut", fs::copy_options::recursive);
  for (const auto& entry : fs::directory_iterator(here / "cut")) fs::permissions(entry.path(), fs::perms::owner_all);
  fs::resize_file(here / "cut" / "model.safetensors", fs::file_size(here / "cut" / "model.safetensors") - 7);
  here.check_refusal("finetune", "--model cut --out none" + rest, 1, "model.safetensors");
  auto config = io::read_json(here / "cut" / "config.json");
  config["model_type"] = "abacus";
  fs::copy(golden_folder() / "models" / "llama_mha", here / "abacus", fs::copy_options::recursive);
  for (const auto& entry : fs::directory_iterator(here / "abacus")) fs::permissions(entry.path(), fs::perms::owner_all);
  io::write_json(here / "abacus" / "config.json", config);
  here.check_refusal("finetune", "--model abacus --out none" + rest, 2, "'abacus' is not supported");
  fs::copy(golden_folder() / "gguf" / "types.gguf", here / "cut.gguf");
  fs::permissions(here / "cut.gguf", fs::perms::owner_all);
  fs::resize_file(here / "cut.gguf", fs::file_size(here / "cut.gguf") / 2);
  here.check_refusal("finetune", "--model cut.gguf --out none" + rest, 1, "cut.gguf");

  io::write_text(here / "file", "");
  here.check_refusal("finetune", "--model toy --out file/run" + rest, 1, "file/run");
  here.check_refusal("finetune", "--model toy --out file" + rest, 1, "file");
  const auto full = here.run("finetune", "--model toy --log /dev/full --out full" + rest);
  CHECK(full.code == 1);
  CHECK(full.err == "finetune: /dev/full: cannot write: No space left on device\n");
  CHECK(!fs::exists(here / "full" / "adapter"));
  CHECK(!fs::exists(here / "full" / "checkpoint"));
  // A folder of that name in somebody else's folder is not the run's to replace.
  fs::create_directories(here / "mine" / "data");
  io::write_text(here / "mine" / "data" / "diary.txt", "dear");
  here.check_refusal("finetune", "--model toy --out mine" + rest, 2, "give another --out");
  CHECK(io::read_text(here / "mine" / "data" / "diary.txt") == "dear");
}

TEST_CASE("a limit of memory is kept by smaller passes, then by recomputation") {
  const std::string run = "--model toy --data suite --method lora --steps 3 --batch 64 --eval-limit 0 --threads 1 ";
  const auto peak = [&](const std::string& out) {
    return io::read_json(here / out / "result.json")["peak_memory"].get<double>();
  };
  here.check_success("finetune", run + "--quiet --out free");
  const auto fits = [&](double bytes, const std::string& out) {
    return here.check_success("finetune", run + text("--memory ", std::int64_t(bytes)) + " --out " + out);
  };
  CHECK(fits(peak("free") * 4, "roomy").find("memory: ") == 0);
  const auto refusal = here.run("finetune", run + "--memory 1MB --out none");
  CHECK(refusal.code == 2);
  double least = 0;  // "needs N MB with recomputation"
  std::istringstream(refusal.err.substr(refusal.err.find("needs ") + 6)) >> least;
  REQUIRE(least > 1);
  CHECK(least * 1e6 < peak("free"));
  // The number is rounded, and what is resident before the first step differs by some 100 kB from run to run.
  const double limit = (least + 2) * 1e6;
  fits(limit, "tight");
  CHECK(peak("tight") <= limit);
  for (int i = 0; i < 3; ++i)
    CHECK(read_json_lines(here / "tight" / "log.jsonl")[std::size_t(i)]["loss"].get<double>() ==
          doctest::Approx(read_json_lines(here / "free" / "log.jsonl")[std::size_t(i)]["loss"].get<double>())
              .epsilon(1e-5));
}
