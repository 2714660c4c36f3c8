// The program finetune, killed and resumed.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/backend/cpu/device.hpp"
#include "mor1e/core/rng.hpp"
#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/sha256.hpp"
#include "programs/json_lines.hpp"
#include "programs/process.hpp"
#include "programs/shell.hpp"

using namespace mor1e;
using testing::shell;
namespace fs = std::filesystem;

namespace {

const shell here;
const std::string job =
    "--model toy --data suite --experts 4 --steps 60 --batch 16 --lr 0.01 --eval-limit 1 --threads 1 --quiet ";
const std::string stored = "adapter/adapter_model.safetensors", state = "checkpoint/state.safetensors";

/// finetune in the background.
struct process : testing::process {
  explicit process(const std::string& arguments) : testing::process(here, "finetune", arguments) {}
};

bool holds_name(const fs::path& folder, const std::string& beginning, const std::string& inside = "") {
  std::error_code code;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code))
    if (const std::string name = entry->path().filename().string();
        name.starts_with(beginning) && name.find(inside) != name.npos)
      return true;
  return false;
}

std::vector<nlohmann::json> log_of(const std::string& run) {
  std::vector<nlohmann::json> out = testing::read_json_lines(here / run / "log.jsonl");
  for (nlohmann::json& line : out)
    for (const char* timing : {"tokens_per_second", "peak_memory"}) line.erase(timing);
  return out;
}

nlohmann::json state_of(const std::string& run) {
  auto json = io::read_json(here / run / "checkpoint" / "state.json");
  for (const char* timing : {"seconds", "log_bytes", "sha256"})
    json.erase(timing);  // a line of the log is as long as its timings
  return json;
}

/// Every file of a folder and what it holds.
std::map<std::string, std::string> contents(const std::string& run) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(here / run))
    out[entry.path().string()] = entry.is_regular_file() ? io::read_text(entry.path()) : "";
  return out;
}

/// The run that nothing interrupted.
const std::string& whole() {
  static const std::string name = [] {
    here.check_success("finetune", job + "--out whole");
    return "whole";
  }();
  return name;
}

void check_like_whole(const std::string& run) {
  for (const std::string& file :
       {stored, state, std::string("adapter/adapter_config.json"), std::string("embeddings.safetensors")}) {
    CAPTURE(file);
    CHECK((io::read_text(here / run / file) == io::read_text(here / whole() / file)));
  }
  const auto expected = log_of(whole()), got = log_of(run);
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == expected[i]);
  CHECK(state_of(run) == state_of(whole()));
  auto a = io::read_json(here / run / "result.json"), b = io::read_json(here / whole() / "result.json");
  for (auto* result : {&a, &b})
    for (const char* timing : {"seconds", "peak_memory"}) result->erase(timing);
  CHECK(a == b);
  CHECK(!holds_name(here / run, "."));  // nothing half-written is left
}

}  // namespace

TEST_CASE("a run killed at random moments and resumed is the run that was not") {
  const auto begin = std::chrono::steady_clock::now();
  const std::uint64_t length =
      (whole(),
       std::uint64_t(
           std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin).count()));
  rng random(std::uint64_t(begin.time_since_epoch().count()));
  for (const char* every : {"1", "7"}) {
    CAPTURE(every);
    const std::string run = std::string("killed-") + every,
                      resumed = job + "--checkpoint-every " + every + " --resume " + run;
    int kills = 0;
    for (int attempt = 0; attempt < 8; ++attempt) {
      process going(resumed);
      std::this_thread::sleep_for(std::chrono::microseconds(random.below(length / 3)));
      kills += going.kill();
    }
    CHECK(kills >= 3);
    here.check_success("finetune", resumed);
    check_like_whole(run);
  }
}

TEST_CASE("a run killed while it writes a checkpoint, or its adapter, is the run that was not") {
  const std::string resumed = job + "--checkpoint-every 1 --resume writing";
  rng random(std::uint64_t(std::chrono::steady_clock::now().time_since_epoch().count()));
  int kills = 0;
  for (int attempt = 0; attempt < 12; ++attempt) {
    process going(resumed);
    // Its own names: what the process before it left half-written is still there.
    const std::string begin = attempt < 10 ? ".checkpoint.mor1e-tmp-" : ".adapter.mor1e-tmp-",
                      process = text("-", going.id(), "-");
    const auto writing = [&] { return holds_name(here / "writing", begin, process); };
    for (std::uint64_t whole_ones = attempt < 10 ? 1 + random.below(5) : 0; whole_ones > 0; --whole_ones)
      if (going.wait_for(writing)) going.wait_for([&] { return !writing(); });
    if (!going.wait_for(writing)) continue;
    std::this_thread::sleep_for(std::chrono::microseconds(random.below(2000)));
    kills += going.kill();
  }
  CHECK(kills >= 8);
  CHECK(state_of("writing")["step"].get<int>() >= 10);  // the kills were along the way, not all at its beginning
  here.check_success("finetune", resumed);
  check_like_whole("writing");
}

