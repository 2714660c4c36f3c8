// The program evaluate, as a shell sees it.
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/cluster/intuition.hpp"
#include "mor1e/data/data_folder.hpp"
#include "mor1e/eval/statistics.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/peft/adapter_file.hpp"
#include "mor1e/train/intuition.hpp"
#include "programs/json_lines.hpp"
#include "programs/shell.hpp"

using namespace mor1e;
using testing::shell;

namespace {

const shell here;

nlohmann::json read(const std::string& name) { return io::read_json(here / name); }

std::vector<nlohmann::json> read_lines(const std::string& name) { return testing::read_json_lines(here / name); }

data::example question(const std::string& id, std::vector<std::string> choices, std::vector<int> answers) {
  data::example row;
  row.id = id, row.question = "Which is it, " + id + "?", row.choices = std::move(choices),
  row.answers = std::move(answers);
  return row;
}

/// Three tasks; "many" accepts every choice.
void write_data(const std::string& name) {
  data::task_data sure{"many", {}, {}}, few{"few", {}, {}}, free{"free", {}, {}};
  for (int i = 0; i < 5; ++i) {
    sure.eval.push_back(question("m" + std::to_string(i), {"a", "b", "c"}, {0, 1, 2}));
    few.eval.push_back(question("f" + std::to_string(i), {"yes", "no"}, {i % 2}));
  }
  data::example row;
  row.id = "x", row.question = "Say it.", row.output = "It.";
  free.eval = {row};
  for (auto* task : {&sure, &few, &free})
    for (auto& r : task->eval) r.task = task->name;
  data::write_data_folder(here / name, {sure, few, free});
}

/// A mixture on the toy model whose parameters are far from their start, with an intuition.
void save_mixture(const std::string& name, const std::string& embedder_hash, const std::string& embedder = "toy") {
  cpu device(1);
  const auto model = models::load<cpu, float>(device, "toy");
  peft::adapter_record record;
  record.spec = peft::preset("mor1e");
  record.spec.method.as<peft::mor1e>().experts = 3;
  auto set = peft::attach(*model, record.spec);
  rng random(1);
  for (auto* p : set.parameters()) {
    tensor<float> values(p->extents());
    for (float& v : values) v = float(0.1 * random.normal());
    p->write(values);
  }
  const std::vector<std::string> texts{"Which is it", "no", "Review: what a day"};
  train::intuition_recipe recipe;
  recipe.source = {
      embedder, {embedder_hash, "", ""}, 0, cluster::similarity::cosine, models::trigram_embedder().embed(texts)};
  record.base_model = "toy";
  record.base_sha256 = models::weights_hash("toy");
  record.intuition = train::to_json(recipe);
  record.centroids = recipe.source.centroids.clone();
  peft::save_adapter(here / name, set, record);
}

const std::string toy_hash = models::trigram_embedder().hash();

}  // namespace

TEST_CASE("evaluate: accuracies with intervals, one line an item, any allowed answer counts") {
  write_data("d");
  const std::string out =
      here.check_success("evaluate", "--model toy --data d --scoring both --log l.jsonl --json r.json --threads 2");
  CHECK(out.find("accuracy in per cent") != std::string::npos);
  CHECK(out.find("perplexity") != std::string::npos);
  const auto tasks = read("r.json")["report"]["tasks"];
  REQUIRE(tasks.size() == 3);
  const auto& many = tasks["many"]["accuracy"];
  CHECK(many["sum"]["accuracy"] == 1);
  CHECK(many["letter"]["accuracy"] == 1);
  CHECK(many["sum"]["low"].get<double>() == doctest::Approx(eval::wilson(5, 5).low));
  CHECK(tasks["many"]["chance"] == 1);
  CHECK(tasks["few"]["n"] == 5);
  CHECK(tasks["few"]["chance"] == 0.5);
  CHECK(tasks["few"]["majority"] == 0.6);
  CHECK(tasks["few"]["accuracy"]["sum"]["n"] == 5);
  CHECK(tasks["free"]["tokens"] == 4);
  CHECK(tasks["free"]["perplexity"].get<double>() == doctest::Approx(std::exp(tasks["free"]["loss"].get<double>())));

  const auto lines = read_lines("l.jsonl");
  REQUIRE(lines.size() == 11);
  int right = 0;
  for (const auto& line : lines)
    if (line["task"] == "few") right += line["right"]["letter"].get<bool>();
  CHECK(right == tasks["few"]["accuracy"]["letter"]["right"]);
  CHECK(here.check_success("evaluate", "--quiet --model toy --data d") == "");
}

