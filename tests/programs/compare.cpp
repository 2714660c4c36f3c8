// compare: the same runs as finetune's, held against each other; stopped and gone on with.
#include <cstdint>
#include <filesystem>
#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/io/atomic_file.hpp"
#include "programs/process.hpp"
#include "programs/shell.hpp"

using namespace mor1e;

namespace {

namespace fs = std::filesystem;

const std::string terms = "--model toy --steps 3 --batch 10 --lr 1e-3 --threads 1 --quiet ";

/// The contestants of a report without what a clock says.
nlohmann::json timeless(const fs::path& file) {
  nlohmann::json all = nlohmann::json::parse(io::read_text(file)).at("models").at(0).at("contestants");
  for (auto& line : all) line.erase("step_ms"), line.erase("seconds");
  return all;
}

/// The run of a contestant, whose folder has a digest in its name.
fs::path run_of(const fs::path& out, const std::string& contestant, int seed) {
  for (const auto& folder : fs::directory_iterator(out / "runs")) {
    const std::string name = folder.path().filename();
    if (name.substr(0, name.rfind('-')) == contestant) return folder.path() / ("seed" + std::to_string(seed));
  }
  return {};
}

}  // namespace

TEST_CASE("contestants on equal terms, and gone on with after a stop") {
  const testing::shell here;
  const std::string all = terms + "--eval-limit 4 --seeds 2 --contestants lora,mor1e,mor1e+random ";
  here.check_success("compare", all + "--out whole");
  const nlohmann::json whole = timeless(here / "whole/compare.json");
  REQUIRE(whole.size() == 3);
  const double parameters = whole[0]["parameters"].get<double>();
  for (const auto& line : whole) {
    CAPTURE(line.dump());
    CHECK(line.at("scale") == nlohmann::json{0.5, 0.5});
    CHECK(line.at("parameters").get<double>() == doctest::Approx(parameters).epsilon(0.05));
    CHECK(line.at("against").size() == (line.at("label") == "lora" ? 0 : 2));
    CHECK(line.at("permuted").size() == (line.at("label") == "mor1e" ? 2 : 0));
    CHECK(line.at("tasks").size() == 5);
  }
  CHECK(io::read_text(here / "whole/compare.md").find("| mor1e+random | ") != std::string::npos);

  // Some contestants first, as if it had been stopped then; what is there is not run again.
  here.check_success("compare", terms + "--eval-limit 4 --seeds 2 --contestants lora,mor1e --out parts");
  const fs::path finished = run_of(here / "parts", "mor1e", 1);
  const auto before = fs::last_write_time(finished / "result.json");
  here.check_success("compare", all + "--out parts");
  CHECK(timeless(here / "parts/compare.json") == whole);
  CHECK(fs::last_write_time(finished / "result.json") == before);
  CHECK(!fs::exists(run_of(here / "parts", "lora", 1) / "checkpoint"));

  // Other terms are other runs, beside them.
  here.check_success("compare",
                     "--model toy --steps 3 --batch 10 --threads 1 --quiet --lr 0.1 --eval-limit 4 --seeds 1 "
                     "--contestants lora --out parts");
  CHECK(fs::last_write_time(finished / "result.json") == before);

  // A run is finetune's.
  here.check_success(
      "finetune",
      "--model toy --data suite --preset suite --steps 3 --lr 1e-3 --batch 10 --eval-limit 0 --threads 1 --quiet "
      "--method lora --out alone");
  CHECK(io::read_text(here / "alone/adapter/adapter_model.safetensors") ==
        io::read_text(run_of(here / "whole", "lora", 0) / "adapter/adapter_model.safetensors"));

  // The plan that it kept says the same again; a run of other data under the same name is refused.
  here.check_success("compare", "--plan whole/compare.plan.json --quiet --threads 1 --out again");
  CHECK(timeless(here / "again/compare.json") == whole);
  const fs::path record = run_of(here / "again", "lora", 0) / "run.json";
  nlohmann::json changed = nlohmann::json::parse(io::read_text(record));
  changed["settings"]["data"] = "of other rows";
  io::write_text(record, changed.dump());
  const auto refused = here.run("compare", "--plan whole/compare.plan.json --quiet --threads 1 --out again");
  CHECK(refused.code == 2);
  CHECK(refused.err.find("data") != std::string::npos);
  io::write_text(record, "{}");
  CHECK(here.run("compare", "--plan whole/compare.plan.json --quiet --threads 1 --out again").code == 1);
}

