// docs/data.md: every row on the page is one that we read, with the fields it tells of, and its Python works.
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/data/data_folder.hpp"
#include "mor1e/data/task_file.hpp"
#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/testing/temporary_folder.hpp"
#include "mor1e/text/prompt.hpp"

using namespace mor1e;
using namespace mor1e::data;

namespace {

const std::string page = io::read_text(MOR1E_SOURCE_DIR "/docs/data.md");

/// The blocks of a language.
std::vector<std::string> blocks(const std::string& language) {
  std::vector<std::string> out;
  const std::string fence = "```" + language + "\n";
  for (std::size_t at = page.find(fence); at != page.npos; at = page.find(fence, at)) {
    at += fence.size();
    out.push_back(page.substr(at, page.find("```", at) - at));
  }
  return out;
}

std::vector<std::string> lines() {
  std::vector<std::string> out;
  for (const std::string& block : blocks("json")) {
    std::istringstream all(block);
    for (std::string line; std::getline(all, line);) out.push_back(line);
  }
  return out;
}

}  // namespace

TEST_CASE("every row on the page is read, and every field in one has a line in a table") {
  const std::vector<std::string> rows = lines();
  REQUIRE(rows.size() >= 6);
  int instructions = 0, several = 0;
  for (const std::string& line : rows) {
    CAPTURE(line);
    const example row = parse_example(line, "docs/data.md");
    instructions += row.is_instruction();
    several += row.answers.size() > 1;
    const nlohmann::json fields = nlohmann::json::parse(line);
    for (const auto& field : fields.items())
      CHECK_MESSAGE(page.find("`" + field.key() + "`") != page.npos, field.key());
  }
  CHECK(instructions >= 2);
  CHECK(several >= 1);
}

TEST_CASE("the words of the templates are those on the page") {
  const example row =
      parse_example(R"({"id":"w","task":"t","context":"C","question":"Q","choices":["X","Y"],"answer":0})", "here");
  for (const texts::prompt_template& format : texts::prompt_templates) {
    std::string line = text("| `", format.name, "`");
    const std::size_t at = page.find(line, page.find("| template | letter | text |"));
    REQUIRE(at != page.npos);
    line = page.substr(at, page.find('\n', at) - at);
    if (format.is_chat()) {  // around the prompt of `bare`
      auto [prompt, target, ends] = texts::render(row, {std::string(format.name), answer_style::letter});
      const std::string bare = texts::render(row, {"bare", answer_style::letter}).prompt;
      REQUIRE(prompt.find(bare) != prompt.npos);
      prompt.replace(prompt.find(bare), bare.size(), "#");
      std::string cell = "`";
      for (const char c : prompt) cell += c == '\n' ? "⏎" : c == '|' ? "\\|" : c == '#' ? "…" : std::string(1, c);
      cell += "` then `" + target + "`";
      CHECK_MESSAGE(line.find(cell) != line.npos, cell);
      continue;
    }
    for (const answer_style style : {answer_style::letter, answer_style::text}) {
      const auto [prompt, target, ends] = texts::render(row, {std::string(format.name), style});
      std::string cell = "`";
      for (const char c : prompt) cell += c == '\n' ? "⏎" : std::string(1, c);
      cell += "` then `" + target + "`";
      CHECK_MESSAGE(line.find(cell) != line.npos, cell);
    }
  }
}

TEST_CASE("the Python of the page makes a folder that we read") {
  const testing::temporary_folder scratch;
  const auto scripts = blocks("python");
  REQUIRE(scripts.size() == 1);
  io::write_text(scratch / "make.py", scripts[0]);
  std::string table = "question,a,b,right\n";
  for (int i = 0; i < 21; ++i) table += text("\"What, é, is \"\"", i, "\"\"?\",x", i, ",y,", i % 3 ? "a" : "b", "\n");
  io::write_text(scratch / "table.csv", table);
  REQUIRE(std::system(text("cd '", scratch.path().string(), "' && python3 make.py").c_str()) == 0);
  const auto tasks = read_data_folder(scratch / "my_data");
  REQUIRE(tasks.size() == 1);
  CHECK(tasks[0].name == "mine");
  REQUIRE(tasks[0].eval.size() == 3);
  REQUIRE(tasks[0].train.size() == 18);
  CHECK(tasks[0].train[0].id == "1");
  CHECK(tasks[0].train[0].question == "What, é, is \"1\"?");
  CHECK(tasks[0].train[0].choices == std::vector<std::string>{"x1", "y"});
  CHECK(tasks[0].train[0].answers == std::vector<int>{0});
  CHECK(tasks[0].eval[0].answers == std::vector<int>{1});
}
