// SuperGLUE's sets: train.jsonl and val.jsonl of a folder each; the answers of test.jsonl are not published.
#pragma once

#include "mor1e/data/releases/rows.hpp"

namespace mor1e::data::detail::super_glue {

inline const std::vector<std::string> no_yes{"no", "yes"};

/// {"question", "passage", "label": true}
inline rows boolq(const std::filesystem::path& path, const std::string& id) {
  return json_lines(path, [&](io::json_fields& row, rows& to) {
    add(to, id, row.string("passage"), row.string("question"), no_yes, {row.flag("label")});
  });
}

/// {"premise", "choice1", "choice2", "question": "cause" | "effect", "label": 0}
inline rows copa(const std::filesystem::path& path, const std::string& id) {
  return json_lines(path, [&](io::json_fields& row, rows& to) {
    const bool effect = row.place("question", {"cause", "effect"}) == 1;
    add(to, id, row.string("premise"), effect ? "What happened as a result?" : "What was the cause of this?",
        {row.string("choice1"), row.string("choice2")}, {int(row.integer("label", 0, 1))});
  });
}

/// {"premise", "hypothesis", "label": "entailment" | "not_entailment"}
inline rows rte(const std::filesystem::path& path, const std::string& id) {
  return json_lines(path, [&](io::json_fields& row, rows& to) {
    add(to, id, row.string("premise"), row.string("hypothesis"), {"entailment", "not_entailment"},
        {row.place("label", {"entailment", "not_entailment"})});
  });
}

/// {"word", "sentence1", "sentence2", "label": true}
inline rows wic(const std::filesystem::path& path, const std::string& id) {
  return json_lines(path, [&](io::json_fields& row, rows& to) {
    add(to, id, row.string("sentence1") + "\n" + row.string("sentence2"),
        "Does the word \"" + row.string("word") + "\" have the same meaning in both sentences?", no_yes,
        {row.flag("label")});
  });
}

/// {"passage": {"text", "questions": [{"question", "answers": [{"text", "label": 0}]}]}}: a row for each answer
inline rows multirc(const std::filesystem::path& path, const std::string& id) {
  return json_lines(path, [&](io::json_fields& row, rows& to) {
    io::json_fields passage = row.nested("passage");
    for (const auto& question : passage.list("questions")) {
      io::json_fields asked(question, passage.where() + ", a question");
      for (const auto& answer : asked.list("answers")) {
        io::json_fields given(answer, asked.where() + ", an answer");
        add(to, id, passage.string("text"), asked.string("question") + "\nCandidate answer: " + given.string("text"),
            no_yes, {int(given.integer("label", 0, 1))});
      }
    }
  });
}

/// {"text", "target": {"span1_text", "span2_index", "span2_text"}, "label": true}: span2 is the pronoun, an index
/// counts the words between spaces. Where that word is another, the first word that is the pronoun is taken.
inline rows wsc(const std::filesystem::path& path, const std::string& id) {
  return json_lines(path, [&](io::json_fields& row, rows& to) {
    io::json_fields target = row.nested("target");
    const std::string pronoun = target.string("span2_text"), plain = row.string("text");
    const auto next = [&](std::size_t at) { return plain.find_first_not_of(' ', plain.find(' ', at)); };
    const auto fits = [&](std::size_t at) {
      return at != plain.npos && plain.compare(at, pronoun.size(), pronoun) == 0;
    };
    std::size_t at = 0;
    for (auto word = target.integer("span2_index", 0); word > 0 && at != plain.npos; --word) at = next(at);
    if (!fits(at))
      for (at = 0; at != plain.npos && !fits(at);) at = next(at);
    if (at == plain.npos) target.fail("span2_text", "not in the text");
    std::string marked = plain;
    marked.insert(at + pronoun.size(), "*").insert(at, "*");
    add(to, id, marked, "Does the pronoun \"*" + pronoun + "*\" refer to \"" + target.string("span1_text") + "\"?",
        no_yes, {row.flag("label")});
  });
}

/// {"passage": {"text", "entities": [{"start", "end"}]}, "qas": [{"query", "answers": [{"text"}]}]}: `end` is that of
/// the last character, both count code points. A row for each query; every mention of an answer is right.
inline rows record(const std::filesystem::path& path, const std::string& id) {
  return json_lines(path, [&](io::json_fields& row, rows& to) {
    io::json_fields passage = row.nested("passage");
    const std::string content = passage.string("text");
    std::vector<std::size_t> at;  // the byte of each code point
    for (std::size_t i = 0; i < content.size(); ++i)
      if ((static_cast<unsigned char>(content[i]) & 0xC0) != 0x80) at.push_back(i);
    at.push_back(content.size());
    std::vector<std::string> entities;
    for (const auto& entity : passage.list("entities")) {
      io::json_fields span(entity, passage.where() + ", an entity");
      const auto start = std::size_t(span.integer("start", 0, std::int64_t(at.size()) - 2));
      const auto end = std::size_t(span.integer("end", std::int64_t(start), std::int64_t(at.size()) - 2));
      entities.push_back(content.substr(at[start], at[end + 1] - at[start]));
    }
    for (const auto& query : row.list("qas")) {
      io::json_fields asked(query, row.where() + ", a query");
      std::vector<int> right;
      for (const auto& answer : asked.list("answers")) {
        const std::string wanted = io::json_fields(answer, asked.where() + ", an answer").string("text");
        for (std::size_t e = 0; e < entities.size(); ++e)
          if (entities[e] == wanted && std::find(right.begin(), right.end(), int(e)) == right.end())
            right.push_back(int(e));
      }
      if (right.empty()) asked.fail("answers", "none of the entities");
      add(to, id, content, asked.string("query"), entities, right);
    }
  });
}

}  // namespace mor1e::data::detail::super_glue
