// Whole text and JSON files, read in one call.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "mor1e/core/config.hpp"
#include "mor1e/core/error.hpp"

namespace mor1e::io {

/// The whole file, byte for byte; also what comes through a pipe, of which nothing comes within five seconds when
/// nobody writes it. Throws `io_error` naming the file.
std::string read_text(const std::filesystem::path& path);

/// The file parsed as JSON, see `parse_json`. Throws `io_error` naming the file.
nlohmann::json read_json(const std::filesystem::path& path);

/// A JSON list of strings. Throws `io_error` naming the file, and the element that is no string.
std::vector<std::string> read_strings(const std::filesystem::path& path);

}  // namespace mor1e::io

#ifndef MOR1E_COMPILED
#include "mor1e/io/text_file.ipp"
#endif