TEST_CASE("a run killed before its first checkpoint begins again; so does an empty or absent folder") {
  const auto lines = [](const std::string& run) {
    std::ifstream in(here / run / "log.jsonl");
    return std::count(std::istreambuf_iterator<char>(in), {}, '\n');
  };
  {
    process going(job + "--checkpoint-every 1000 --resume early");
    REQUIRE(going.wait_for([&] { return lines("early") >= 3; }));
    going.kill();
  }
  CHECK(!fs::exists(here / "early" / "checkpoint"));
  here.check_success("finetune", job + "--checkpoint-every 1000 --resume early");
  check_like_whole("early");
  fs::create_directory(here / "bare");
  here.check_success("finetune", job + "--resume bare");
  check_like_whole("bare");
}

TEST_CASE("a finished run resumed ends at once and changes nothing; a new run into it is refused") {
  const auto before = contents(whole());
  here.check_success("finetune", job + "--resume whole");
  CHECK(here.check_success("finetune", job.substr(0, job.find("--quiet")) + "--resume whole/") ==
        "whole/ is finished: 60 steps\n");
  here.check_success("finetune", job + "--resume whole --json again.json");
  CHECK(io::read_json(here / "again.json") == io::read_json(here / "whole" / "result.json"));
  here.check_refusal("finetune", job + "--out whole", 2, "whole holds a run; --resume whole goes on with it");
  CHECK((contents("whole") == before));
  // Without its checkpoint there is nothing to go on with, but still something to lose.
  fs::copy(here / "whole", here / "bald", fs::copy_options::recursive);
  for (const char* folder : {"checkpoint", "checkpoint.previous"}) fs::remove_all(here / "bald" / folder);
  for (const char* how : {"--out bald", "--resume bald"})
    here.check_refusal("finetune", job + how, 2, "holds an adapter and no checkpoint");
}

TEST_CASE("other settings are refused by name and both values, others only warned of") {
  const std::string base = "--model toy --data suite --experts 4 --batch 8 --warmup 2 --eval-limit 0 --quiet ";
  const auto start = [&](const std::string& run) {
    process going(base + "--steps 12 --lr 0.01 --threads 1 --checkpoint-every 2 --out " + run);
    going.wait_for([&] { return fs::exists(here / run / "checkpoint"); });
    going.kill();
    REQUIRE(fs::exists(here / run / "checkpoint"));
    fs::remove_all(here / run / "adapter");
    fs::remove(here / run / "result.json");
  };
  start("half");
  const auto before = contents("half");
  const auto refused = [&](const std::string& options, const std::string& was, const std::string& is) {
    const std::string arguments = base + "--threads 1 --resume half " + options;
    here.check_refusal("finetune", arguments, 2, "resume: half was run with ");
    here.check_refusal("finetune", arguments, 2, was);
    here.check_refusal("finetune", arguments, 2, is);
  };
  const std::string same = "--steps 12 --lr 0.01 ";
  refused("--steps 12 --lr 0.02", "lr 0.01,", "lr 0.02,");
  refused("--steps 10 --lr 0.01", "steps 12", "steps 10");
  refused(same + "--clip 0.5", "clip 1.0;", "clip 0.5");
  refused(same + "--weight-decay 0.5", "weight_decay 0.0;", "weight_decay 0.5");
  refused(same + "--seed 3", "seed 0;", "seed 3");
  refused(same + "--order shuffled", "order \"round-robin\";", "order \"shuffled\"");
  refused(same + "--tasks coref,flip", "data \"", "this run has data \"");
  refused(same + "--method mor1e-paper", "method.c_token 0.0", "method.c_token 1.0");
  refused(same + "--method molora", "method.peft_type \"MOR1E\"", "method.peft_type \"MOLORA\"");
  refused(same + "--gate-rate 0.001", "method.gate_learning_rate_scale 0.005;", "method.gate_learning_rate_scale 0.1");
  refused(same + "--targets q_proj", "method.target_modules \"all-linear\";", "method.target_modules [\"q_proj\"]");
  refused(same + "--prefix x:", "intuition.prefix \"\"", "intuition.prefix \"x:\"");
  refused(same + "--intuition category", "intuition.kind \"clusters\"", "intuition.kind \"category\"");
  refused(same + "--answer letter", "answer \"\", data", "answer \"letter\", data");
  CHECK((contents("half") == before));
  for (const auto& [options, why] : std::map<std::string, std::string>{
           {"--threads 2", "half was run with threads 1; now threads 2"},
           {"--threads 1 --micro-batch 300", "half was run with micro_batch 2048; now micro_batch 300"}}) {
    fs::remove_all(here / "other");
    fs::copy(here / "half", here / "other", fs::copy_options::recursive);
    const auto got = here.run("finetune", base + same + options + " --resume other");
    CHECK(got.code == 0);
    CHECK(got.err == "finetune: other" + why.substr(4) + ": the resumed run is not bit for bit the same\n");
  }
}

