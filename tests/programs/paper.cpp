// The programs of the paper's tables and figures, each in its quick form.
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/io/atomic_file.hpp"
#include "programs/shell.hpp"

using namespace mor1e;
namespace fs = std::filesystem;

namespace {

/// One folder for all: what a program has run, the others find.
const testing::shell here;

struct program_case {
  std::string name, options;
  std::vector<std::string> labels;  ///< of its contestants
  std::vector<std::string> said;    ///< words of its report
  std::vector<std::string> pictures;
};

std::vector<program_case> programs() {
  return {
      {"table1",
       "",
       {"LoRA", "no reference", "task category", "intuition", "random"},
       {"77.40", "Gemma 2B"},
       {"table1"}},
      {"table2", "", {"LoRA", "MoLoRA", "SiRA", "Intuition-MoR1E"}, {"75.96", "TinyLlama 1B"}, {"table2"}},
      {"table3", "--embedder Ada=toy", {"none", "toy", "Ada"}, {"80.98"}, {"table3"}},
      {"table4",
       "--drops 2 --dropped 2",
       {"LoRA (drop A)", "Intuition-MoR1E (drop A)"},
       {"| OOD | without", "59.71"},
       {}},
      {"table5", "", {"neither (LoRA)", "intuition alone", "rank-1 alone", "both"}, {"79.84"}, {"table5"}},
      {"table6", "--experts 3,9", {"LoRA", "N = 3", "N = 9"}, {"83.48 / 0.63", "per cent of the base"}, {"table6"}},
      {"table7", "", {"LoRA r=32", "Rank-1 N=20", "mix 4x8"}, {"ms a step", "Mistral-7B, counted"}, {}},
      {"figure1", "", {"LoRA", "MoR1E N=20"}, {"gains over LoRA", "+11.54"}, {"figure1-gain", "figure1-parameters"}},
      {"figure5",
       "",
       {"LoRA", "MoLoRA", "Intuition-MoR1E"},
       {"| method | coref (12) | compare (12) | average |"},
       {"figure5"}},
  };
}

/// What it prints; on stderr is its progress.
std::string report_of(const testing::shell& in, const std::string& program, const std::string& arguments) {
  const testing::outcome got = in.run("paper/" + program, arguments);
  CAPTURE(arguments);
  CAPTURE(got.err);
  REQUIRE(got.code == 0);
  return got.out;
}

}  // namespace

TEST_CASE("every table and figure, on the toy model and the generated suite") {
  for (const program_case& p : programs()) {
    CAPTURE(p.name);
    const std::string said = report_of(here, p.name, "--quick --threads 1 --steps 4 " + p.options + " --out out");
    const fs::path base = here / "out" / p.name;
    CHECK(io::read_text(base.string() + ".md") == said);
    const nlohmann::json report = nlohmann::json::parse(io::read_text(base.string() + ".json"));
    const std::string csv = io::read_text(base.string() + ".csv"), tex = io::read_text(base.string() + ".tex");
    CHECK(csv.starts_with("model,label,contestant,"));
    CHECK(tex.find("\\begin{tabular}") != std::string::npos);
    for (const std::string& label : p.labels) {
      CAPTURE(label);
      bool found = false;
      for (const auto& c : report.at("models").at(0).at("contestants")) found |= c.at("label") == label;
      CHECK(found);
      CHECK(csv.find("," + label + ",") != std::string::npos);
    }
    for (const std::string& words : p.said) {
      CAPTURE(words);
      CHECK(said.find(words) != std::string::npos);
    }
    for (const std::string& picture : p.pictures) {
      CAPTURE(picture);
      CHECK(fs::exists(here / "out" / (picture + ".svg.gp")));
      CHECK(said.find("(" + picture + ".svg)") != std::string::npos);
    }
  }
  // LoRA at the size and scale of all was run once for tables 1, 2 and 5.
  int times = 0;
  for (const auto& folder : fs::directory_iterator(here / "out/runs"))
    times += folder.path().filename().string().starts_with("lora-");
  CHECK(times == 3);  // and at its own size for tables 6 and 7, and with two tasks unseen for figure 5
}

TEST_CASE("categories of the paper's own sets, and drops that do not depend on the seed") {
  const testing::shell folder;
  for (const char* task : {"wic", "winogrande", "boolq", "csqa"})
    for (const char* file : {"train.jsonl", "eval.jsonl"}) {
      std::string lines;
      for (int i = 0; i < 30; ++i)
        lines += nlohmann::json{{"id", task + std::to_string(i)},
                                {"task", task},
                                {"context", ""},
                                {"question", task + std::to_string(i)},
                                {"choices", {"yes", "no"}},
                                {"answer", i % 2}}
                     .dump() +
                 "\n";
      fs::create_directories(folder / "data" / task);
      io::write_text(folder / "data" / task / file, lines);
    }
  const std::string terms = "--model toy --data data --steps 2 --batch 4 --eval-limit 2 --seeds 1 --threads 1 ";
  const std::string said = report_of(folder, "table1", terms + "--out out");
  CHECK(said.find("Categories of this run: wic,winogrande;boolq,csqa.") != std::string::npos);
  const auto drops = [&](const std::string& seed) {
    const std::string all =
        report_of(folder, "table4", terms + "--drops 2 --dropped 1 --seed " + seed + " --out drops" + seed);
    return all.substr(all.find("- Drop A"), 60);
  };
  CHECK(drops("1") == drops("2"));
  folder.check_refusal("paper/figure5", terms + "--out none", 2, "--eval-data");
  folder.check_refusal("paper/figure5", terms + "--eval-data data --out none", 2, "boolq is trained on");
  fs::create_directories(folder / "zero");
  fs::copy(folder / "data/wic", folder / "zero/tense", fs::copy_options::recursive);
  const std::string zero = report_of(folder, "figure5", terms + "--eval-data zero --contestants lora --out shot");
  CHECK(zero.find("| method | tense (2) | average |") == std::string::npos);  // one task is the overview's
  CHECK(zero.find("toy: 2 items") != std::string::npos);
  folder.check_refusal("paper/table4", terms + "--contestants lora --out none", 2, "table4 has its own");
  folder.check_refusal("paper/table3", terms + "--embedder Ada --out none", 2, "--embedder Ada is not NAME=EMBEDDER");
}
