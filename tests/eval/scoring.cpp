// Scoring: against reference scores of a real model, and against the plain way of computing the same.
#include "mor1e/eval/scoring.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/core/rng.hpp"
#include "mor1e/data/suite.hpp"
#include "mor1e/eval/report.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/peft/adapter_file.hpp"
#include "mor1e/testing/golden.hpp"

using namespace mor1e;
using eval::metric;

namespace {

using scores = std::vector<eval::item_score>;

/// Toy items, whose choices have several tokens and one (of a byte tokenizer) under the template `release`.
std::vector<data::example> toy_items() {
  std::vector<data::example> items;
  const auto add = [&](const char* question, std::vector<std::string> choices, std::vector<int> answers) {
    data::example& row = items.emplace_back();
    row.id = text("toy-", items.size());
    row.task = items.size() % 2 ? "odd" : "even";
    row.question = question;
    row.choices = std::move(choices);
    row.answers = std::move(answers);
  };
  add("Which?", {"a", "bcd", "ef"}, {1});
  add("What is said of the sea, and of the land?", {"x", "y"}, {0});
  add("Who came first?", {"Anna called", "Tom", "nobody at all", "T"}, {1, 3});
  add("Why?", {"because", "so"}, {1});
  return items;
}

struct toy {
  cpu device{2};
  std::unique_ptr<models::language_model<cpu, float>> model = models::load<cpu, float>(device, "toy");
  texts::tokenizer tokenizer = models::open_tokenizer("toy");

  scores score(std::span<const data::example> items, eval::scoring_options options = {},
               view<const float> intuition = {}) {
    return eval::scorer<cpu, float>(device, *model, tokenizer, options).score(items, intuition);
  }
};

/// Sum of log-probabilities of `tail` after `prompt`, as one sequence, from all logits.
std::vector<double> alone(toy& t, std::vector<std::int32_t> prompt, const std::vector<std::int32_t>& tail,
                          bool& greedy) {
  const std::size_t begin = prompt.size();
  prompt.insert(prompt.end(), tail.begin(), tail.end());
  models::padded_batch batch;
  batch.input_ids = tensor<std::int32_t>(shape{1, index_t(prompt.size())});
  std::copy(prompt.begin(), prompt.end(), batch.input_ids.begin());
  batch.lengths = {index_t(prompt.size())};
  const auto logits = models::outputs_of(t.device, *t.model, batch).logits;
  const index_t wide = t.model->vocabulary();
  std::vector<double> out;
  greedy = true;
  for (std::size_t j = 0; j < tail.size(); ++j) {
    const float* z = logits.data() + index_t(begin + j - 1) * wide;
    double sum = 0;
    for (index_t k = 0; k < wide; ++k) sum += std::exp(double(z[k]));
    out.push_back(double(z[tail[j]]) - std::log(sum));
    greedy &= std::max_element(z, z + wide) - z == tail[j];
  }
  return out;
}

void check_same(const scores& ours, const scores& theirs, double tolerance) {
  REQUIRE(ours.size() == theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    CAPTURE(ours[i].id);
    CHECK(ours[i].id == theirs[i].id);
    REQUIRE(ours[i].loglik->choices.size() == theirs[i].loglik->choices.size());
    for (std::size_t c = 0; c < ours[i].loglik->choices.size(); ++c)
      CHECK(ours[i].loglik->choices[c].sum == doctest::Approx(theirs[i].loglik->choices[c].sum).epsilon(tolerance));
    for (const metric m : eval::metrics) CHECK(eval::is_right(ours[i], m) == eval::is_right(theirs[i], m));
    REQUIRE(ours[i].letter->logits.size() == theirs[i].letter->logits.size());
    for (std::size_t c = 0; c < ours[i].letter->logits.size(); ++c)
      CHECK(ours[i].letter->logits[c] == doctest::Approx(theirs[i].letter->logits[c]).epsilon(tolerance));
  }
}

/// Trained-like: every parameter of the adapter away from its start.
void disturb(peft::adapter_set<cpu, float>& set, std::uint64_t seed) {
  rng random(seed);
  for (auto* p : set.parameters()) {
    tensor<float> values(p->extents());
    for (float& v : values) v = float(0.1 * random.normal());
    p->write(values);
  }
}

}  // namespace