TEST_CASE("a matrix that is killed again and again comes to the same") {
  const testing::shell here;
  const std::string all =
      "--model toy --steps 12 --batch 10 --lr 1e-3 --threads 1 --quiet --eval-limit 2 --seeds 2 --checkpoint-every 1 "
      "--contestants lora,mor1e+experts=5 ";
  here.check_success("compare", all + "--out whole");
  int kills = 0;
  for (std::uintmax_t seen = 0; kills < 12; ++kills) {
    testing::process going(here, "compare", all + "--out killed");
    const bool further = going.wait_for([&] {
      std::uintmax_t bytes = 0;  // of all logs: some steps more than when the last was killed
      std::error_code gone;
      if (fs::exists(here / "killed/runs", gone))
        for (const auto& kind : fs::directory_iterator(here / "killed/runs", gone))
          for (const auto& seed : fs::directory_iterator(kind.path(), gone))
            if (const auto size = fs::file_size(seed.path() / "log.jsonl", gone); !gone) bytes += size;
      const bool grown = bytes > seen + 3000;
      if (grown) seen = bytes;
      return grown;
    });
    if (!further) break;
    going.kill();
  }
  CHECK(kills > 2);
  here.check_success("compare", all + "--out killed");
  CHECK(timeless(here / "killed/compare.json") == timeless(here / "whole/compare.json"));
}

TEST_CASE("two shares of a matrix join to the whole") {
  const testing::shell here;
  const std::string all = terms + "--eval-limit 4 --seeds 2 --contestants lora,mor1e+experts=5 ";
  here.check_success("compare", all + "--out whole");
  for (const char* part : {"1", "2"}) here.check_success("compare", all + "--part " + part + "/2 --out part" + part);
  CHECK(!fs::exists(here / "part1/compare.json"));
  CHECK(fs::exists(run_of(here / "part1", "lora", 0) / "run.json"));
  CHECK(!fs::exists(run_of(here / "part1", "mor1e+experts=5", 0) / "run.json"));
  here.check_success("compare", all + "--from part1,part2 --out joined");
  CHECK(timeless(here / "joined/compare.json") == timeless(here / "whole/compare.json"));
  CHECK(fs::last_write_time(run_of(here / "joined", "lora", 0) / "run.json") >
        fs::last_write_time(run_of(here / "part1", "lora", 0) / "run.json"));
  here.check_refusal("compare", all + "--from nowhere --out none", 1, "--from: 'nowhere' holds no runs");
}

TEST_CASE("each method at the learning rate that is best for it, on rows that nobody reports") {
  const testing::shell here;
  here.check_success("compare",
                     "--model toy --steps 6 --batch 10 --threads 1 --quiet --eval-limit 4 --seeds 1 --tune 1e-6,1e-2 "
                     "--dev-limit 8 --contestants lora,mor1e+experts=5,fixed:\\ mor1e+experts=4+lr=0.005 --out tuned");
  for (const auto& line : timeless(here / "tuned/compare.json")) {
    CAPTURE(line.dump());
    if (line.at("label") == "fixed") {
      CHECK(line.at("lr") == 0.005);
      CHECK(line.at("tuned").empty());
      continue;
    }
    REQUIRE(line.at("tuned").size() == 2);
    const auto& [slow, fast] = std::pair(line["tuned"][0], line["tuned"][1]);
    const auto score = [](const auto& of) {
      return std::pair(of.at("percent").template get<double>(), of.at("log_probability").template get<double>());
    };
    CHECK(line.at("lr") == (score(slow) < score(fast) ? 1e-2 : 1e-6));
  }
  // In shares: the rates are chosen when both have run theirs, and then the runs at them.
  const std::string all =
      "--model toy --steps 6 --batch 10 --threads 1 --quiet --eval-limit 4 --seeds 1 --tune 1e-6,1e-2 --dev-limit 8 "
      "--contestants lora,mor1e+experts=5 ";
  here.check_success("compare", all + "--out whole");
  for (const char* round : {"", "--from part1,part2 "})
    for (const char* part : {"1", "2"})
      here.check_success("compare", all + round + "--part " + part + "/2 --out part" + part);
  here.check_success("compare", all + "--part 2/2 --from part1,part2 --out joined");
  CHECK(timeless(here / "joined/compare.json") == timeless(here / "whole/compare.json"));
  here.check_refusal("compare", terms + "--tune 1e-3 --out none", 2, "--tune needs --dev-limit");
  here.check_refusal("compare", terms + "--dev-limit 4 --tune 1e-3,fast --out none", 2, "--tune: 'fast'");
}

