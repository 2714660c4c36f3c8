// The program finetune, stopped by signals and by what happens to its folder, and gone on with by the folder alone.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/core/rng.hpp"
#include "mor1e/io/atomic_file.hpp"
#include "programs/process.hpp"
#include "programs/shell.hpp"
#include "programs/toy_folder.hpp"

using namespace mor1e;
using testing::break_tensor;
using testing::shell;
using testing::write_model;
namespace fs = std::filesystem;

namespace {

const shell here;
const std::string settings = "--model toy --data suite --experts 4 --batch 16 --eval-limit 1 --threads 1 --quiet ";
const std::string job = settings + "--lr 0.01 --steps 60 ",
                  endless = settings + "--lr 1e-9 --steps 100000 --checkpoint-every 1000000 ";

struct process : testing::process {
  explicit process(const std::string& arguments, const std::string& program = "finetune")
      : testing::process(here, program, arguments) {}
  /// Its exit code; of a signal that ended it the negative number.
  int wait() {
    wait_for([] { return false; });
    return WIFEXITED(status()) ? WEXITSTATUS(status()) : -WTERMSIG(status());
  }
};

/// What the processes in the background have printed since the last call.
std::string said() {
  std::error_code none;
  const std::string out = fs::exists(here / "killed.err", none) ? io::read_text(here / "killed.err") : "";
  fs::remove(here / "killed.err", none);
  return out;
}

std::size_t lines(const std::string& run) {
  std::ifstream in(here / run / "log.jsonl");
  return std::size_t(std::count(std::istreambuf_iterator<char>(in), {}, '\n'));
}

const std::string& whole() {
  static const std::string name = [] {
    here.check_success("finetune", job + "--checkpoint-every 7 --out whole");
    return "whole";
  }();
  return name;
}
void check_like_whole(const std::string& run) {
  for (const char* file : {"adapter/adapter_model.safetensors", "adapter/adapter_config.json",
                           "checkpoint/state.safetensors", "embeddings.safetensors"})
    CHECK((io::read_text(here / run / file) == io::read_text(here / whole() / file)));
}

}  // namespace

TEST_CASE("a run that is told to stop finishes its step, saves, says how to go on, and goes on bit for bit") {
  whole();
  for (const auto& [signal, code] :
       {std::pair(SIGINT, 130), std::pair(SIGTERM, 143), std::pair(SIGUSR1, 128 + SIGUSR1)}) {
    const std::string run = text("told-", signal);
    process going(job + "--checkpoint-every 1000 --out " + run);
    REQUIRE(going.wait_for([&] { return lines(run) >= 3; }));
    ::kill(going.id(), signal);
    CHECK(going.wait() == code);
    const std::string line = said();
    CHECK(line.starts_with("finetune: stopped behind step "));
    CHECK(line.ends_with(" of 60; finetune --resume " + run + " goes on\n"));
    CHECK(fs::exists(here / run / "checkpoint" / "state.json"));
    here.check_success("finetune", "--quiet --resume " + run);  // the folder says the rest
    check_like_whole(run);
  }
}

TEST_CASE("a second signal ends a run at once") {
  process going(endless + "--out twice");
  REQUIRE(going.wait_for([&] { return lines("twice") >= 3; }));
  ::kill(going.id(), SIGSTOP);  // so that both are there before it looks
  ::kill(going.id(), SIGINT);
  ::kill(going.id(), SIGTERM);
  ::kill(going.id(), SIGCONT);
  const int code = going.wait();
  // One handler runs first, and turns the other signal into what it is by default.
  CHECK((code == -SIGTERM || code == -SIGINT));
  said();
}

