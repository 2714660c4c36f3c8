// Official files in small, made up for the purpose, and what is said of damaged ones.
#include "mor1e/data/releases.hpp"

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/core/error.hpp"
#include "mor1e/io/atomic_file.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;
using namespace mor1e::data;
namespace fs = std::filesystem;

namespace {

struct archives {
  mor1e::testing::temporary_folder folder;

  void write(const std::string& path, const std::string& content) {
    fs::create_directories((folder.path() / path).parent_path());
    io::write_text(folder.path() / path, content);
  }
  std::vector<task_data> read_all(std::string_view task) {
    for (const release& each : releases())
      if (each.task == task) return read_release(folder.path(), each);
    FAIL("no such set");
    return {};
  }
  task_data read(std::string_view task) {
    auto all = read_all(task);
    REQUIRE(all.size() == 1);
    return all[0];
  }
  /// What is wrong, from the name of the file on.
  std::string refusal(std::string_view task) {
    try {
      read_all(task);
    } catch (const io_error& problem) {
      const std::string said = problem.what();
      return said.substr(folder.path().string().size() + 1);
    }
    return "";
  }
};

void check_row(const example& row, const std::string& context, const std::string& question,
               const std::vector<std::string>& choices, const std::vector<int>& answers) {
  CHECK(row.context == context);
  CHECK(row.question == question);
  CHECK(row.choices == choices);
  CHECK(row.answers == answers);
}

}  // namespace

TEST_CASE("SuperGLUE: train.jsonl and val.jsonl of each set") {
  archives in;
  for (const char* split : {"train", "val"}) {
    const auto file = [&](const char* set) { return std::string(set) + "/" + split + ".jsonl"; };
    in.write(file("BoolQ"), R"({"question": "is it red", "passage": "A red door.", "idx": 7, "label": true}
{"question": "is it blue", "passage": "A red door.", "idx": 8, "label": false}
)");
    in.write(
        file("COPA"),
        R"({"premise": "It rained.", "choice1": "Wet.", "choice2": "Dry.", "question": "effect", "label": 0, "idx": 0}
{"premise": "It is wet.", "choice1": "Sun.", "choice2": "Rain.", "question": "cause", "label": 1, "idx": 1})");
    in.write(file("RTE"), R"({"premise": "P", "hypothesis": "H", "label": "not_entailment", "idx": 0})");
    in.write(
        file("WiC"),
        R"({"word": "bank", "sentence1": "The bank of a river.", "sentence2": "A bank lends.", "label": false, "start1": 4, "end1": 8, "start2": 2, "end2": 6, "idx": 0})");
    in.write(
        file("WSC"),
        R"({"text": "Ann met Bea when she left.", "target": {"span1_index": 0, "span1_text": "Ann", "span2_index": 4, "span2_text": "she"}, "idx": 0, "label": true}
{"text": "She saw that she fell.", "target": {"span1_index": 0, "span1_text": "She", "span2_index": 1, "span2_text": "she"}, "idx": 1, "label": false})");
    in.write(
        file("MultiRC"),
        R"({"idx": 0, "version": 1.1, "passage": {"text": "T", "questions": [{"idx": 0, "question": "Q?", "answers": [{"text": "a", "idx": 0, "label": 1}, {"text": "b", "idx": 1, "label": 0}]}]}})");
    in.write(
        file("ReCoRD"),
        R"({"source": "x", "passage": {"text": "Zoë met Ben. Zoë left.", "entities": [{"start": 0, "end": 2}, {"start": 8, "end": 10}, {"start": 13, "end": 15}]}, "qas": [{"query": "@placeholder left", "answers": [{"start": 13, "end": 15, "text": "Zoë"}, {"start": 0, "end": 2, "text": "Zoë"}], "idx": 0}], "idx": 0})");
  }
  const task_data boolq = in.read("boolq");
  REQUIRE(boolq.train.size() == 2);
  REQUIRE(boolq.eval.size() == 2);
  CHECK(boolq.train[1].id == "boolq-train-1");
  CHECK(boolq.eval[0].id == "boolq-val-0");
  CHECK(boolq.eval[0].task == "boolq");
  check_row(boolq.eval[0], "A red door.", "is it red", {"no", "yes"}, {1});
  const task_data copa = in.read("copa");
  check_row(copa.eval[0], "It rained.", "What happened as a result?", {"Wet.", "Dry."}, {0});
  check_row(copa.eval[1], "It is wet.", "What was the cause of this?", {"Sun.", "Rain."}, {1});
  check_row(in.read("rte").eval[0], "P", "H", {"entailment", "not_entailment"}, {1});
  check_row(in.read("wic").eval[0], "The bank of a river.\nA bank lends.",
            "Does the word \"bank\" have the same meaning in both sentences?", {"no", "yes"}, {0});
  const task_data wsc = in.read("wsc");
  check_row(wsc.eval[0], "Ann met Bea when *she* left.", "Does the pronoun \"*she*\" refer to \"Ann\"?", {"no", "yes"},
            {1});
  CHECK(wsc.eval[1].context == "She saw that *she* fell.");
  const task_data multirc = in.read("multirc");
  REQUIRE(multirc.eval.size() == 2);
  check_row(multirc.eval[0], "T", "Q?\nCandidate answer: a", {"no", "yes"}, {1});
  check_row(multirc.eval[1], "T", "Q?\nCandidate answer: b", {"no", "yes"}, {0});
  check_row(in.read("record").eval[0], "Zoë met Ben. Zoë left.", "@placeholder left", {"Zoë", "Ben", "Zoë"}, {0, 2});

  std::vector<std::string> found;
  for (const release& each : releases_in(in.folder.path())) found.emplace_back(each.task);
  CHECK(found == std::vector<std::string>{"multirc", "boolq", "wic", "wsc", "rte", "copa", "record"});
}

