// Writes a model whose linears are in four bits, as bitsandbytes and Transformers read it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "mor1e/core/config.hpp"
#include "mor1e/io/checkpoint.hpp"

namespace mor1e::io {

/// What became of the linears.
struct nf4_summary {
  std::size_t linears = 0, bytes_before = 0, bytes_after = 0;
  double squares = 0, squared_errors = 0;  ///< sums over all elements of W^2 and of (W' - W)^2

  double relative_error() const;  ///< ||W' - W|| / ||W||
};

/// Writes `base` as a Hugging Face folder: the matrices named by `linears` in NF4, blocks of 64, scales in fp32; all
/// other tensors as they are; config.json with the `quantization_config` that Transformers asks bitsandbytes by;
/// `others` by name. Whole or not at all. `done` is told how many tensors of how many. Throws `value_error` for a
/// tensor that is stored in other than F32, F16 or BF16, `io_error` for one that is not there, or holds what is not
/// finite.
nf4_summary save_nf4(const std::filesystem::path& folder, const checkpoint& base, const std::set<std::string>& linears,
                     const std::map<std::string, std::string>& others,
                     const std::function<void(std::size_t done, std::size_t all)>& done = {});

}  // namespace mor1e::io

#ifndef MOR1E_COMPILED
#include "mor1e/io/save_nf4.ipp"
#endif
