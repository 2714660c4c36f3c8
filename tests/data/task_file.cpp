#include "mor1e/data/task_file.hpp"

#include <cstdlib>

#include "doctest/doctest.h"
#include "mor1e/core/error.hpp"
#include "mor1e/data/data_folder.hpp"
#include "temporary_folder.hpp"

using namespace mor1e;
using namespace mor1e::data;

namespace {
const std::string good = R"({"id":"a","task":"t","context":"","question":"Q?","choices":["x","y"],"answer":1})";

std::string refusal(const std::string& line) {
  try {
    parse_example(line, "f:3");
  } catch (const io_error& problem) {
    // Where to look is said of every row that is JSON.
    const std::string said = problem.what(), help = " (docs/data.md says how rows are written)";
    return said.ends_with(help)                       ? said.substr(0, said.size() - help.size())
           : said.find("not valid JSON") != said.npos ? said
                                                      : "";
  }
  return "";
}
}  // namespace

TEST_CASE("a row with choices") {
  const example row = parse_example(good, "f:1");
  CHECK(row.id == "a");
  CHECK(row.task == "t");
  CHECK(row.context == "");
  CHECK(row.question == "Q?");
  CHECK(row.choices == std::vector<std::string>{"x", "y"});
  CHECK(row.answers == std::vector<int>{1});
  CHECK(!row.is_instruction());
  CHECK(row.accepts(1));
  CHECK(!row.accepts(0));
}

TEST_CASE("a row with several right answers, and an instruction") {
  const example record = parse_example(
      R"({"id":"r","task":"record","context":"c","question":"q","choices":["x","y","z"],"answer":[2,0]})", "f:1");
  CHECK(record.answers == std::vector<int>{2, 0});
  CHECK(record.accepts(0));
  CHECK(!record.accepts(1));
  const example alpaca =
      parse_example(R"({"id":"i","task":"alpaca","instruction":"Do.","input":"This","output":"Done."})", "f:1");
  CHECK(alpaca.is_instruction());
  CHECK(alpaca.question == "Do.");
  CHECK(alpaca.context == "This");
  CHECK(alpaca.output == "Done.");
}

TEST_CASE("an id that is an integer, and a context or input that is missing, are what they plainly mean") {
  const auto parse = [](const std::string& line) { return parse_example(line, "f:1"); };
  const auto with_id = [&](const char* id) {
    return parse(text(R"({"id":)", id, R"(,"task":"t","question":"Q?","choices":["x","y"],"answer":1})"));
  };
  CHECK(with_id("7").id == "7");
  CHECK(with_id("-3").id == "-3");
  CHECK(with_id("18446744073709551615").id == "18446744073709551615");
  CHECK(with_id("7").context == "");
  CHECK(with_id("7").question == "Q?");
  CHECK(parse(R"({"id":1,"task":"t","context":null,"question":"Q?","choices":["x"],"answer":0})").context == "");
  const example order = parse(R"({"id":1,"task":"t","instruction":"Do.","output":"Done."})");
  CHECK(order.is_instruction());
  CHECK(order.context == "");
  CHECK(parse(R"({"id":1,"task":"t","instruction":"Do.","input":null,"output":"Done."})").context == "");
  // A table of both kinds of rows fills what a row lacks with null.
  CHECK_FALSE(
      parse(R"({"id":1,"task":"t","instruction":null,"question":"Q?","choices":["x"],"answer":0})").is_instruction());
}

TEST_CASE("a row may state its wording; foreign meta fields are left alone") {
  const std::string head = good.substr(0, good.size() - 1);
  const example stated = parse_example(head + R"(,"meta":{"template":"bare","answer":"text","span":3}})", "f:1");
  CHECK(stated.template_name == "bare");
  CHECK(stated.style == answer_style::text);
  CHECK(!parse_example(good, "f:1").style.has_value());
  CHECK(parse_example(head + R"(,"meta":null})", "f:1").template_name == "");
  CHECK(refusal(head + R"(,"meta":{"answer":"number"}})").find("'meta.answer'") != std::string::npos);
  CHECK(refusal(head + R"(,"meta":{"template":1}})") == "f:3: field 'meta.template' must be a string, found number");
}

TEST_CASE("what is written is read back") {
  for (
      const std::string& line :
      {good,
       std::string(
           R"({"id":"r","task":"t","context":"\u00e9\n\"","question":"q","choices":["x"],"answer":[0,0],"meta":{"template":"bare","answer":"letter"}})"),
       std::string(R"({"id":"i","task":"t","instruction":"I","input":"","output":"O"})")}) {
    const example row = parse_example(line, "f:1"), again = parse_example(to_line(row), "f:1");
    CHECK(again.id == row.id);
    CHECK(again.context == row.context);
    CHECK(again.question == row.question);
    CHECK(again.choices == row.choices);
    CHECK(again.answers == row.answers);
    CHECK(again.output == row.output);
    CHECK(again.template_name == row.template_name);
    CHECK(again.style == row.style);
  }
  example broken = parse_example(good, "f:1");
  broken.question = "\xff";
  CHECK_THROWS_WITH_AS(to_line(broken), "example a: its text is not UTF-8", io_error);
}