TEST_CASE("their own scale and size") {
  const testing::shell here;
  here.check_success(
      "compare",
      terms + "--eval-limit 4 --seeds 1 --contestants lora,molora-release --own-scale --own-params --out own");
  const nlohmann::json all = timeless(here / "own/compare.json");
  CHECK(all[1]["size"] == "8 experts of rank 4");
  CHECK(all[1]["scale"][0].get<double>() == doctest::Approx(0.125));
}

TEST_CASE("a dry run counts and runs nothing") {
  const testing::shell here;
  io::write_text(here / "13b.json",
                 R"({"model_type": "llama", "hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40,
                     "num_attention_heads": 40, "num_key_value_heads": 40, "vocab_size": 32000,
                     "max_position_embeddings": 4096, "rms_norm_eps": 1e-5})");
  here.check_success("finetune",
                     "--model toy --data suite --steps 2 --batch 5 --eval-limit 0 --method lora --quiet "
                     "--threads 1 --out toy");
  const std::string said = here.check_success(
      "compare", "--dry-run --model 13b.json --data toy/data --preset paper --contestants lora,mor1e --flops 1e14");
  CHECK(said.find("llama of 13015864320 parameters") != std::string::npos);
  CHECK(said.find("| lora | rank 32 | 125173760 | 3 | 250347520 |") != std::string::npos);
  CHECK(said.find("hours at 1e+14 FLOP/s") != std::string::npos);
  CHECK(!fs::exists(here / "none"));

  // What it says of a step's memory is about what a run then takes: its micro-batches hold fewer tokens than the
  // largest might.
  const std::string toy = "--model toy --steps 2 --batch 20 --seeds 1 --contestants lora,mor1e+experts=5 --threads 1 ";
  here.check_success("compare", toy + "--quiet --dry-run --json cost.json");
  here.check_success("compare", toy + "--quiet --eval-limit 1 --out run");
  const nlohmann::json expected = nlohmann::json::parse(io::read_text(here / "cost.json")),
                       done = timeless(here / "run/compare.json");
  for (std::size_t i = 0; i < done.size(); ++i) {
    const nlohmann::json& cost = expected.at("models").at(0).at("contestants").at(i);
    CHECK(cost.at("parameters") == done[i].at("parameters"));
    const double ratio = cost.at("step_memory").get<double>() / done[i].at("step_memory").get<double>();
    CAPTURE(ratio);
    CHECK(ratio > 0.9);
    CHECK(ratio < 1.2);
  }
}

TEST_CASE("what is asked for otherwise is another run") {
  const testing::shell here;
  const std::string all = "--model toy --steps 3 --batch 10 --threads 1 --quiet --eval-limit 2 --seeds 1 ";
  for (const char* categories : {"review,flip;house,coref,compare", "review;flip,house,coref,compare"})
    for (const char* how :
         {"--contestants mor1e+experts=4 --intuition category ", "--contestants mor1e+experts=4+category "})
      here.check_success("compare", all + how + "--categories '" + categories + "' --out out");
  here.check_success("compare", all + "--contestants mor1e+experts=4 --out out");
  here.check_success("compare", all + "--contestants mor1e+experts=4 --seed 1 --out out");  // other rows, too
  here.check_success("compare", all + "--contestants 'lora+targets=q_proj;v_proj' --data suite-hard --out out");
  std::size_t runs = 0;
  for (const auto& kind : fs::directory_iterator(here / "out/runs"))
    runs += std::size_t(std::distance(fs::directory_iterator(kind.path()), fs::directory_iterator()));
  CHECK(runs == 7);
  io::write_text(here / "out/runs/notes.txt", "not a run");  // is not taken over
  here.check_success("compare", all + "--contestants mor1e+experts=4 --from out --out taken");
  CHECK(!fs::exists(here / "taken/runs/notes.txt"));
}