TEST_CASE("sets of questions with choices") {
  archives in;
  const std::string stem =
      R"({"id": "q1", "question": {"stem": "S?", "choices": [{"text": "x", "label": "A"}, {"text": "y", "label": "B"}]}, "answerKey": "B"})";
  for (const char* file :
       {"OpenBookQA-V1-Sep2018/Data/Main/train.jsonl", "OpenBookQA-V1-Sep2018/Data/Main/test.jsonl",
        "commonsenseqa/train_rand_split.jsonl", "commonsenseqa/dev_rand_split.jsonl",
        "ARC-V1-Feb2018-2/ARC-Easy/ARC-Easy-Train.jsonl", "ARC-V1-Feb2018-2/ARC-Easy/ARC-Easy-Test.jsonl",
        "ARC-V1-Feb2018-2/ARC-Challenge/ARC-Challenge-Train.jsonl",
        "ARC-V1-Feb2018-2/ARC-Challenge/ARC-Challenge-Test.jsonl"})
    in.write(file, stem + "\r\n\n");
  for (const char* task : {"obqa", "csqa", "arc_easy", "arc_challenge"}) {
    CAPTURE(task);
    check_row(in.read(task).eval[0], "", "S?", {"x", "y"}, {1});
  }
  CHECK(in.read("arc_easy").eval[0].id == "arc_easy-test-q1");

  for (const char* file : {"winogrande_1.1/train_xl.jsonl", "winogrande_1.1/dev.jsonl"})
    in.write(file, R"({"qID": "w", "sentence": "A _ b.", "option1": "x", "option2": "y", "answer": "2"})");
  check_row(in.read("winogrande").eval[0], "", "A _ b.", {"x", "y"}, {1});

  for (const char* round : {"R1", "R2", "R3"})
    for (const char* split : {"train", "test"})
      in.write(std::string("anli_v1.0/") + round + "/" + split + ".jsonl",
               R"({"uid": "u", "context": "C", "hypothesis": "H", "label": "c", "reason": ""})");
  const task_data anli = in.read("anli");
  REQUIRE(anli.eval.size() == 3);
  CHECK(anli.eval[2].id == "anli-test-R3-0");
  check_row(anli.eval[0], "C", "H", {"entailment", "neutral", "contradiction"}, {2});

  for (const char* file : {"hellaswag/hellaswag_train.jsonl", "hellaswag/hellaswag_val.jsonl"})
    in.write(
        file,
        R"({"ind": 1, "activity_label": "a", "ctx_a": "x", "ctx_b": "y", "ctx": "x y", "split": "val", "endings": ["1", "2", "3", "4"], "label": 3})");
  check_row(in.read("hellaswag").eval[0], "", "x y", {"1", "2", "3", "4"}, {3});

  for (const char* split : {"train", "dev"}) {
    in.write(
        std::string("physicaliqa-train-dev/") + split + ".jsonl",
        "{\"goal\": \"G\", \"sol1\": \"x\", \"sol2\": \"y\"}\n{\"goal\": \"G2\", \"sol1\": \"x\", \"sol2\": \"y\"}\n");
    in.write(std::string("physicaliqa-train-dev/") + split + "-labels.lst", "1\n0\n");
    in.write(std::string("socialiqa-train-dev/") + split + ".jsonl",
             R"({"context": "C", "question": "Q?", "answerA": "x", "answerB": "y", "answerC": "z"})");
    in.write(std::string("socialiqa-train-dev/") + split + "-labels.lst", "3\n");
  }
  check_row(in.read("piqa").eval[0], "", "G", {"x", "y"}, {1});
  check_row(in.read("piqa").eval[1], "", "G2", {"x", "y"}, {0});
  check_row(in.read("siqa").eval[0], "C", "Q?", {"x", "y", "z"}, {2});
}

