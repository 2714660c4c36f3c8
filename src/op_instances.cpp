#include "mor1e/mor1e.hpp"

namespace mor1e {

MOR1E_STANDARD(MOR1E_OP_INSTANCES, )

}  // namespace mor1e