TEST_CASE("SmolLM2: log-probabilities, letters, picks and accuracies of the reference") {
  const auto file = testing::golden_folder() / "eval" / "golden.json";
  const char* path = std::getenv("MOR1E_SMOLLM2");
  if (!path || !*path || !std::filesystem::exists(file)) {
    MESSAGE("SKIPPED: set MOR1E_SMOLLM2 to the model, and MOR1E_GOLDEN to fixtures with eval/golden.json");
    return;
  }
  const nlohmann::json golden = io::read_json(file);
  cpu device;
  const auto model = models::load<cpu, float>(device, path);
  std::vector<data::example> items;
  for (const auto& stored : golden["items"]) {
    data::example& row = items.emplace_back();
    row.id = stored["id"];
    row.task = stored["task"];
    row.choices = stored["choices"].get<std::vector<std::string>>();
    row.answers = {stored["answer"].get<int>()};
    // The fixture has the prompt: what stands before "Answer:" is context and question of the template.
    const std::string prompt = stored["prompt"], mark = "Question: ", end = "\nAnswer:";
    const std::size_t at = prompt.rfind("Question: ");
    REQUIRE(at != std::string::npos);
    REQUIRE(prompt.ends_with(end));
    if (at > 0) row.context = prompt.substr(0, at - 1);
    row.question = prompt.substr(at + mark.size(), prompt.size() - end.size() - at - mark.size());
    CHECK(texts::render_prompt(row, {"plain", data::answer_style::text}) == prompt);
    CHECK(texts::render_prompt(row, {"plain", data::answer_style::letter}) == stored["letter_prompt"]);
  }
  const scores ours = eval::scorer<cpu, float>(device, *model, models::open_tokenizer(path)).score(items);
  REQUIRE(ours.size() > 0);

  double worst = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const auto& stored = golden["items"][i];
    CAPTURE(ours[i].id);
    const auto& loglik = *ours[i].loglik;
    for (std::size_t c = 0; c < loglik.choices.size(); ++c) {
      const auto& score = stored["scores"][c];
      const auto reference = score["logprobs"].get<std::vector<double>>();
      const auto& found = loglik.choices[c].log_probabilities;
      REQUIRE(found.size() == reference.size());
      CHECK(testing::violation(found.data(), reference.data(), index_t(reference.size()), {.atol = 1e-3}) == "");
      for (std::size_t j = 0; j < found.size(); ++j) worst = std::max(worst, std::fabs(found[j] - reference[j]));
      CHECK(std::fabs(loglik.choices[c].sum - score["sum"].get<double>()) < 1e-3 * double(reference.size()));
      CHECK(std::fabs(loglik.choices[c].mean - score["mean"].get<double>()) < 1e-3);
      CHECK(std::fabs(loglik.choices[c].per_byte - score["per_byte"].get<double>()) < 1e-3);
    }
    CHECK(loglik.pick_sum == stored["pick_sum"]);
    CHECK(loglik.pick_mean == stored["pick_mean"]);
    CHECK(loglik.pick_per_byte == stored["pick_per_byte"]);
    const auto& letter = *ours[i].letter;
    const auto logits = stored["letter_logits"].get<std::vector<double>>();
    REQUIRE(letter.logits.size() == logits.size());
    CHECK(testing::violation(letter.logits.data(), logits.data(), index_t(logits.size()), {.atol = 1e-3}) == "");
    CHECK(letter.pick == stored["pick_letter"]);
    CHECK(letter.greedy_token == stored["greedy_token"]);
    CHECK(letter.greedy == stored["greedy_letter"]);
  }
  std::cout << ours.size() << " items, largest difference of a log-probability " << worst << '\n';

  const eval::report report = eval::summarise(ours);
  const std::map<std::string, metric> named{{"sum", metric::sum},
                                            {"mean", metric::mean},
                                            {"per_byte", metric::per_byte},
                                            {"letter", metric::letter},
                                            {"greedy_letter", metric::greedy}};
  std::vector<eval::task_report> tasks = report.tasks;
  tasks.push_back(report.all);
  CHECK(tasks.size() == golden["accuracy"].size());
  for (const auto& task : tasks)
    for (const auto& [name, accuracy] : golden["accuracy"].at(task.task).items()) {
      CAPTURE(task.task);
      CAPTURE(name);
      CHECK(task.of(named.at(name)).rate() == accuracy.get<double>());
    }
}

