#include "mor1e/backend/cpu.hpp"
#include "mor1e/instances.hpp"
#include "mor1e/models/registry.hpp"

namespace mor1e {

MOR1E_STANDARD(MOR1E_LOADER_INSTANCES, )

}  // namespace mor1e