TEST_CASE("items that the tables cannot be about are refused before a step is trained") {
  const testing::shell here;
  const auto task = [&](const char* name, const char* row) {
    fs::create_directories(here / "data" / name);
    std::string rows;
    for (int i = 0; i < 6; ++i) rows += "{\"id\": " + std::to_string(i) + ", \"task\": \"t\", " + row + "}\n";
    for (const char* file : {"train.jsonl", "eval.jsonl"}) io::write_text(here / "data" / name / file, rows);
  };
  const char* choices = R"("question": "Which?", "choices": ["a", "b"], "answer": 1)";
  task("letters", choices);
  task("texts", R"("question": "Which?", "choices": ["a", "b"], "answer": 1, "meta": {"answer": "text"})");
  task("words", R"("instruction": "Say it.", "output": "It.")");
  const std::string all = "--model toy --data data --steps 2 --batch 3 --quiet --out none --contestants lora";
  here.check_refusal("compare", all + " --tasks words", 2, "none of 6 rows has choices");
  here.check_refusal("compare", all + " --unseen words", 2, "--score or --answer says what counts");
  here.check_refusal("compare", all + " --unseen words --answer text", 2, "--unseen words: none of its rows");
  here.check_refusal("compare", all + " --tasks texts --score letter", 2, "6 of 6 items are answered with a text");
  here.check_refusal("compare", all + ",mor1e+experts=2+category+unseen=texts --answer text", 2,
                     "is of task 'texts', which is in none of the 2 categories");
}

TEST_CASE("the plans that lie with the programs can be run") {
  const testing::shell here;
  for (const auto& plan : fs::directory_iterator(fs::path(MOR1E_SOURCE_DIR) / "examples/plans")) {
    CAPTURE(plan.path().string());
    const std::string said = here.check_success("compare", "--dry-run --model toy --plan " + plan.path().string());
    CHECK(said.find("| router and intuition | ") != std::string::npos);
  }
}

TEST_CASE("what cannot be compared is refused before anything is written") {
  const testing::shell here;
  const std::string good = "--model toy --steps 2 --batch 5 --quiet --out none ";
  here.check_refusal("compare", good + "--contestants lora,mor1e+luck", 2, "'luck' in mor1e+luck");
  here.check_refusal("compare", good + "--contestants nobody", 2, "method 'nobody' is not known");
  here.check_refusal("compare", good + "--contestants lora+no-router", 2, "--no-router is not an option of lora");
  here.check_refusal("compare", good + "--contestants lora,lora+random", 2, "lora+random reads no intuition");
  here.check_refusal("compare", good + "--contestants lora,mor1e+random+category", 2, "'category'");
  here.check_refusal("compare", good + "--contestants lora,mor1e+experts=none", 2, "mor1e+experts=none");
  here.check_refusal("compare", good + "--contestants lora,", 2, "names no method");
  here.check_refusal("compare", good + "--contestants 'N = 20: '", 2, "names no method");
  here.check_refusal("compare", good + "--contestants lora,lora", 2, "lora stands there twice");
  here.check_refusal("compare", good + "--contestants lora,mor1e+unseen=nothing", 2, "nothing");
  here.check_refusal("compare", good + "--contestants lora,mor1e+no-router+no-intuition", 2, "nothing weighs");
  here.check_refusal("compare", good + "--contestants lora,mor1e", 2, "22 clusters of 10 examples");
  here.check_refusal("compare", good + "--memory 1GB", 2, "--memory");
  here.check_refusal("compare", good + "--eval-limit 0", 2, "nothing to compare by");
  here.check_refusal("compare", good + "--part 3/2", 2, "there is no part 3 of 2");
  here.check_refusal("compare", good + "--score luck", 2, "--score luck is none of");
  here.check_refusal("compare", "--model toy --quiet", 2, "--out is needed");
  io::write_text(here / "plan.json", R"({"step": 3})");
  here.check_refusal("compare", good + "--plan plan.json", 1, "'step' is no option");
}
