// Where models lie.
#pragma once

#include <filesystem>
#include <string>

#include "mor1e/core/config.hpp"

namespace mor1e::io {
struct checkpoint;
}

namespace mor1e::models {

/// The folder or file of a model: `name` itself if it exists; else a short name ("smollm2", "minilm", ...) in
/// $MOR1E_CACHE/models (default $XDG_CACHE_HOME/mor1e/models, then ~/.cache/mor1e/models), where a folder that holds
/// one .gguf file stands for that file. Throws `io_error`: "no model at NAME: ..." saying where it looked.
std::filesystem::path locate(const std::string& name);

/// `model_type` of the configuration. Throws `io_error` if there is none.
std::string architecture_of(const io::checkpoint& from);

}  // namespace mor1e::models

#ifndef MOR1E_COMPILED
#include "mor1e/models/locate.ipp"
#endif
