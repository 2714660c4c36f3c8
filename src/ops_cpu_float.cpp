#include "mor1e/mor1e.hpp"

namespace mor1e {

MOR1E_COMPILED_OPS(MOR1E_COMPILED_OP)

}  // namespace mor1e
