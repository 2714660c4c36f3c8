#include "mor1e/data/overlap.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace mor1e::data;

namespace {
example row(const std::string& context, const std::string& question, std::vector<std::string> choices) {
  example out;
  out.context = context, out.question = question, out.choices = std::move(choices), out.answers = {0};
  return out;
}
}  // namespace

TEST_CASE("rows of an evaluation that were trained on") {
  const std::string passage =
      "The old lighthouse keeper walked down to the harbour every morning to count the boats, and "
      "when all of them had come home he lit the lamp and went to sleep.";
  const std::vector<example> train{row("", "What is red?", {"a rose", "the sky"}),
                                   row(passage, "Who walked?", {"no", "yes"}),
                                   row("", "Where is it?", {"here", "there"})};
  const auto found =
      overlaps(train, {row("", "what is RED", {"A rose.", "the sky"}),   // 0: the same words
                       row("", "Where is it?", {"here", "nowhere"}),     // 1: another choice
                       row(passage, "Who ran?", {"no", "yes"}),          // 2: one word
                       row("", "What is blue?", {"a rose", "the sky"}),  // 3: short, and another question
                       row("", "", {"x"})});
  REQUIRE(found.size() == 3);
  CHECK(found[0].how == meeting::same);
  CHECK(found[0].eval == 0);
  CHECK(found[0].train == 0);
  CHECK(found[1].how == meeting::question);
  CHECK(found[1].eval == 1);
  CHECK(found[1].train == 2);
  CHECK(found[2].how == meeting::near);
  CHECK(found[2].eval == 2);
  CHECK(found[2].train == 1);
  // 35 words are 33 sequences of three; the word that differs stands in three of either.
  CHECK(found[2].likeness == doctest::Approx(30.0 / 36.0));
  CHECK(found[2].likeness >= least_likeness);
  CHECK(overlaps({}, train).empty());
}

TEST_CASE("near rows are found as if every pair were compared") {
  // Ten texts of 60 words of eight, each with one or two words exchanged: much is shared, and nothing is rare.
  std::vector<example> train, eval;
  const std::string words[] = {"red", "green", "blue", "door", "house", "cat", "runs", "fast"};
  for (unsigned i = 0; i < 200; ++i) {
    std::string line;
    for (unsigned j = 0; j < 60; ++j)
      line += j == i % 60 || j == i % 7 * 8 ? "x " : words[(j * j * (i % 10 + 3) / 5 + j) % 8] + " ";
    (i / 10 % 2 ? train : eval).push_back(row(line, "q", {"a", "b"}));
  }
  std::size_t near = 0;
  for (const example& one : eval) {
    double best = 0;
    for (const example& other : train)
      for (const auto& each : overlaps({other}, {one})) best = std::max(best, each.likeness);
    const auto found = overlaps(train, {one});
    CHECK(found.size() == (best > 0 ? 1 : 0));
    if (!found.empty()) CHECK(found[0].likeness == best);
    near += found.size();
  }
  CHECK(near > 5);
  CHECK(near < eval.size());
}
