// Definitions of data/releases.hpp.
#pragma once

#include <algorithm>
#include <system_error>
#include <utility>

#include "mor1e/data/releases.hpp"
#include "mor1e/data/releases/choices.hpp"
#include "mor1e/data/releases/instructions.hpp"
#include "mor1e/data/releases/mmlu.hpp"
#include "mor1e/data/releases/super_glue.hpp"

namespace mor1e::data {

namespace detail {

/// Reads one split of a set from the folder of its archive.
using release_reader = rows (*)(const std::filesystem::path& folder, bool train, const std::string& id);

struct readable_release {
  release of;
  release_reader read;
};

/// train.jsonl and val.jsonl by a reader of one file.
template <rows (*Read)(const std::filesystem::path&, const std::string&)>
rows super_glue_split(const std::filesystem::path& folder, bool train, const std::string& id) {
  return Read(folder / (train ? "train.jsonl" : "val.jsonl"), id);
}

inline rows arc_split(const std::filesystem::path& folder, bool train, const std::string& id) {
  const std::string name = folder.filename().string();
  return stem_and_choices(folder / (name + (train ? "-Train.jsonl" : "-Test.jsonl")), id);
}

inline const std::vector<readable_release>& readable_releases() {
  using path = std::filesystem::path;
  using name = std::string;
  static const std::vector<readable_release> all{
      {{"multirc", "MultiRC", "val"}, super_glue_split<super_glue::multirc>},
      {{"boolq", "BoolQ", "val"}, super_glue_split<super_glue::boolq>},
      {{"wic", "WiC", "val"}, super_glue_split<super_glue::wic>},
      {{"wsc", "WSC", "val"}, super_glue_split<super_glue::wsc>},
      {{"rte", "RTE", "val"}, super_glue_split<super_glue::rte>},
      {{"copa", "COPA", "val"}, super_glue_split<super_glue::copa>},
      {{"record", "ReCoRD", "val"}, super_glue_split<super_glue::record>},
      {{"mmlu", "mmlu", "test"},
       [](const path& in, bool train, const name& id) { return mmlu(in / "data" / (train ? "val" : "test"), id); }},
      {{"winogrande", "winogrande_1.1", "dev"},
       [](const path& in, bool train, const name& id) {
         return winogrande(in / (train ? "train_xl.jsonl" : "dev.jsonl"), id);
       }},
      {{"anli", "anli_v1.0", "test"},
       [](const path& in, bool train, const name& id) {
         rows out;
         for (const char* round : {"R1", "R2", "R3"})
           for (example& row : anli(in / round / (train ? "train.jsonl" : "test.jsonl"), id + round + "-"))
             out.push_back(std::move(row));
         return out;
       }},
      {{"piqa", "physicaliqa-train-dev", "dev"},
       [](const path& in, bool train, const name& id) {
         const name split = train ? "train" : "dev";
         return piqa(in / (split + ".jsonl"), in / (split + "-labels.lst"), id);
       }},
      {{"siqa", "socialiqa-train-dev", "dev"},
       [](const path& in, bool train, const name& id) {
         const name split = train ? "train" : "dev";
         return siqa(in / (split + ".jsonl"), in / (split + "-labels.lst"), id);
       }},
      {{"obqa", "OpenBookQA-V1-Sep2018", "test"},
       [](const path& in, bool train, const name& id) {
         return stem_and_choices(in / "Data" / "Main" / (train ? "train.jsonl" : "test.jsonl"), id);
       }},
      {{"csqa", "commonsenseqa", "dev"},
       [](const path& in, bool train, const name& id) {
         return stem_and_choices(in / (train ? "train_rand_split.jsonl" : "dev_rand_split.jsonl"), id);
       }},
      {{"hellaswag", "hellaswag", "val"},
       [](const path& in, bool train, const name& id) {
         return hellaswag(in / (train ? "hellaswag_train.jsonl" : "hellaswag_val.jsonl"), id);
       }},
      {{"arc_easy", "ARC-V1-Feb2018-2/ARC-Easy", "test"}, arc_split},
      {{"arc_challenge", "ARC-V1-Feb2018-2/ARC-Challenge", "test"}, arc_split},
      {{"alpaca", "alpaca", ""},
       [](const path& in, bool, const name& id) { return alpaca(in / "alpaca_data.json", id); }},
      {{"bbh", "bbh", "test"}, nullptr},
  };
  return all;
}

}  // namespace detail

MOR1E_INLINE std::span<const release> releases() {
  static const std::vector<release> all = [] {
    std::vector<release> out;
    for (const auto& each : detail::readable_releases()) out.push_back(each.of);
    return out;
  }();
  return all;
}

MOR1E_INLINE std::vector<release> releases_in(const std::filesystem::path& folder) {
  std::vector<release> out;
  std::error_code none;
  for (const release& each : releases())
    if (std::filesystem::is_directory(folder / each.archive, none)) out.push_back(each);
  return out;
}

MOR1E_INLINE std::vector<task_data> read_release(const std::filesystem::path& folder, const release& of) {
  const std::filesystem::path in = folder / of.archive;
  std::vector<task_data> out;
  if (of.task == "bbh") {
    for (const auto& path : detail::files_in(in, ".json")) {
      const std::string name = "bbh_" + path.stem().string();
      out.push_back({name, {}, detail::big_bench_hard(path, name + "-")});
    }
  } else {
    const auto& all = detail::readable_releases();
    const auto at = std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.of.task == of.task; });
    require<value_error>(at != all.end(), "'", of.task, "' is no set that is known");
    const std::string task(of.task);
    out.push_back({task, at->read(in, true, task + "-train-"), {}});
    if (!of.eval_split.empty()) out[0].eval = at->read(in, false, text(task, "-", of.eval_split, "-"));
  }
  for (task_data& task : out)
    for (auto* rows : {&task.train, &task.eval})
      for (example& row : *rows) row.task = task.name;
  return out;
}

}  // namespace mor1e::data
