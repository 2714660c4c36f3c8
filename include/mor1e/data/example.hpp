// One row of a task.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace mor1e::data {

/// How an answer is given: `letter` lists the choices and answers with one of A, B, ...; `text` answers with the
/// words of the choice and does not list them.
enum class answer_style { letter, text };

/// A question with choices, or an instruction with a free answer (then `choices` is empty).
struct example {
  std::string id;
  std::string task;
  std::string context;   // passage or premise, may be empty; of an instruction: its input
  std::string question;  // of an instruction: the instruction
  std::vector<std::string> choices;
  std::vector<int> answers;  // allowed indices into choices; the first one is trained on
  std::string output;        // the answer to an instruction

  // What the row itself says about its wording (`meta.template`, `meta.answer`); empty: the program's choice.
  std::string template_name;
  std::optional<answer_style> style;

  bool is_instruction() const { return choices.empty(); }
  /// Whether a choice counts as right.
  bool accepts(int choice) const {
    for (int answer : answers)
      if (answer == choice) return true;
    return false;
  }
};

}  // namespace mor1e::data