TEST_CASE("evaluate: tasks, limit and scoring choose what is asked") {
  write_data("d");
  here.check_success("evaluate",
                     "--model toy --data d --tasks few,many --limit 2 --scoring letter --json r.json --log l.jsonl");
  const auto report = read("r.json")["report"];
  CHECK(report["tasks"].size() == 2);
  CHECK(report["all"]["n"] == 4);
  CHECK(report["all"]["accuracy"].contains("letter"));
  CHECK_FALSE(report["all"]["accuracy"].contains("sum"));
  CHECK(read_lines("l.jsonl").front()["id"] == "f0");  // in the order asked for
}

TEST_CASE("evaluate: the generated suite, the same for the same seed") {
  const auto items = [&](const std::string& options) {
    here.check_success("evaluate", "--model toy --data suite --tasks review,coref --limit 6 --log s.jsonl " + options);
    std::vector<std::string> sums;
    for (const auto& line : read_lines("s.jsonl")) {
      CHECK_FALSE(line.contains("letter"));  // these rows answer with a word
      sums.push_back(line["loglik"].dump());
    }
    return sums;
  };
  const auto first = items("");
  CHECK(first.size() == 12);
  CHECK(items("--batch-tokens 2048") == first);
  CHECK(items("--eval-seed 5") != first);
}

TEST_CASE("evaluate: an adapter, its intuition, and the same permuted") {
  write_data("d");
  save_mixture("mixture", toy_hash);
  const std::string common =
      "--model toy --data d --tasks few,many --scoring both --adapter mixture --json r.json --log l.jsonl ";
  here.check_success("evaluate", common);
  const auto plain = read("r.json");
  CHECK_FALSE(plain.contains("comparisons"));
  const auto logged = read_lines("l.jsonl");

  const std::string out = here.check_success("evaluate", common + "--intuition permuted --against-base --seed 3");
  const auto both = read("r.json");
  CHECK(both["report"] == plain["report"]);
  CHECK(both.contains("base"));
  CHECK(both.contains("permuted"));
  REQUIRE(both["comparisons"].size() == 4);  // two pairs, by text and by letter
  const auto& permuted = both["comparisons"][2];
  CHECK(permuted["of"] == "as trained -> permuted");
  CHECK(permuted["by"] == "sum");
  CHECK(permuted["all"]["n"] == 10);
  CHECK(permuted["all"]["answer_log_probability_before"] == plain["report"]["all"]["answer_log_probability"]);
  CHECK(permuted["all"]["answer_log_probability_after"] != plain["report"]["all"]["answer_log_probability"]);
  CHECK(out.find("as trained -> permuted: accuracy by sum") != std::string::npos);
  CHECK(out.find("did not move (p > 0.05): ") != std::string::npos);
  const auto lines = read_lines("l.jsonl");
  REQUIRE(lines.size() == 3 * logged.size());
  CHECK(lines.front()["scored"] == "base");
  CHECK(lines.front()["loglik"] != logged.front()["loglik"]);
  CHECK(lines.back()["scored"] == "permuted");
  for (std::size_t i = 0; i < logged.size(); ++i) CHECK(lines[logged.size() + i]["loglik"] == logged[i]["loglik"]);

  here.check_success("evaluate", common + "--intuition none");
  CHECK(read("r.json")["report"] != plain["report"]);
}

