// What the last bits of a result depend on, besides its inputs.
#pragma once

namespace mor1e::backend {

/// Two runs have the same bits only where these agree: a checkpoint keeps them.
struct arithmetic {
  const char* products;  ///< who multiplies matrices: "eigen"
  int threads;           ///< among whom sums are split
};

}  // namespace mor1e::backend
