// Sets of questions with choices, one JSON object a line.
#pragma once

#include "mor1e/data/releases/rows.hpp"

namespace mor1e::data::detail {

/// OpenBookQA, CommonsenseQA, ARC: {"id", "question": {"stem", "choices": [{"label", "text"}]}, "answerKey": a label}
inline rows stem_and_choices(const std::filesystem::path& path, const std::string& id) {
  return json_lines(path, [&](io::json_fields& row, rows& to) {
    io::json_fields question = row.nested("question");
    const std::string key = row.string("answerKey");
    std::vector<std::string> choices;
    int right = -1;
    for (const auto& choice : question.list("choices")) {
      io::json_fields of(choice, question.where() + ", a choice");
      if (of.string("label") == key) right = int(choices.size());
      choices.push_back(of.string("text"));
    }
    if (right < 0) row.fail("answerKey", "the label of no choice");
    add(to, id + row.string("id"), "", question.string("stem"), choices, {right});
  });
}

/// {"sentence" with _, "option1", "option2", "answer": "1" | "2"}
inline rows winogrande(const std::filesystem::path& path, const std::string& id) {
  return json_lines(path, [&](io::json_fields& row, rows& to) {
    add(to, id, "", row.string("sentence"), {row.string("option1"), row.string("option2")},
        {row.place("answer", {"1", "2"})});
  });
}

/// {"context", "hypothesis", "label": "e" | "n" | "c"}
inline rows anli(const std::filesystem::path& path, const std::string& id) {
  return json_lines(path, [&](io::json_fields& row, rows& to) {
    add(to, id, row.string("context"), row.string("hypothesis"), {"entailment", "neutral", "contradiction"},
        {row.place("label", {"e", "n", "c"})});
  });
}

/// {"ctx", "endings": [4], "label": 0}
inline rows hellaswag(const std::filesystem::path& path, const std::string& id) {
  return json_lines(path, [&](io::json_fields& row, rows& to) {
    std::vector<std::string> endings;
    for (const auto& ending : row.list("endings")) {
      if (!ending.is_string()) row.fail("endings", "not a list of texts");
      endings.push_back(ending.get<std::string>());
    }
    const int right = int(row.integer("label", 0, std::int64_t(endings.size()) - 1));
    add(to, id, "", row.string("ctx"), endings, {right});
  });
}

/// {"goal", "sol1", "sol2"}, and the labels 0 and 1 in a file beside it
inline rows piqa(const std::filesystem::path& path, const std::filesystem::path& labels, const std::string& id) {
  rows out = json_lines(path, [&](io::json_fields& row, rows& to) {
    add(to, id, "", row.string("goal"), {row.string("sol1"), row.string("sol2")}, {});
  });
  add_labels(out, labels, 0, 1);
  return out;
}

/// {"context", "question", "answerA", "answerB", "answerC"}, and the labels 1 to 3 in a file beside it
inline rows siqa(const std::filesystem::path& path, const std::filesystem::path& labels, const std::string& id) {
  rows out = json_lines(path, [&](io::json_fields& row, rows& to) {
    add(to, id, row.string("context"), row.string("question"),
        {row.string("answerA"), row.string("answerB"), row.string("answerC")}, {});
  });
  add_labels(out, labels, 1, 3);
  return out;
}

}  // namespace mor1e::data::detail