TEST_CASE("evaluate: what the routers do, in JSON, pictures and a table") {
  write_data("d");
  save_mixture("mixture", toy_hash);
  const std::string common = "--model toy --data d --scoring both --adapter mixture --json r.json ";
  here.check_success("evaluate", common);
  const auto plain = read("r.json")["report"];
  const std::string out = here.check_success("evaluate", common + "--routers looks/routers");
  CHECK(read("r.json")["report"] == plain);
  CHECK(out.find("effective experts") != std::string::npos);
  CHECK(out.find("looks/routers: routers.json") != std::string::npos);
  for (const char* picture : {"experts_by_task", "entropy_by_layer", "task_similarity"})
    CHECK(std::filesystem::exists(here / "looks" / "routers" / (picture + std::string(".svg.gp"))));
  const auto report = read("looks/routers/routers.json");
  CHECK(report["tasks"] == nlohmann::json{"few", "free", "many"});
  CHECK(report["items"] == nlohmann::json{5, 1, 5});
  REQUIRE(report["linears"].size() == 14);
  for (const auto& linear : report["linears"]) {
    double sum = 0;
    for (const auto& share : linear["load"]) sum += share.get<double>();
    CHECK(sum == doctest::Approx(1));
    CHECK(linear["update_norms"].size() == 3);
    CHECK(linear["by_task"]["weights"].size() == 3);
    CHECK(linear.contains("gate_a"));
  }
  CHECK(report["similarity"]["intuition"].size() == 3);

  // What is not asked for has no weight: other intuition, other weights.
  here.check_success("evaluate", common + "--routers none --intuition none");
  CHECK(read("none/routers.json")["linears"][0]["load"] != report["linears"][0]["load"]);
}

TEST_CASE("evaluate: what is asked wrongly is one line and exit code 2, what fails exit code 1") {
  write_data("d");
  const auto refuse = [&](const std::string& arguments, int code, const std::string& why) {
    here.check_refusal("evaluate", arguments, code, why);
  };
  refuse("--model toy", 2, "--data");
  refuse("--model toy --data d --tasks few,nope", 2, "'nope' is not among those present: few, free, many");
  refuse("--model toy --data suite --tasks nope", 2, "'nope' is not among those present: review");
  refuse("--model toy --data d --scoring words", 2, "scoring 'words' is unknown");
  refuse("--model toy --data d --template fancy", 2, "prompt template 'fancy' is unknown");
  refuse("--model toy --data d --limit 0", 2, "--limit");
  refuse("--model toy --data d --intuition none", 2, "need an --adapter");
  refuse("--model toy --data nowhere", 1, "nowhere");
  refuse("--model nowhere --data d", 1, "no model at nowhere");
  refuse("--model toy --data d --adapter nowhere", 1, "nowhere/adapter_config.json");
  std::filesystem::create_directories(here / "empty" / "task");
  io::write_text(here / "empty" / "task" / "eval.jsonl", "\n");
  refuse("--model toy --data empty", 1, "eval.jsonl");

  save_mixture("other", "hash-of-another");
  refuse("--model toy --data d --adapter other", 2, "hash-of-another");
  refuse("--model toy --data d --adapter other", 2, toy_hash);
  save_mixture("lost", toy_hash, "no-such-embedder");
  refuse("--model toy --data d --adapter lost", 1, "no-such-embedder");
  here.check_success("evaluate", "--model toy --data d --adapter lost --embedder toy");
  refuse("--model toy --data d --adapter lost --intuition shuffled", 2, "--intuition shuffled");

  cpu device(1);
  const auto model = models::load<cpu, float>(device, "toy");
  peft::adapter_record record;
  record.spec = peft::preset("lora");
  auto set = peft::attach(*model, record.spec);
  peft::save_adapter(here / "lora", set, record);
  refuse("--model toy --data d --adapter lora --routers looks", 2, "--routers: lora is lora: it has no experts");
  refuse("--model toy --data d --routers looks", 2, "--routers need an --adapter");

  data::task_data large{"large", {}, {question(std::string(1 << 16, 'x'), {"a"}, {0})}};
  large.eval[0].id = "much", large.eval[0].task = "large";
  data::write_data_folder(here / "long", {large});
  refuse("--model toy --data long", 2, "much has a sequence of ");
}
