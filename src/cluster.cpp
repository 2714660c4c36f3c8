#include "mor1e/backend/cpu.hpp"
#include "mor1e/cluster/embedding_map.ipp"
#include "mor1e/cluster/intuition.ipp"
#include "mor1e/cluster/kmeans.hpp"
#include "mor1e/core/config.hpp"
#include "mor1e/instances.hpp"

namespace mor1e {

MOR1E_STANDARD(MOR1E_CLUSTER_INSTANCES, )

}  // namespace mor1e
