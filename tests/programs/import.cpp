// The program import, as a shell sees it.
#include <filesystem>
#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/data/data_folder.hpp"
#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/text_file.hpp"
#include "programs/shell.hpp"

using namespace mor1e;
namespace fs = std::filesystem;

namespace {
const testing::shell here;

void write(const std::string& path, const std::string& content) {
  fs::create_directories((here / path).parent_path());
  io::write_text(here / path, content);
}
}  // namespace

TEST_CASE("archives become a data folder, with what the evaluation shares with the training") {
  const std::string seen = R"({"question": "is it red", "passage": "A red door.", "label": true})";
  write("archives/BoolQ/train.jsonl", seen + "\n");
  write("archives/BoolQ/val.jsonl", seen + "\n" + R"({"question": "is it old", "passage": "A tree.", "label": false})");
  write("archives/bbh/sums.json", R"({"examples": [{"input": "1 + 1", "target": "2"}]})");
  here.check_success("import", "--from archives --out sets --quiet --json report.json");
  const auto report = io::read_json(here / "report.json");
  CHECK(report.at("boolq").at("train") == 1);
  CHECK(report.at("boolq").at("eval") == 2);
  CHECK(report.at("boolq").at("same") == 1);
  CHECK(report.at("boolq").at("pairs")[0].at("eval") == "boolq-val-0");
  CHECK(report.at("boolq").at("pairs")[0].at("train") == "boolq-train-0");
  CHECK(report.at("bbh_sums").at("train") == 0);
  const auto boolq = data::read_data_folder(here / "sets", "boolq");
  CHECK(boolq[0].eval[1].context == "A tree.");
  const std::string said = here.check_success("import", "--check sets --json again.json");
  CHECK(said.find("boolq                               1        2        1") != said.npos);
  CHECK(io::read_json(here / "again.json") == report);
  here.check_success("import", "--from archives --out one --tasks bbh --quiet");
  CHECK(data::tasks_in(here / "one") == std::vector<std::string>{"bbh_sums"});
}

TEST_CASE("what cannot be imported is said in one line, and nothing is written") {
  write("bad/RTE/train.jsonl", R"({"premise": "P", "hypothesis": "H", "label": "maybe"})");
  write("bad/RTE/val.jsonl", R"({"premise": "P", "hypothesis": "H", "label": "entailment"})");
  here.check_refusal("import", "--from bad --out sets2", 1,
                     "RTE/train.jsonl:1: 'label' is \"maybe\", none of those known");
  here.check_refusal("import", "--from bad --out sets2 --tasks boolq", 2,
                     "tasks: 'boolq' is not among those present: rte");
  fs::create_directory(here / "none");
  here.check_refusal("import", "--from none --out sets2", 1, "none: none of the folders MultiRC, BoolQ,");
  here.check_refusal("import", "--from bad --out bad", 2, "bad is there already");
  here.check_refusal("import", "--from bad", 2, "");
  here.check_refusal("import", "", 2, "say what to do");
  here.check_refusal("import", "--check none", 1, "no task here");
}