TEST_CASE("a choice scores the same behind a shared prompt as in a sequence of its own") {
  toy t;
  const auto items = toy_items();
  for (const char* wording : {"plain", "release"}) {
    const scores shared = t.score(items, {.how = eval::scoring::both, .template_name = wording});
    for (std::size_t i = 0; i < items.size(); ++i) {
      CAPTURE(items[i].id);
      const texts::prompt_options as_text{wording, data::answer_style::text};
      const auto prompt = t.tokenizer.encode(texts::render_prompt(items[i], as_text));
      for (std::size_t c = 0; c < items[i].choices.size(); ++c) {
        bool greedy = false;
        const auto reference =
            alone(t, prompt, t.tokenizer.encode(texts::render_choice(items[i], int(c), as_text), false), greedy);
        const auto& found = shared[i].loglik->choices[c];
        CHECK(testing::violation(found.log_probabilities.data(), reference.data(), index_t(reference.size()),
                                 {.atol = 1e-5}) == "");
        CHECK(found.greedy == greedy);
        double sum = 0;
        for (const double p : reference) sum += p;
        CHECK(found.sum == doctest::Approx(sum).epsilon(1e-5));
        CHECK(found.mean == doctest::Approx(sum / double(reference.size())).epsilon(1e-5));
        const bool spaced = std::string(wording) == "plain";
        CHECK(found.per_byte == doctest::Approx(sum / double(items[i].choices[c].size() + spaced)).epsilon(1e-5));
      }
    }
  }
}

TEST_CASE("packing items together changes nothing, whatever the size of a pass or of its logits") {
  toy t;
  const auto items = toy_items();
  const scores together = t.score(items, {.how = eval::scoring::both});
  scores one_by_one;
  for (const auto& item : items)
    one_by_one.push_back(std::move(t.score({&item, 1}, {.how = eval::scoring::both}).front()));
  check_same(together, one_by_one, 1e-5);
  check_same(together, t.score(items, {.how = eval::scoring::both, .pass = {.tokens = 1}}), 1e-5);
  check_same(
      together,
      t.score(items, {.how = eval::scoring::both, .pass = {.tokens = 150, .logit_bytes = 3 * 257 * sizeof(float)}}),
      1e-5);
}

TEST_CASE("exact: what generation would write is recognised, and nothing else") {
  toy t;
  data::example row = toy_items().front();
  const auto prompt = t.tokenizer.encode(texts::render_prompt(row, {"release", data::answer_style::text}));
  // Three greedy tokens; the byte tokenizer makes any of them a choice, unless they are no text.
  models::generation<cpu, float> sequence(t.device, *t.model, index_t(prompt.size()) + 3);
  std::vector<std::int32_t> said;
  rng unused(0);
  auto next = sequence.push(prompt);
  for (int i = 0; i < 3; ++i) {
    said.push_back(models::choose_token(next, {}, unused));
    next = sequence.push({&said.back(), 1});
  }
  eval::branch_scorer<cpu, float> scorer(t.device, *t.model);
  auto other = said;
  other.back() = (other.back() + 1) % 257;
  const eval::branching asked{"greedy", prompt, {said, other, {said[0]}}, 0};
  int calls = 0;
  scorer.score({&asked, 1}, {}, [&](std::size_t, eval::branching_score&& score) {
    ++calls;
    const auto all_largest = [&](std::size_t c) {
      return std::all_of(score.branches[c].begin(), score.branches[c].end(),
                         [](const auto& token) { return token.largest; });
    };
    CHECK(score.greedy == said[0]);
    CHECK(all_largest(0));
    CHECK_FALSE(all_largest(1));
    CHECK(all_largest(2));
  });
  CHECK(calls == 1);
}

