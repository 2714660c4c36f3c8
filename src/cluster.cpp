#include "mor1e/backend/cpu.hpp"
#include "mor1e/cluster/intuition.ipp"
#include "mor1e/cluster/kmeans.hpp"
#include "mor1e/core/config.hpp"

namespace mor1e::cluster {

template kmeans_result<float> kmeans(cpu&, view<const float>, const kmeans_options&);
template tensor<float> intuition(cpu&, view<const float>, view<const float>, similarity);

}  // namespace mor1e::cluster
