// The program finetune as several processes that mpirun starts.
#include <filesystem>
#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/sha256.hpp"
#include "programs/json_lines.hpp"
#include "programs/shell.hpp"

using namespace mor1e;
using testing::read_json_lines;
using testing::shell;
namespace fs = std::filesystem;

namespace {

const shell here;
const std::string task =
    "--model toy --data suite --experts 4 --batch 10 --lr 0.01 --eval-limit 3 --threads 1 --quiet ";
const std::string job = task + "--steps 12 ", longer = task + "--steps 400 --checkpoint-every 400 ";

/// What Open MPI asks of one who is root, has few processors, or lives in a container.
const std::string surroundings =
    "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 "
    "OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_orte_abort_print_stack=0 ";

std::string started(int processes) {
  return text("env ", surroundings, "mpirun -n ", processes, " " MOR1E_PROGRAMS_DIR "/finetune --mpi ");
}
testing::outcome run(int processes, const std::string& arguments) {
  return here.run_command(started(processes) + arguments);
}
void check_success(int processes, const std::string& arguments) {
  const testing::outcome got = run(processes, arguments);
  CAPTURE(got.err);
  REQUIRE(got.code == 0);
}

bool available() {
  const bool built = here.run("finetune", "--mpi --model toy --data suite").err.find("has no MPI") == std::string::npos;
  if (built && here.run_command(text("env ", surroundings, "mpirun -n 2 true")).code == 0) return true;
  MESSAGE("not tested: ", built ? "there is no mpirun that works" : "the programs are built without MPI");
  return false;
}

std::string hash_of(const std::string& file) { return io::sha256_of_file(here / file); }
const std::string state = "/checkpoint/state.safetensors";

}  // namespace

TEST_CASE("processes train and score what one alone does, up to the order in which they add") {
  if (!available()) return;
  here.check_success("finetune", job + "--out alone");
  check_success(2, job + "--out pair --json pair.json");
  const auto alone = read_json_lines(here / "alone/log.jsonl"), pair = read_json_lines(here / "pair/log.jsonl");
  REQUIRE(pair.size() == alone.size());
  for (std::size_t i = 0; i < alone.size(); ++i) {
    CHECK(pair[i]["tokens"] == alone[i]["tokens"]);
    CHECK(pair[i]["loss"].get<double>() == doctest::Approx(alone[i]["loss"].get<double>()).epsilon(1e-4));
  }
  const auto result = io::read_json(here / "pair/result.json"), same = io::read_json(here / "alone/result.json");
  CHECK(result["tokens"] == same["tokens"]);
  CHECK(result["evaluation"]["before"] == same["evaluation"]["before"]);
  CHECK(io::read_json(here / "pair.json") == result);
  CHECK(io::read_json(here / "pair/checkpoint/state.json")["settings"]["advice"]["processes"] == 2);
}

TEST_CASE("processes stopped by a signal save what they did, and go on with the same bits") {
  if (!available()) return;
  const testing::outcome stopped =
      here.run_command(text("( ", started(2), longer, "--out cut & while kill -0 $! && [ ! -s cut/log.jsonl ]; ",
                            "do sleep 0.02; done; kill -USR1 $!; wait $! )"));
  CAPTURE(stopped.err);
  CHECK(stopped.code != 0);
  CHECK(stopped.err.find("of 400; mpirun -n 2 finetune --mpi --resume cut goes on") != std::string::npos);
  check_success(2, longer + "--out whole");
  check_success(2, "--resume cut --quiet");
  CHECK(hash_of("cut" + state) == hash_of("whole" + state));
}

TEST_CASE("another number of processes goes on with a run, and says once that the bits are others") {
  if (!available()) return;
  check_success(2, task + "--steps 3 --out fewer");
  const testing::outcome more = run(3, "--resume fewer --steps 5 --quiet");
  CAPTURE(more.err);
  CHECK(more.code == 0);
  const std::size_t at = more.err.find("finetune: fewer was run with processes 2; now processes 3");
  CHECK(at != std::string::npos);
  CHECK(more.err.find("processes 2; now", at + 40) == std::string::npos);
}

TEST_CASE("what is wrong is said once, and ends all processes") {
  if (!available()) return;
  const auto refused = [](const std::string& arguments, int code, const std::string& why) {
    const testing::outcome got = run(3, arguments);
    CAPTURE(got.err);
    CHECK(got.code == code);
    const std::size_t at = got.err.find("finetune: ");
    CHECK(got.err.find(why) != std::string::npos);
    CHECK(got.err.find("finetune: ", at + 1) == std::string::npos);
  };
  refused("--model toy --data suite --method lora --steps 2 --batch 2 --out few --quiet", 2,
          "--batch 2 for 3 processes");
  CHECK_FALSE(fs::exists(here / "few"));
  // The colon begins another process, with options of its own.
  refused("--model toy --data suite --method lora --steps 2 --out mixed --quiet : -n 1 " MOR1E_PROGRAMS_DIR
          "/finetune --mpi --model toy --data suite --method lora --steps 2 --lr 0.5 --out mixed --quiet",
          2, "process 3 of 4 has lr 0.5, process 0 has ");
  CHECK_FALSE(fs::exists(here / "mixed"));
  refused("--model nothing --data suite --out none --quiet", 1, "no model at nothing");
}