TEST_CASE("letters: the greedy token's letter whatever its case and space; several answers; no letter beyond Z") {
  toy t;
  const eval::item_encoder encoder(t.tokenizer, {.how = eval::scoring::letter, .template_name = "release"});
  data::example row = toy_items()[2];
  const auto said = [&](std::int32_t token) {
    eval::branching_score score;
    score.greedy = token;
    for (std::size_t c = 0; c < row.choices.size(); ++c) {
      score.first_logits.push_back(double(c));
      score.branches.push_back({{-double(c), false}});
    }
    eval::item_score item = encoder.begin(row);
    encoder.enter(row, 0, score, item);
    return item;
  };
  CHECK(said('B').letter->greedy == 1);
  CHECK(said('d').letter->greedy == 3);
  CHECK(said('E').letter->greedy == -1);  // there are four
  CHECK(said('\n').letter->greedy == -1);
  CHECK(said('B').letter->pick == 0);
  CHECK(said('B').letter->answer_log_probability == -1);
  CHECK(*eval::is_right(said('B'), metric::greedy));
  CHECK(*eval::is_right(said('D'), metric::greedy));
  CHECK_FALSE(*eval::is_right(said('A'), metric::greedy));
  CHECK_FALSE(*eval::is_right(said('A'), metric::letter));
  CHECK_FALSE(eval::is_right(said('A'), metric::sum).has_value());

  eval::branching_score even;
  even.branches.assign(row.choices.size(), {{-1, false}});
  even.first_logits.assign(row.choices.size(), 0);
  eval::item_score tied = encoder.begin(row);
  encoder.enter(row, 0, even, tied);
  CHECK(tied.letter->pick == 0);  // the first of equal ones

  row.choices.assign(30, "same");
  CHECK(encoder.encode(row, 0).front().branches.size() == texts::letter_count);
}

TEST_CASE("rows that say they answer with text are not asked for letters, unless told to") {
  toy t;
  auto items = toy_items();
  items[1].style = data::answer_style::text;
  const scores found = t.score(items);
  CHECK(found[0].letter.has_value());
  CHECK_FALSE(found[1].letter.has_value());
  CHECK(found[1].loglik.has_value());
  CHECK(t.score(items, {.how = eval::scoring::both})[1].letter.has_value());
  CHECK_FALSE(t.score(items, {.how = eval::scoring::letter})[0].loglik.has_value());
  CHECK_FALSE(t.score(items, {.how = eval::scoring::loglik})[0].letter.has_value());
}

TEST_CASE("instructions: the log-likelihood of the output with its end token") {
  toy t;
  data::example row;
  row.id = "i", row.task = "free", row.question = "Say it.", row.output = "It is said.";
  const scores found = t.score({&row, 1});
  auto tail = t.tokenizer.encode("It is said.", false);
  REQUIRE(t.tokenizer.eos().has_value());
  tail.push_back(*t.tokenizer.eos());
  bool greedy = false;
  double sum = 0;
  for (const double p : alone(t, t.tokenizer.encode("Say it.\n"), tail, greedy)) sum += p;
  CHECK(found[0].output->tokens == index_t(tail.size()));
  CHECK(found[0].output->log_probability == doctest::Approx(sum).epsilon(1e-5));
}

