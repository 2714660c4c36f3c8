// The file format tokenizer.json.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "mor1e/core/config.hpp"
#include "mor1e/text/tokenizer.hpp"

namespace mor1e::texts {

/// Builds the parts that a tokenizer.json describes; `file` is its name for errors. Throws `io_error` naming file and
/// field; a component that is not known is refused by name.
tokenizer_parts parts_from_json(const nlohmann::json& content, const std::string& file);

}  // namespace mor1e::texts

#ifndef MOR1E_COMPILED
#include "mor1e/text/tokenizer_json.ipp"
#endif
