#include "mor1e/text/prompt.hpp"

#include <cstdlib>
#include <map>

#include <nlohmann/json.hpp>

#include "doctest/doctest.h"
#include "mor1e/core/error.hpp"
#include "mor1e/data/data_folder.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/testing/golden.hpp"

using namespace mor1e;
using namespace mor1e::texts;
using data::answer_style;

// Literals are assigned as std::string: GCC 12 warns of an overlapping copy (-Wrestrict) where there is none.
namespace {
data::example question(const std::string& context) {
  data::example row;
  row.id = std::string("q1");
  row.context = context;
  row.question = std::string("Is it?");
  row.choices = {"no", "yes it is"};
  row.answers = {1, 0};
  return row;
}
}  // namespace

TEST_CASE("plain, by letter and by text, with and without a context") {
  const rendered_prompt letter = render(question("Some text."));
  CHECK(letter.prompt == "Some text.\nQuestion: Is it?\nA. no\nB. yes it is\nAnswer:");
  CHECK(letter.target == " B");
  CHECK(!letter.ends);
  const rendered_prompt words = render(question(""), {.template_name = "plain", .style = answer_style::text});
  CHECK(words.prompt == "Question: Is it?\nAnswer:");
  CHECK(words.target == " yes it is");
  CHECK(render_choice(question(""), 0, {.template_name = "", .style = answer_style::text}) == " no");
}

TEST_CASE("release: the answer stands on its own line") {
  const rendered_prompt found = render(question("Some text."), {.template_name = "release", .style = {}});
  CHECK(found.prompt == "Some text.\nIs it?\nA. no\nB. yes it is\nAnswer:\n");
  CHECK(found.target == "B");
}

TEST_CASE("a row states its own wording, an option overrides it") {
  data::example row = question("");
  row.question = std::string("Review: The villa was ugly.\nGive the label.");
  row.template_name = std::string("bare");
  row.style = answer_style::text;
  CHECK(render(row).prompt == "Review: The villa was ugly.\nGive the label.\nAnswer:");
  CHECK(render(row).target == " yes it is");
  CHECK(render(row, {.template_name = "", .style = answer_style::letter}).target == " B");
  CHECK(render(row, {.template_name = "plain", .style = {}}).prompt ==
        "Question: Review: The villa was ugly.\nGive the label.\nAnswer:");
}

TEST_CASE("instructions: the input has a line if there is one, and the answer ends") {
  data::example row;
  row.question = std::string("Add the numbers.");
  row.output = std::string("3");
  CHECK(render(row).prompt == "Add the numbers.\n");
  row.context = std::string("1 and 2");
  const rendered_prompt found = render(row);
  CHECK(found.prompt == "Add the numbers.\n1 and 2\n");
  CHECK(found.target == "3");
  CHECK(found.ends);
}

TEST_CASE("a chat puts what is asked into the user's turn, and an embedder sees that alone") {
  const auto chat = [](const char* name) { return prompt_options{.template_name = name, .style = {}}; };
  const std::string asked = "Some text.\nIs it?\nA. no\nB. yes it is\nAnswer:";
  const auto check = [&](const char* name, const std::string& prompt, const char* target) {
    CAPTURE(name);
    const rendered_prompt found = render(question("Some text."), chat(name));
    CHECK(found.prompt == prompt);
    CHECK(found.target == target);
    CHECK(render_instance(question("Some text."), chat(name)) == asked);
  };
  check("inst", "[INST] " + asked + " [/INST]", " B");
  check("chatml", "<|im_start|>user\n" + asked + "<|im_end|>\n<|im_start|>assistant\n", "B");
  check("zephyr", "<|user|>\n" + asked + "</s>\n<|assistant|>\n", "B");
  check("phi", "Instruct: " + asked + "\nOutput:", " B");

  data::example row;
  row.question = std::string("Add the numbers.");
  row.context = std::string("1 and 2");
  row.output = std::string("3");
  CHECK(render(row, chat("phi")).prompt == "Instruct: Add the numbers.\n1 and 2\nOutput:");
  CHECK(render(row, chat("phi")).target == " 3");
  CHECK(render(row, chat("chatml")).target == "3");
  CHECK(render(row, chat("plain")).target == "3");
  CHECK(render_prompt(row, chat("bare")) == render_instance(row, chat("bare")));
  CHECK(template_names() == "plain, release, bare, inst, chatml, zephyr, phi");
}

TEST_CASE("letters end at Z") {
  data::example row = question("");
  row.choices.assign(30, "c");
  row.answers = {25};
  const rendered_prompt found = render(row);
  CHECK(found.target == " Z");
  CHECK(found.prompt.ends_with("Y. c\nZ. c\nAnswer:"));
  row.answers = {26};
  CHECK_THROWS_WITH_AS(render(row), "example q1: choice 26 is beyond the 26 letters", value_error);
  CHECK(render(row, {.template_name = "", .style = answer_style::text}).target == " c");
}

TEST_CASE("what does not exist is refused") {
  CHECK_THROWS_WITH_AS(find_template("fancy"),
                       "prompt template 'fancy' is unknown; there are: plain, release, bare, inst, chatml, zephyr, phi",
                       value_error);
  CHECK_THROWS_AS(render_choice(question(""), 2), value_error);
  CHECK_THROWS_AS(render_choice(question(""), -1), value_error);
}

TEST_CASE("the prompts of the scoring fixtures") {
  const auto fixture = mor1e::testing::golden_folder() / "eval" / "golden.json";
  const char* folder = std::getenv("MOR1E_DATA");
  if (!folder || !*folder || !exists(fixture)) {
    MESSAGE("MOR1E_DATA or ", fixture.string(), " is missing: skipped");
    return;
  }
  std::map<std::string, data::example> rows;
  for (data::task_data& task : data::read_data_folder(folder, "", data::splits::eval))
    for (data::example& row : task.eval) rows.emplace(row.id, std::move(row));
  const nlohmann::json items = io::read_json(fixture).at("items");
  REQUIRE(!items.empty());
  for (const auto& item : items) {
    const data::example& row = rows.at(item.at("id").get<std::string>());
    CHECK(render_prompt(row, {.template_name = "", .style = answer_style::text}) ==
          item.at("prompt").get<std::string>());
    CHECK(render_prompt(row) == item.at("letter_prompt").get<std::string>());
  }
}
