// What the programs of the paper's tables share: the tasks there are, and the paper's own figures beside ours.
#pragma once

#include <string>
#include <vector>

#include <fmt/format.h>

#include "experiments/matrix_options.hpp"
#include "experiments/report.hpp"
#include "mor1e/data/data_folder.hpp"
#include "mor1e/data/suite.hpp"

namespace mor1e::program {

/// The tasks that a matrix trains on or scores.
inline std::vector<std::string> tasks_present(const matrix_options& o) {
  std::vector<std::string> present;
  if (data::is_suite(o.data.data))
    for (const data::suite_family& family : data::suite_families(o.data.data)) present.emplace_back(family.name);
  else
    present = data::tasks_in(o.data.data);
  return data::select_tasks(present, o.data.tasks);
}

/// The paper's own table, and what stands between it and ours.
inline void put_beside(report& to, result_table of_paper, const std::string& remark = {}) {
  of_paper.title = "The paper (arXiv 2404.08985v1), " + of_paper.title;
  to.tables.push_back(std::move(of_paper));
  to.notes.push_back(
      "What differs from the paper: it trains models of 1 to 13 billion parameters for three epochs of twenty sets "
      "(batch "
      "64, rate 5e-5), lets them answer with a letter, leaves each method its own scale and size, reports one run, and "
      "embeds with nomic-embed-text-v1. Only the signs of differences can be held against ours, where they are told "
      "from "
      "chance.");
  if (!remark.empty()) to.notes.push_back(remark);
}

}  // namespace mor1e::program