TEST_CASE("a base multiplied in int8 is resumed bit for bit, and other products are warned of") {
  const std::string base =
      "--model toy --data suite --experts 4 --steps 12 --batch 8 --lr 0.01 --eval-limit 0 --threads 1 "
      "--checkpoint-every 1 --quiet ";
  here.check_refusal("finetune", base + "--products tf32 --out narrow", 2, "--products: tf32 is of a CUDA device");
  const std::string problem = backend::products_problem(cpu_products::int8);
  if (!problem.empty()) {
    here.check_refusal("finetune", base + "--products int8 --out narrow", 2, "--products: " + problem);
    return;
  }
  here.check_success("finetune", base + "--products int8 --out narrow");
  here.check_success("finetune", base + "--out wide");
  CHECK(log_of("narrow") != log_of("wide"));
  {
    process going(base + "--products int8 --out narrowed");
    REQUIRE(going.wait_for([&] { return fs::exists(here / "narrowed" / "checkpoint"); }));
    going.kill();
    fs::remove_all(here / "narrowed" / "adapter");
    fs::remove(here / "narrowed" / "result.json");
  }
  fs::copy(here / "narrowed", here / "widened", fs::copy_options::recursive);
  here.check_success("finetune", base + "--resume narrowed");  // as it was begun
  CHECK(log_of("narrowed") == log_of("narrow"));
  for (const std::string& file : {stored, state})
    CHECK((io::read_text(here / "narrowed" / file) == io::read_text(here / "narrow" / file)));
  const auto got = here.run("finetune", base + "--products fp32 --resume widened");
  CHECK(got.code == 0);
  CHECK(got.err == "finetune: widened was run with gemm \"" + std::string(backend::products_name(cpu_products::int8)) +
                       "\"; now gemm \"" + backend::products_name(cpu_products::fp32) +
                       "\": the resumed run is not bit for bit the same\n");
}

TEST_CASE("types of task train LoRAMoE's balance, come back in a resumed run, and are refused when they are others") {
  const std::string base =
      "--model toy --data suite --method loramoe --experts 4 --steps 12 --batch 8 --lr 0.01 --eval-limit 0 "
      "--threads 1 --checkpoint-every 1 --quiet --type-delta 0.3 ";
  const std::string balanced = base + "--type-balance 0.5 ";
  here.check_refusal("finetune", balanced + "--out typed", 2, "--task-types says which tasks are of type 1");
  here.check_refusal("finetune", balanced + "--task-types flip,nope --out typed", 2,
                     "task types: 'nope' is not among those present: review, flip, house, coref, compare");
  here.check_refusal("finetune", "--model toy --data suite --method lora --type-balance 1 --out typed", 2,
                     "--type-balance is not an option of lora");

  here.check_success("finetune", balanced + "--task-types coref,flip --out typed");
  const auto expected = log_of("typed");
  REQUIRE(expected.size() == 12);
  for (const auto& line : expected) CHECK(line.at("auxiliary").get<double>() > 0);
  const nlohmann::json types = {"flip", "coref"};  // as the data has them
  CHECK(io::read_json(here / "typed" / "adapter" / "adapter_config.json")["extras"]["task_types"] == types);
  // Which tasks they are matters; without a weight nothing is left of them.
  here.check_success("finetune", balanced + "--task-types review --out others");
  CHECK(log_of("others").back() != expected.back());
  here.check_success("finetune", base + "--task-types coref,flip --out unweighed");
  CHECK(!log_of("unweighed").back().contains("auxiliary"));

  {
    process going(balanced + "--task-types flip,coref --out cut");
    REQUIRE(going.wait_for([&] { return fs::exists(here / "cut" / "checkpoint"); }));
    going.kill();
    fs::remove_all(here / "cut" / "adapter");
    fs::remove(here / "cut" / "result.json");
  }
  here.check_refusal("finetune", balanced + "--task-types review --resume cut", 2,
                     "resume: cut was run with task_types [\"flip\",\"coref\"]; this run has task_types [\"review\"]");
  here.check_success("finetune", balanced + "--task-types coref,flip --resume cut");
  CHECK(log_of("cut") == expected);
  for (const std::string& file : {stored, state})
    CHECK((io::read_text(here / "cut" / file) == io::read_text(here / "typed" / file)));
}