TEST_CASE("every malformed row is refused by place and field") {
  CHECK(refusal("{\"id\":").starts_with("f:3: not valid JSON at byte "));
  CHECK(refusal("\"\xff\"").starts_with("f:3: not valid JSON"));
  CHECK(refusal("[1]") == "f:3: a row must be a JSON object, found array");
  const auto row = [](const std::string& choices, const std::string& answer) {
    return R"({"id":"a","task":"t","context":"","question":"Q?","choices":)" + choices + R"(,"answer":)" + answer + "}";
  };
  CHECK(refusal(row("[\"x\",\"y\"]", "2")) == "f:3: field 'answer': index 2 is outside the 2 choices (0 to 1)");
  CHECK(refusal(row("[\"x\",\"y\"]", "-1")) == "f:3: field 'answer': index -1 is outside the 2 choices (0 to 1)");
  CHECK(refusal(row("[\"x\"]", "18446744073709551615")).find("index 18446744073709551615 is outside") !=
        std::string::npos);
  CHECK(refusal(row("[\"x\",\"y\"]", "[0,5]")) == "f:3: field 'answer': index 5 is outside the 2 choices (0 to 1)");
  CHECK(refusal(row("[\"x\"]", "[]")) == "f:3: field 'answer' is an empty list");
  CHECK(refusal(row("[\"x\"]", "0.0")) == "f:3: field 'answer' must be an integer or a list of integers, found number");
  CHECK(refusal(row("[\"x\"]", "\"A\"")) ==
        "f:3: field 'answer' must be an integer or a list of integers, found string");
  CHECK(refusal(row("[\"x\"]", "true")) ==
        "f:3: field 'answer' must be an integer or a list of integers, found boolean");
  CHECK(refusal(row("[]", "0")) == "f:3: field 'choices' is empty");
  CHECK(refusal(row("[\"x\",\"\"]", "0")) == "f:3: field 'choices': choice 1 is empty");
  CHECK(refusal(row("[\"x\",1]", "0")) == "f:3: field 'choices' must be a list of strings, found number");
  CHECK(refusal(row("\"xy\"", "0")) == "f:3: field 'choices' must be a list, found string");
  for (const std::string field : {"id", "task", "question", "choices", "answer"}) {
    std::string line = good;
    line.replace(line.find("\"" + field + "\""), 2, "\"_");  // the name is another one now
    CHECK(refusal(line) == "f:3: field '" + field + "' is missing");
  }
  CHECK(refusal(R"({"id":"i","task":"t","instruction":"I"})") == "f:3: field 'output' is missing");
  for (const auto& [id, kind] : {std::pair("7.0", "number"), {"true", "boolean"}, {"null", "null"}, {"[7]", "array"}})
    CHECK(refusal(text(R"({"id":)", id, R"(,"task":"t","instruction":"I","output":"O"})")) ==
          text("f:3: field 'id' must be a string or an integer, found ", kind));
  for (const char* field : {"input", "instruction", "output"}) {
    std::string line = R"({"id":"i","task":"t","instruction":"I","input":"N","output":"O"})";
    line.replace(line.find(field) + std::string_view(field).size() + 2, 3, "5");
    CHECK(refusal(line) == text("f:3: field '", field, "' must be a string, found number"));
  }
  CHECK(refusal(R"({"id":"i","task":"t","context":5,"question":"Q?","choices":["x"],"answer":0})") ==
        "f:3: field 'context' must be a string, found number");
}

TEST_CASE("files: line numbers, blank lines, line ends") {
  const temporary_folder folder;
  CHECK(read_task_file(folder.file("a.jsonl", good + "\r\n\n" + good)).size() == 2);
  const auto bad = folder.file("b.jsonl", good + "\n\n" + "{\n");
  CHECK_THROWS_WITH_AS(read_task_file(bad), (bad.string() + ":3: not valid JSON at byte 2").c_str(), io_error);
  const auto empty = folder.file("c.jsonl", "\n \n");
  CHECK_THROWS_WITH_AS(
      read_task_file(empty),
      (empty.string() + ": the file holds no example (docs/data.md says how rows are written)").c_str(), io_error);
  CHECK_THROWS_AS(read_task_file(folder.path / "none.jsonl"), io_error);
}

TEST_CASE("every row of the data folder named by MOR1E_DATA") {
  const char* given = std::getenv("MOR1E_DATA");
  if (!given || !*given) {
    MESSAGE("MOR1E_DATA is not set: skipped");
    return;
  }
  std::size_t rows = 0;
  const auto tasks = read_data_folder(given);
  for (const task_data& task : tasks) {
    for (const auto* split : {&task.train, &task.eval})
      for (const example& row : *split) {
        CHECK(row.task == task.name);
        CHECK((row.is_instruction() ? !row.output.empty() : row.accepts(row.answers.at(0))));
        ++rows;
      }
  }
  MESSAGE(tasks.size(), " tasks, ", rows, " rows");
}