TEST_CASE("--resume alone takes model, data and options from the folder, wherever it is called") {
  fs::create_directories(here / "from");
  write_model(here / "from/m");
  fs::create_directories(here / "from" / "d" / "t");
  std::string rows;
  for (int i = 0; i < 6; ++i)
    rows += text(R"({"id":"c-)", i, R"(","task":"t","context":"","question":"a )", i,
                 R"(","choices":["b","c"],"answer":1})", "\n");
  io::write_text(here / "from" / "d" / "t" / "train.jsonl", rows);
  const std::string base = "--method lora --rank 2 --steps 6 --batch 3 --eval-limit 0 --threads 1 --quiet ";
  here.check_success("finetune", base + "--model from/m --data from/d --out one");
  // The same from another folder, stopped, and gone on with from a third.
  const auto in = [&](const std::string& folder, const std::string& arguments) {
    return here.run("finetune", "--help >/dev/null && cd " + (here / folder).string() +
                                    " && " MOR1E_PROGRAMS_DIR "/finetune " + arguments);
  };
  CHECK(in("from", base + "--model m --data d --checkpoint-every 2 --out ../two").code == 0);
  for (const char* gone : {"result.json", "adapter", "checkpoint"}) fs::remove_all(here / "two" / gone);
  const auto resumed = here.run("finetune", "--quiet --resume two");  // from the checkpoint before the last
  CHECK(resumed.err == "");
  CHECK(resumed.code == 0);
  CHECK((io::read_text(here / "two" / "adapter" / "adapter_model.safetensors") ==
         io::read_text(here / "one" / "adapter" / "adapter_model.safetensors")));

  // Before the first checkpoint it begins again.
  for (const char* gone : {"result.json", "adapter", "checkpoint", "checkpoint.previous"})
    fs::remove_all(here / "two" / gone);
  here.check_success("finetune", "--quiet --resume two");
  CHECK((io::read_text(here / "two" / "adapter" / "adapter_model.safetensors") ==
         io::read_text(here / "one" / "adapter" / "adapter_model.safetensors")));

  // What is given is compared, and what lies at the paths is, too.
  fs::remove_all(here / "two" / "result.json");
  here.check_refusal("finetune", "--resume two --lr 0.5", 2, "two was run with lr ");
  here.check_refusal("finetune", "--resume two --epochs 1", 2, "two was run with steps 6; this run has steps 2");
  io::write_text(here / "from" / "d" / "t" / "train.jsonl", rows + rows.substr(0, rows.find('\n') + 1));
  here.check_refusal("finetune", "--resume two", 2, "two was run with data ");
  io::write_text(here / "from" / "d" / "t" / "train.jsonl", rows);
  break_tensor(here / "from" / "m" / "model.safetensors", "model.norm.weight", 2);
  here.check_refusal("finetune", "--resume two", 2, "two was run with model ");

  io::write_text(here / "two" / "options.json", R"({"modal": {"given": "toy"}})");
  here.check_refusal("finetune", "--resume two", 1, "two/options.json: 'modal' is no option of a run");
  fs::create_directories(here / "theirs");
  for (const char* file : {"options.json", "log.jsonl", "result.json"}) {
    io::write_text(here / "theirs" / file, "{}");
    here.check_refusal("finetune", job + "--out theirs", 2, "would be replaced; give another --out");
    fs::remove(here / "theirs" / file);
  }
}

TEST_CASE("more --steps go on beyond the end, and say what changes") {
  fs::copy(here / whole(), here / "longer", fs::copy_options::recursive);
  const auto got = here.run("finetune", "--quiet --resume longer --steps 70");
  CHECK(got.code == 0);
  CHECK(
      got.err.starts_with("finetune: longer was to end at step 60, now at 70: from step 61 on the learning rate is "));
  CHECK(lines("longer") == 70);
  CHECK(io::read_json(here / "longer" / "result.json")["steps"] == 70);
  here.check_success("finetune", "--quiet --resume longer");  // finished, as it is now
  here.check_refusal("finetune", "--quiet --resume longer --steps 60", 2, "longer was run with steps 70");
}

TEST_CASE("a damaged checkpoint is passed over with a word, and the run ends as the one that was not") {
  rng random(3);
  for (int i = 0; i < 6; ++i) {
    fs::remove_all(here / "hurt");
    fs::copy(here / whole(), here / "hurt", fs::copy_options::recursive);
    for (const char* gone : {"result.json", "adapter"}) fs::remove_all(here / "hurt" / gone);
    const fs::path file = here / "hurt" / "checkpoint" / (i % 2 ? "state.json" : "state.safetensors");
    std::string bytes = io::read_text(file);
    bytes[random.below(bytes.size())] ^= char(1 << random.below(8));
    io::write_text(file, bytes);
    const auto got = here.run("finetune", "--quiet --resume hurt");
    CAPTURE(got.err);
    CHECK(got.code == 0);
    if (!got.err.empty()) CHECK(got.err.starts_with("finetune: going on from the checkpoint before, of step 56: "));
    check_like_whole("hurt");
  }
}

TEST_CASE("damaged embeddings of a run are told of and made again") {
  fs::copy(here / whole(), here / "blurred", fs::copy_options::recursive);
  for (const char* gone : {"result.json", "adapter", "checkpoint", "checkpoint.previous"})
    fs::remove_all(here / "blurred" / gone);
  std::string bytes = io::read_text(here / "blurred" / "embeddings.safetensors");
  bytes[bytes.size() - 100] ^= 1;
  io::write_text(here / "blurred" / "embeddings.safetensors", bytes);
  const auto got = here.run("finetune", "--quiet --resume blurred");
  CHECK(got.code == 0);
  CHECK(got.err.find("blurred/embeddings.safetensors: is not as it was written") != std::string::npos);
  CHECK(got.err.find("made again") != std::string::npos);
  check_like_whole("blurred");
}

TEST_CASE("a run folder that is removed or replaced stops the run, and is not made again") {
  for (const bool replaced : {false, true}) {
    process going(endless + "--out moved");
    REQUIRE(going.wait_for([&] { return lines("moved") >= 3; }));
    fs::rename(here / "moved", here / (replaced ? "away-2" : "away-1"));
    if (replaced) fs::create_directory(here / "moved");
    CHECK(going.wait() == 1);
    CHECK(said() ==
          text("finetune: moved: the folder of the run ", replaced ? "was replaced by another" : "is gone", "\n"));
    if (replaced) CHECK(fs::is_empty(here / "moved"));
    if (!replaced) CHECK(!fs::exists(here / "moved"));
  }
}