TEST_CASE("MMLU, Alpaca and BIG-Bench Hard") {
  archives in;
  in.write("mmlu/data/val/law_val.csv", "Why?,a,b,c,d,D\n");
  in.write("mmlu/data/test/law_test.csv", "\"One, \"\"two\"\",\nthree?\",a,\"b, c\",,d,B\nNext?,1,2,3,4,A\n");
  in.write("mmlu/data/test/art_test.csv", "Who?,1,2,3,4,C\r\n");
  const task_data mmlu = in.read("mmlu");
  REQUIRE(mmlu.eval.size() == 3);
  check_row(mmlu.eval[0], "", "Who?", {"1", "2", "3", "4"}, {2});
  CHECK(mmlu.eval[0].id == "mmlu-test-art_test-0");
  check_row(mmlu.eval[1], "", "One, \"two\",\nthree?", {"a", "b, c", "", "d"}, {1});

  in.write("alpaca/alpaca_data.json", R"([{"instruction": "Do.", "input": "This", "output": "Done."}])");
  const task_data alpaca = in.read("alpaca");
  CHECK(alpaca.eval.empty());
  CHECK(alpaca.train[0].is_instruction());
  CHECK(alpaca.train[0].question == "Do.");
  CHECK(alpaca.train[0].output == "Done.");

  std::string choices, free;
  for (int i = 0; i < 6; ++i) {
    choices += text(i ? ", " : "", R"({"input": "Q)", i, R"(", "target": ")", i % 2 ? "(B)" : "(A)", "\"}");
    free += text(i ? ", " : "", R"({"input": "Q)", i, R"(", "target": ")", i, "\"}");
  }
  in.write("bbh/logic.json", "{\"canary\": \"x\", \"examples\": [" + choices + "]}");
  in.write("bbh/counting.json", "{\"examples\": [" + free + "]}");
  const auto bbh = in.read_all("bbh");
  REQUIRE(bbh.size() == 2);
  CHECK(bbh[0].name == "bbh_counting");
  CHECK(bbh[0].train.empty());
  CHECK(bbh[0].eval[3].is_instruction());
  CHECK(bbh[0].eval[3].output == "3");
  check_row(bbh[1].eval[3], "", "Q3", {"(A)", "(B)"}, {1});
  CHECK(bbh[1].eval[3].style == answer_style::text);
}

TEST_CASE("a damaged row is one line with file, line and field") {
  archives in;
  in.write("BoolQ/train.jsonl",
           "{\"question\": \"q\", \"passage\": \"p\", \"label\": true}\n\n{\"question\": \"q\", \"passage\": \"p\", "
           "\"label\": 1}\n");
  CHECK(in.refusal("boolq") == "BoolQ/train.jsonl:3: 'label' is 1, neither true nor false");
  in.write("BoolQ/train.jsonl", "{\"question\": \"q\", \"label\": true}");
  CHECK(in.refusal("boolq") == "BoolQ/train.jsonl:1: 'passage' is missing");
  in.write("BoolQ/train.jsonl", "");
  CHECK(in.refusal("boolq") == "BoolQ/train.jsonl: the file holds no example");
  in.write("RTE/train.jsonl", R"({"premise": "P", "hypothesis": "H", "label": "maybe"})");
  CHECK(in.refusal("rte") == "RTE/train.jsonl:1: 'label' is \"maybe\", none of those known");
  in.write(
      "WSC/train.jsonl",
      R"({"text": "Ann left.", "target": {"span1_text": "Ann", "span2_index": 0, "span2_text": "she"}, "label": true})");
  CHECK(in.refusal("wsc") == "WSC/train.jsonl:1: 'target': 'span2_text' is \"she\", not in the text");
  in.write("ReCoRD/train.jsonl",
           R"({"passage": {"text": "Ann left.", "entities": [{"start": 4, "end": 9}]}, "qas": []})");
  CHECK(in.refusal("record") == "ReCoRD/train.jsonl:1: 'passage', an entity: 'end' is 9, not an integer from 4 to 8");
  in.write("mmlu/data/val/a_val.csv", "Fine?,a,b,c,d,A\nWhy?,a,b,c,D\n");
  CHECK(in.refusal("mmlu") == "mmlu/data/val/a_val.csv:2: 5 fields; question, four choices and a letter are 6");
  in.write("mmlu/data/val/a_val.csv", "Fine?,a,b,c,d,A\nWhy?,\"a,b,c,D\n");
  CHECK(in.refusal("mmlu") == "mmlu/data/val/a_val.csv:2: a quoted field does not end");
  in.write("physicaliqa-train-dev/train.jsonl", R"({"goal": "G", "sol1": "x", "sol2": "y"})");
  in.write("physicaliqa-train-dev/train-labels.lst", "2\n");
  CHECK(in.refusal("piqa") == "physicaliqa-train-dev/train-labels.lst:1: '2' is no label from 0 to 1");
  in.write("physicaliqa-train-dev/train-labels.lst", "1\n1\n");
  CHECK(in.refusal("piqa") == "physicaliqa-train-dev/train-labels.lst:2: more labels than the 1 rows they are for");
  in.write("commonsenseqa/train_rand_split.jsonl",
           R"({"id": "q", "question": {"stem": "S", "choices": [{"label": "A", "text": "x"}]}, "answerKey": "B"})");
  CHECK(in.refusal("csqa") == "commonsenseqa/train_rand_split.jsonl:1: 'answerKey' is \"B\", the label of no choice");
  CHECK(in.refusal("anli").starts_with("anli_v1.0/R1/train.jsonl: "));
}
