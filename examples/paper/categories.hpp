// The paper's categories of tasks, by the names of the task folders.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace mor1e::program {

struct paper_category {
  std::string_view name;
  std::array<std::string_view, 8> tasks;
};

/// Section 4.2 of the paper (arXiv 2404.08985v1) names these dimensions with some of their sets; section 3.1 adds piqa
/// and siqa to reasoning. Nowhere does it say where rte, copa and wsc belong: rte is inference as anli is and copa is
/// about causes, so both are put to reasoning; wsc asks for the referent of a pronoun, as winogrande does, so it is put
/// to language. alpaca "encompasses mixed dimensions" and is a category of its own.
inline constexpr paper_category paper_categories_of_tasks[] = {
    {"reasoning", {"anli", "record", "hellaswag", "piqa", "siqa", "rte", "copa"}},
    {"examination", {"mmlu", "arc_easy", "arc_challenge"}},
    {"language", {"wic", "winogrande", "wsc"}},
    {"understanding", {"obqa", "multirc"}},
    {"knowledge", {"csqa", "boolq"}},
    {"mixed", {"alpaca"}}};

/// The paper's word for the category of a task; empty for a task that it does not have.
inline std::string paper_category_of(const std::string& task) {
  for (const paper_category& c : paper_categories_of_tasks)
    if (std::find(c.tasks.begin(), c.tasks.end(), task) != c.tasks.end() && !task.empty()) return std::string(c.name);
  return "";
}

/// "a,b;c": of the tasks given, those of each category, as `train::categories_of` takes them; a task that the paper
/// does not have is a category of its own, behind the others.
inline std::string paper_categories(const std::vector<std::string>& tasks) {
  std::vector<std::string> groups;
  for (const paper_category& c : paper_categories_of_tasks) {
    std::string group;
    for (const std::string& task : tasks)
      if (paper_category_of(task) == c.name) group += (group.empty() ? "" : ",") + task;
    if (!group.empty()) groups.push_back(group);
  }
  for (const std::string& task : tasks)
    if (paper_category_of(task).empty()) groups.push_back(task);
  std::string out;
  for (const std::string& group : groups) out += (out.empty() ? "" : ";") + group;
  return out;
}

}  // namespace mor1e::program
