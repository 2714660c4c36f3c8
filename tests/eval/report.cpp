// Reports: what is counted, and how two scorings of the same items are compared.
#include "mor1e/eval/report.hpp"

#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace mor1e;
using namespace mor1e::eval;

namespace {

/// An item of four choices scored by text: picks `sum` and `mean`; right is `answer`.
item_score item(const std::string& task, int number, int answer, int sum, int mean, bool exact = false,
                double log_probability = -1) {
  item_score out;
  out.id = task + "-" + std::to_string(number);
  out.task = task;
  out.choices = 4;
  out.answers = {answer};
  out.loglik.emplace();
  out.loglik->pick_sum = sum;
  out.loglik->pick_mean = out.loglik->pick_per_byte = mean;
  out.loglik->exact = exact;
  out.loglik->answer_log_probability = log_probability;
  return out;
}

}  // namespace

TEST_CASE("accuracies, chance and majority of each task and of all") {
  std::vector<item_score> items{item("b", 0, 1, 1, 2, true, -2), item("b", 1, 1, 1, 1, false, -4),
                                item("a", 0, 3, 0, 3), item("b", 2, 0, 1, 0)};
  items[2].answers = {3, 2};  // either is right
  items[0].letter.emplace();
  items[0].letter->pick = 1;
  const report found = summarise(items);
  REQUIRE(found.tasks.size() == 2);
  const task_report &b = found.tasks[0], &a = found.tasks[1];
  CHECK(b.task == "b");  // in the order of first items
  CHECK(b.items == 3);
  CHECK(b.of(metric::sum).hits == 2);
  CHECK(b.of(metric::sum).count == 3);
  CHECK(b.of(metric::mean).hits == 2);
  CHECK(b.of(metric::exact).hits == 1);
  CHECK(b.of(metric::letter).hits == 1);
  CHECK(b.of(metric::letter).count == 1);
  CHECK(b.of(metric::greedy).hits == 0);
  CHECK(b.format.hits == 0);
  CHECK(b.format.count == 1);
  CHECK(b.chance == doctest::Approx(0.25));
  CHECK(b.majority == doctest::Approx(2.0 / 3));
  CHECK(*b.answer_log_probability == doctest::Approx(-7.0 / 3));
  CHECK(a.chance == doctest::Approx(0.5));
  CHECK(a.of(metric::letter).count == 0);
  CHECK(found.all.items == 4);
  CHECK(found.all.of(metric::sum).hits == 2);
  CHECK(found.all.chance == doctest::Approx(1.25 / 4));

  const interval range = b.of(metric::sum).range();
  CHECK(range.low == wilson(2, 3).low);
  const auto json = to_json(found);
  CHECK(json["tasks"]["b"]["accuracy"]["sum"]["accuracy"].get<double>() == doctest::Approx(2.0 / 3));
  CHECK(json["tasks"]["b"]["accuracy"]["sum"]["high"].get<double>() == range.high);
  CHECK(json["tasks"]["b"]["chance"].get<double>() == doctest::Approx(0.25));
  CHECK_FALSE(json["tasks"]["a"]["accuracy"].contains("letter"));
  CHECK(json["all"]["n"] == 4);
  const std::string lines = table(found);
  CHECK(lines.find("66.7 [21, 94]") != std::string::npos);
  CHECK(lines.find("\nall") != std::string::npos);
  CHECK_THROWS_AS(summarise({}), value_error);
}

TEST_CASE("instructions have a loss per token, and no accuracy") {
  std::vector<item_score> items(2);
  items[0].id = "x", items[1].id = "y";
  items[0].task = items[1].task = "free";
  items[0].output = {3, -6};
  items[1].output = {1, -4};
  const report found = summarise(items);
  CHECK(found.all.output_loss == doctest::Approx(2.5));  // a mean over tokens, not over items
  CHECK(found.all.output_tokens == 4);
  CHECK(found.all.choice_items == 0);
  const auto json = to_json(found)["all"];
  CHECK(json["perplexity"].get<double>() == doctest::Approx(std::exp(2.5)));
  CHECK_FALSE(json.contains("accuracy"));
  CHECK(table(found).find("12.182") != std::string::npos);
  CHECK(headlines(items).empty());
  CHECK_THROWS_WITH_AS(compare(items, items, metric::sum), doctest::Contains("no item was scored by sum"), value_error);
}

TEST_CASE("paired: won, lost, the test, and what did not move") {
  std::vector<item_score> before, after;
  // "up" gains 8 and loses 1; "flat" gains 2 and loses 2 and has 3 right both times.
  for (int i = 0; i < 10; ++i) {
    before.push_back(item("up", i, 0, i == 0 ? 0 : 1, 0, false, -3));
    after.push_back(item("up", i, 0, i >= 2 ? 0 : 1, 0, false, -1));
  }
  for (int i = 0; i < 7; ++i) {
    before.push_back(item("flat", i, 0, i < 5 ? 0 : 1, 0));
    after.push_back(item("flat", i, 0, i < 3 || i >= 5 ? 0 : 1, 0));
  }
  const comparison found = compare(before, after, metric::sum);
  REQUIRE(found.tasks.size() == 2);
  const pairing& up = found.tasks[0];
  CHECK(up.won == 8);
  CHECK(up.lost == 1);
  CHECK(up.before == 1);
  CHECK(up.after == 8);
  CHECK(up.p == mcnemar_exact(1, 8));
  CHECK(*up.log_probability_before == doctest::Approx(-3));
  CHECK(*up.log_probability_after == doctest::Approx(-1));
  CHECK(found.tasks[1].won == 2);
  CHECK(found.tasks[1].lost == 2);
  CHECK(found.all.items == 17);
  CHECK(found.all.won == 10);
  CHECK(found.unmoved() == std::vector<std::string>{"flat"});
  CHECK(table(found).ends_with("did not move (p > 0.05): flat\n"));
  CHECK(to_json(found)["unmoved"] == nlohmann::json{"flat"});
  CHECK(to_json(found)["tasks"]["up"]["lost"] == 1);

  // Items that were not asked in this way take no part, and a task of such items neither.
  auto with_free = before;
  with_free.emplace_back();
  with_free.back().task = "free";
  with_free.back().output = {1, -1};
  CHECK(compare(with_free, with_free, metric::sum).tasks.size() == 2);
  after[1].loglik.reset();
  CHECK(compare(before, after, metric::sum).tasks[0].items == 9);
  CHECK(headlines(before) == std::vector{metric::sum});
  after[3].id = "another";
  CHECK_THROWS_WITH_AS(compare(before, after, metric::sum),
                       doctest::Contains("item 3 is up-3 of up before and another"), value_error);
  after.pop_back();
  CHECK_THROWS_WITH_AS(compare(before, after, metric::sum), doctest::Contains("17 items against 16"), value_error);
}

TEST_CASE("an item as one line") {
  item_score one = item("t", 1, 2, 2, 0, true, -0.5);
  one.loglik->choices.resize(4);
  const auto json = to_json(one);
  CHECK(json["id"] == "t-1");
  CHECK(json["answer"] == 2);
  CHECK(json["loglik"]["pick_sum"] == 2);
  CHECK(json["right"]["sum"] == true);
  CHECK(json["right"]["mean"] == false);
  CHECK(json["right"]["exact"] == true);
  CHECK_FALSE(json.contains("letter"));
  CHECK(json.dump().find('\n') == std::string::npos);
  one.answers = {2, 3};
  CHECK(to_json(one)["answer"] == nlohmann::json{2, 3});
}