TEST_CASE("a damaged checkpoint is told of, and stays as it is") {
  const auto damaged = [](const std::string& why, const std::function<void(const fs::path&)>& damage) {
    fs::remove_all(here / "damaged");
    fs::copy(here / whole(), here / "damaged", fs::copy_options::recursive);
    fs::remove(here / "damaged" / "result.json");
    fs::remove_all(here / "damaged" / "checkpoint.previous");
    damage(here / "damaged" / "checkpoint");
    const auto before = contents("damaged");
    here.check_refusal("finetune", job + "--resume damaged", 1, why);
    CHECK((contents("damaged") == before));
  };
  damaged("state.safetensors", [](const fs::path& at) {
    fs::resize_file(at / "state.safetensors", fs::file_size(at / "state.safetensors") - 9);
  });
  damaged("state.safetensors", [](const fs::path& at) { fs::remove(at / "state.safetensors"); });
  damaged("state.json: not valid JSON",
          [](const fs::path& at) { fs::resize_file(at / "state.json", fs::file_size(at / "state.json") / 2); });
  damaged("state.json: cannot open", [](const fs::path& at) { fs::remove(at / "state.json"); });
  const auto field = [&](const char* name, const nlohmann::json& value, const std::string& why) {
    damaged(why, [&](const fs::path& at) {
      auto json = io::read_json(at / "state.json");
      json[name] = value;
      json.erase("sha256");
      const std::string fields = json.dump();
      json["sha256"] = io::sha256_of(std::as_bytes(std::span(fields)));  // as if it had been written so
      io::write_json(at / "state.json", json);
    });
  };
  field("step", "many", "state.json: field 'step' is \"many\"");
  field("step", -3, "state.json: field 'step' is -3");
  field("step", 61, "state.json: step 61 of 60 and example 960 at 16 a step do not fit");
  field("step", 59, "state.json: step 59 of 60 and example 960 at 16 a step do not fit");
  field("sampler_position", 961, "state.json: step 60 of 60 and example 961 at 16 a step do not fit");
  field("sampler_position", std::uint64_t(1) << 63, "state.json: field 'sampler_position' is 9223372036854775808");
  field("tensors", std::string(64, '0'), "state.safetensors: is not as it was written: SHA-256 ");
  damaged("state.json: is not as it was written: SHA-256 ", [](const fs::path& at) {
    auto json = io::read_json(at / "state.json");
    json["last_loss"] = 0.5;
    io::write_json(at / "state.json", json);
  });
  field("sampler_position", nullptr, "state.json: field 'sampler_position' is null");
  field("settings", 7, "state.json: field 'settings' is 7");
  damaged("log.jsonl: the log has 100 bytes, the checkpoint knows of ",
          [](const fs::path& at) { fs::resize_file(at.parent_path() / "log.jsonl", 100); });
}

TEST_CASE("one process trains into a folder at a time") {
  process first(job + "--checkpoint-every 1 --out shared");
  REQUIRE(first.wait_for([&] { return fs::exists(here / "shared" / "checkpoint"); }));
  ::kill(first.id(), SIGSTOP);
  const auto second = here.run("finetune", job + "--checkpoint-every 1 --resume shared");
  ::kill(first.id(), SIGCONT);
  CHECK(second.code == 1);
  CHECK(second.err == "finetune: shared: another process is training into this folder\n");
  first.wait_for([] { return false; });
  here.check_success("finetune", job + "--resume shared");
  check_like_whole("shared");
}
