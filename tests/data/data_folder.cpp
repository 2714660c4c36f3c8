#include "mor1e/data/data_folder.hpp"

#include "doctest/doctest.h"
#include "mor1e/core/error.hpp"
#include "mor1e/data/task_file.hpp"
#include "temporary_folder.hpp"

using namespace mor1e;
using namespace mor1e::data;

namespace {
example row(const std::string& id) {
  return parse_example(
      text(R"({"id":")", id, R"(","task":"t","context":"","question":"Q?","choices":["x","y"],"answer":0})"), "test");
}
}  // namespace

TEST_CASE("tasks are selected by name, in the order asked for") {
  const std::vector<std::string> present{"anli", "boolq", "rte"};
  CHECK(select_tasks(present, "") == present);
  CHECK(select_tasks(present, "rte,anli") == std::vector<std::string>{"rte", "anli"});
  CHECK_THROWS_WITH_AS(select_tasks(present, "boolq,qnli"),
                       "tasks: 'qnli' is not among those present: anli, boolq, rte", value_error);
  CHECK_THROWS_AS(select_tasks(present, "boolq,"), value_error);
  CHECK_THROWS_WITH_AS(select_tasks(present, "rte,rte"), "tasks: 'rte' is named twice", value_error);
}

TEST_CASE("a written folder is read back, and replaces what was there") {
  const temporary_folder scratch;
  const auto folder = scratch.path / "data";
  write_data_folder(folder, {{"old", {row("o")}, {row("o")}}});
  write_data_folder(folder, {{"b", {row("1"), row("2")}, {row("3")}}, {"a", {row("4")}, {row("5")}}});
  CHECK(tasks_in(folder) == std::vector<std::string>{"a", "b"});
  const auto tasks = read_data_folder(folder);
  REQUIRE(tasks.size() == 2);
  CHECK(tasks[1].name == "b");
  REQUIRE(tasks[1].train.size() == 2);
  CHECK(tasks[1].train[1].id == "2");
  CHECK(tasks[1].eval[0].id == "3");
  CHECK(read_data_folder(folder, "b").size() == 1);
  CHECK(read_data_folder(folder, "", splits::eval)[0].train.empty());
  CHECK(read_data_folder(folder, "", splits::train)[0].eval.empty());
}

TEST_CASE("a task without the split asked for is refused") {
  const temporary_folder scratch;
  write_data_folder(scratch.path / "data", {{"a", {}, {row("1")}}});
  CHECK(read_data_folder(scratch.path / "data", "", splits::eval).size() == 1);
  CHECK_THROWS_AS(read_data_folder(scratch.path / "data"), io_error);
}

TEST_CASE("folders without a task, and names that leave the folder") {
  const temporary_folder scratch;
  scratch.file("notes/readme.txt", "no task");
  CHECK_THROWS_AS(tasks_in(scratch.path), io_error);
  CHECK_THROWS_AS(tasks_in(scratch.path / "missing"), io_error);
  CHECK_THROWS_AS(write_data_folder(scratch.path / "data", {}), value_error);
  for (const char* name : {"", "..", "a/b"})
    CHECK_THROWS_AS(write_data_folder(scratch.path / "data", {{name, {row("1")}, {}}}), value_error);
  CHECK(!exists(scratch.path / "data"));
}
