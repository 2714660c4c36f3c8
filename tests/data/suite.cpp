#include "mor1e/data/suite.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <utility>

#include "doctest/doctest.h"
#include "mor1e/core/error.hpp"
#include "mor1e/data/suite_words.hpp"
#include "mor1e/data/task_file.hpp"
#include "mor1e/text/prompt.hpp"
#include "temporary_folder.hpp"

using namespace mor1e;
using namespace mor1e::data;

namespace {

bool every_word(std::string_view) { return true; }

std::set<std::string> words_of(const std::string& line) {
  std::set<std::string> words;
  std::string word;
  for (char c : line + " ") {
    if (std::isalpha(static_cast<unsigned char>(c)))
      word += c;
    else if (!word.empty())
      words.insert(std::exchange(word, ""));
  }
  return words;
}

const suite_family& family_named(std::string_view name) {
  for (const char* suite : {"suite", "suite-hard"})
    for (const suite_family& family : suite_families(suite))
      if (family.name == name) return family;
  throw value_error("no such family");
}

bool contains(std::span<const std::string_view> list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

/// The rule of the reviews, read from the text: a good adjective praises unless the line negates it.
bool praises(const std::string& line) {
  const auto words = words_of(line);
  const bool negated = words.count("not") || words.count("anything") || words.count("Hardly");
  const bool good =
      std::any_of(words.begin(), words.end(), [](const std::string& w) { return contains(suite_words::positive, w); });
  return good != negated;
}

}  // namespace

TEST_CASE("three words of ten are held out, as counted for the published figures") {
  // Numbers of held-out words: 9 and 12 adjectives, 9 of 40 nouns, 10 of 40 names, 3 of 10 pairs.
  const suite_pools eval = pools_of(suite_split::eval, every_word), train = pools_of(suite_split::train, every_word);
  CHECK(eval.positive.size() == 9);
  CHECK(eval.negative.size() == 12);
  CHECK(eval.nouns.size() == 9);
  CHECK(eval.women.size() + eval.men.size() == 10);
  CHECK(eval.comparatives.size() == 3);
  CHECK(train.positive.size() == 32 - 9);
  CHECK(train.negative.size() == 32 - 12);
  CHECK(train.nouns.size() == 31);
  CHECK(train.women.size() + train.men.size() == 30);
  CHECK(train.comparatives.size() == 7);
  CHECK(held_out("Anna") == held_out("anna"));
}

TEST_CASE("no word of a pool is used in both splits") {
  const auto held = [](const std::string& word) {
    const bool listed = contains(suite_words::women, word) || contains(suite_words::men, word) ||
                        contains(suite_words::positive, word) || contains(suite_words::negative, word) ||
                        std::any_of(std::begin(suite_words::domains), std::end(suite_words::domains),
                                    [&](const auto& d) { return contains(d.nouns, word); }) ||
                        std::any_of(std::begin(suite_words::kinds), std::end(suite_words::kinds),
                                    [&](const auto& k) { return contains(k.words, word); });
    return listed ? (held_out(word) ? 1 : 0) : -1;
  };
  std::set<std::string> prompts;
  std::size_t items = 0;
  std::vector<task_data> all = make_suite(every_word);
  for (task_data& task : make_suite(every_word, {}, suite_families("suite-hard"))) all.push_back(std::move(task));
  for (const task_data& task : all) {
    CHECK(task.train.size() == 240);
    CHECK(task.eval.size() == 60);
    for (const auto& [rows, expected] : {std::pair(&task.train, 0), std::pair(&task.eval, 1)})
      for (const example& row : *rows) {
        prompts.insert(row.question);
        ++items;
        // The first line holds the pool words; a question may name "play" or "watch" in no other role.
        for (const std::string& word : words_of(row.question.substr(0, row.question.find('\n'))))
          CHECK_MESSAGE((held(word) == -1 || held(word) == expected), word);
      }
  }
  CHECK(prompts.size() == items);  // within a split and across
}

TEST_CASE("labels are balanced exactly, names stand first as often as second") {
  for (const suite_family& family : suite_families("suite"))
    for (suite_split split : {suite_split::train, suite_split::eval}) {
      std::map<int, int> given;
      const auto rows = suite_examples(family, split, 240, 3, every_word);
      for (const example& row : rows) ++given[row.answers[0]];
      const int labels = int(rows[0].choices.size());
      for (int label = 0; label < labels; ++label)
        if (family.balanced)
          CHECK(given[label] == 240 / labels);
        else
          CHECK(std::abs(given[label] - 120) < 5 * 8);  // five standard deviations of a fair coin
    }
}

TEST_CASE("review, flip and house answer by the feeling") {
  for (const example& row : suite_examples(family_named("review"), suite_split::train, 200, 1, every_word)) {
    CHECK(row.choices == std::vector<std::string>{"positive", "negative"});
    CHECK(row.accepts(praises(row.question) ? 0 : 1));
  }
  for (const example& row : suite_examples(family_named("flip"), suite_split::train, 200, 1, every_word))
    CHECK(row.accepts(praises(row.question) ? 1 : 0));
  for (const example& row : suite_examples(family_named("house"), suite_split::train, 200, 1, every_word)) {
    REQUIRE(row.choices.size() == 8);
    const auto words = words_of(row.question);
    const auto& domain = suite_words::domains[row.answers[0] / 2];
    CHECK(std::any_of(words.begin(), words.end(), [&](const std::string& w) { return contains(domain.nouns, w); }));
    CHECK(row.choices[std::size_t(row.answers[0])] == (praises(row.question) ? domain.good : domain.bad));
  }
}

TEST_CASE("coref answers with the name the pronoun fits") {
  for (const example& row : suite_examples(family_named("coref"), suite_split::train, 200, 1, every_word)) {
    const bool she = words_of(row.question).count("she") > 0;
    const std::string& answer = row.choices[std::size_t(row.answers[0])];
    const std::string& other = row.choices[std::size_t(1 - row.answers[0])];
    CHECK(contains(suite_words::women, answer) == she);
    CHECK(contains(suite_words::women, other) != she);
    CHECK(row.question.starts_with(row.choices[0] + " "));
  }
}

TEST_CASE("compare answers with the first name unless the antonym is asked") {
  for (const example& row : suite_examples(family_named("compare"), suite_split::train, 200, 1, every_word)) {
    const std::size_t line = row.question.find('\n');
    const std::string asked =
        row.question.substr(line + 8, row.question.size() - line - 9);  // between "Who is " and "?"
    const bool same = row.question.find(" is " + asked + " than ") != std::string::npos;
    CHECK(row.answers[0] == (same ? 0 : 1));
    CHECK(row.choices[0] != row.choices[1]);
  }
}

TEST_CASE("the hard families answer by rules that their text does not state, or states last") {
  const auto kind_of = [](const std::string& word) {
    for (const auto& kind : suite_words::kinds)
      if (contains(kind.words, word)) return std::string(kind.name);
    return std::string();
  };
  const auto between = [](const std::string& all, const std::string& from, const std::string& to) {
    const std::size_t at = all.find(from) + from.size();
    return all.substr(at, all.find(to, at) - at);
  };
  const auto split_words = [](const std::string& line) {  // with repetitions
    std::vector<std::string> out{""};
    for (const char c : line)
      if (c == ' ' || c == ',')
        out.emplace_back();
      else
        out.back() += c;
    return out;
  };
  const auto number_of = [](const auto& all, const std::string& one) {
    return int(std::find(all.begin(), all.end(), one) - all.begin());
  };
  for (const suite_split split : {suite_split::train, suite_split::eval}) {
    for (const example& row : suite_examples(family_named("twist"), split, 200, 1, every_word)) {
      const auto words = words_of(row.question);
      bool plain = false;
      for (const int d : {0, 2})
        plain |= std::any_of(words.begin(), words.end(),
                             [&](const std::string& w) { return contains(suite_words::domains[d].nouns, w); });
      CHECK(row.choices == std::vector<std::string>{"yes", "no"});
      CHECK(row.accepts(praises(row.question) == plain ? 0 : 1));
    }
    for (const example& row : suite_examples(family_named("kind"), split, 400, 1, every_word)) {
      int of_kind = 0;
      for (const std::string& word : split_words(row.question.substr(0, row.question.find('.'))))
        of_kind += kind_of(word) == row.choices[std::size_t(row.answers[0])];
      CHECK(of_kind == 2);
    }
    for (const example& row : suite_examples(family_named("pick_kind"), split, 400, 1, every_word)) {
      const std::string kind = kind_of(row.choices[std::size_t(row.answers[0])]);
      int matching = 0;
      for (const auto& each : suite_words::kinds)
        if (row.question.ends_with(text(" ", each.asked, "?")) ||
            row.question.ends_with(text(" ", each.meaning, "."))) {
          ++matching;
          CHECK(kind == each.name);
        }
      CHECK(matching == 1);
    }
    const std::vector<std::string> places{"first", "second", "third", "fourth", "fifth", "last"};
    for (const example& row : suite_examples(family_named("pick_place"), split, 400, 1, every_word)) {
      const std::string asked = row.question.substr(row.question.find('\n'));
      for (int i = 0; i < 6; ++i)
        if (asked.find(places[std::size_t(i)]) != std::string::npos) CHECK(row.accepts(i));
    }
    for (const example& row : suite_examples(family_named("pick_next"), split, 400, 1, every_word)) {
      const bool after = row.question.find(" after ") != std::string::npos;
      const int named = number_of(row.choices, between(row.question, after ? " after " : " before ", "."));
      const int apart = row.question.find(" two places ") != std::string::npos ? 2 : 1;
      CHECK(row.accepts(named + (after ? apart : -apart)));
    }
  }
  CHECK_THROWS_AS(suite_families("suite-easy"), value_error);
}

TEST_CASE("the suite is a function of its seed, and a data folder keeps its wording") {
  const auto& family = family_named("review");
  const auto rows = suite_examples(family, suite_split::eval, 20, 7, every_word);
  const auto again = suite_examples(family, suite_split::eval, 20, 7, every_word),
             other = suite_examples(family, suite_split::eval, 20, 8, every_word);
  CHECK(to_line(rows[19]) == to_line(again[19]));
  CHECK(to_line(rows[0]) + to_line(rows[1]) + to_line(rows[2]) !=
        to_line(other[0]) + to_line(other[1]) + to_line(other[2]));

  const temporary_folder scratch;
  write_data_folder(scratch.path / "suite", make_suite(every_word, {.train_items = 8, .eval_items = 8}));
  const auto read = read_data_folder(scratch.path / "suite");
  CHECK(read.size() == suite_families().size());
  for (const task_data& task : read)
    for (const example& row : task.eval) {
      const auto found = texts::render(row);
      CHECK(found.prompt == row.question + "\nAnswer:");
      CHECK(found.target == " " + row.choices[std::size_t(row.answers[0])]);
    }
}

TEST_CASE("answers are one token, or the family is refused") {
  const auto short_names = [](std::string_view word) { return word.size() <= 4; };
  for (const example& row : suite_examples(family_named("coref"), suite_split::train, 50, 1, short_names))
    for (const std::string& name : row.choices) CHECK(name.size() <= 4);
  CHECK_THROWS_WITH_AS(suite_examples(family_named("review"), suite_split::train, 5, 1, short_names),
                       "suite: family review: the answer 'positive' is not one token", value_error);
  CHECK_THROWS_AS(
      suite_examples(family_named("compare"), suite_split::train, 5, 1, [](std::string_view) { return false; }),
      value_error);
  CHECK_THROWS_WITH_AS(suite_examples(family_named("compare"), suite_split::eval, 5000, 1, every_word),
                       "suite: family compare gives only 1080 of 5000 different eval items", value_error);
}