TEST_CASE("each item reads its own row of intuition") {
  toy t;
  const auto items = toy_items();
  auto adapters = peft::attach(*t.model, peft::mor1e{.experts = 4}, 3);
  disturb(adapters, 7);
  tensor<float> intuition_rows(shape{index_t(items.size()), 4});
  rng random(5);
  for (float& v : intuition_rows) v = float(random.normal());
  const eval::scoring_options options{.how = eval::scoring::both};
  const scores right = t.score(items, options, intuition_rows);
  tensor<float> reversed(intuition_rows.extents());
  for (index_t i = 0; i < intuition_rows.extents().rows(); ++i)
    std::copy_n(intuition_rows.data() + (intuition_rows.extents().rows() - 1 - i) * 4, 4, reversed.data() + i * 4);
  const scores permuted = t.score(items, options, reversed);
  for (std::size_t i = 0; i < items.size(); ++i) {
    CHECK(std::fabs(right[i].loglik->choices[0].sum - permuted[i].loglik->choices[0].sum) > 1e-4);
    CHECK(std::fabs(right[i].letter->logits[0] - permuted[i].letter->logits[0]) > 1e-4);
  }
  // An item alone with its row: the same as among the others.
  scores one_by_one;
  for (std::size_t i = 0; i < items.size(); ++i)
    one_by_one.push_back(std::move(
        t.score({&items[i], 1}, options, std::as_const(intuition_rows).matrix().row_range(index_t(i), 1)).front()));
  check_same(right, one_by_one, 1e-5);
  CHECK_THROWS_WITH_AS(t.score(items, options), doctest::Contains("this step has no intuition"), value_error);
  CHECK_THROWS_WITH_AS(t.score(items, options, std::as_const(intuition_rows).matrix().row_range(0, 2)),
                       doctest::Contains("4 items, 2 rows"), value_error);
}

TEST_CASE("what cannot be scored is refused by name") {
  toy t;
  auto items = toy_items();
  CHECK_THROWS_WITH_AS(t.score({}), doctest::Contains("no items"), value_error);
  items[2].answers.clear();
  CHECK_THROWS_WITH_AS(t.score(items), doctest::Contains("toy-3: no answer"), value_error);
  items = toy_items();
  const auto context = std::size_t(t.model->context());
  items[1].question = std::string(context, 'x');
  CHECK_THROWS_WITH_AS(t.score(items), doctest::Contains(("toy-2 has a sequence of ")), value_error);
  CHECK_THROWS_WITH_AS(t.score(items),
                       doctest::Contains(("context of the model is " + std::to_string(context)).c_str()), value_error);
  // Exactly the context is enough: the last token of a choice is not read. "Question: ", "\nAnswer:", " a".
  items.resize(1);
  items[0].choices = {"ab"};
  items[0].answers = {0};
  const std::size_t words = std::string("Question: \nAnswer: a").size();
  items[0].question = std::string(context - words, 'x');
  CHECK(t.score(items, {.how = eval::scoring::loglik}).size() == 1);
  items[0].question += 'x';
  CHECK_THROWS_AS(t.score(items, {.how = eval::scoring::loglik}), value_error);
  eval::branch_scorer<cpu, float> scorer(t.device, *t.model);
  const auto refuse = [&](const eval::branching& b, const char* why) {
    CHECK_THROWS_WITH_AS(scorer.score({&b, 1}, {}, [](std::size_t, eval::branching_score&&) {}), doctest::Contains(why),
                         value_error);
  };
  refuse({"no prompt", {}, {{1}}, 0}, "no prompt");
  refuse({"nothing", {1}, {}, 0}, "nothing");
  refuse({"empty", {1}, {{1}, {}}, 0}, "has no token");
  refuse({"large", {1}, {{2}, {257}}, 0}, "large has token 257");
  CHECK_THROWS_WITH_AS(eval::scoring_named("words"), doctest::Contains("letter, loglik, both, rows"), value_error);
}
