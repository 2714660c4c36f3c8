// The public sets as their authors publish them, read into rows of ours.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/data/data_folder.hpp"
#include "mor1e/data/example.hpp"

namespace mor1e::data {

/// One set. Train rows are those of its training split; eval rows those of the last split whose answers are published.
struct release {
  std::string_view task;        ///< how we call it, and its folder in a data folder
  std::string_view archive;     ///< the folder that its archive unpacks to
  std::string_view eval_split;  ///< by the authors' name; empty: none is published apart
};

/// MultiRC, BoolQ, WiC, WSC, RTE, COPA, ReCoRD; MMLU; WinoGrande; ANLI (three rounds); PIQA; SIQA; OpenBookQA;
/// CommonsenseQA; HellaSwag; ARC easy and challenge; Alpaca; BIG-Bench Hard. docs/data.md says where each is found.
MOR1E_INLINE std::span<const release> releases();

/// The sets found in a folder that holds unpacked archives, in the order of `releases`.
MOR1E_INLINE std::vector<release> releases_in(const std::filesystem::path& folder);

/// Reads a set. BIG-Bench Hard is one task for each of its files, without train rows; every other set is one task.
/// Throws `io_error` naming file, line (or row) and field of what is damaged, or the file that is not there.
MOR1E_INLINE std::vector<task_data> read_release(const std::filesystem::path& folder, const release& of);

}  // namespace mor1e::data

#ifndef MOR1E_COMPILED
#include "mor1e/data/releases.ipp"
#endif
