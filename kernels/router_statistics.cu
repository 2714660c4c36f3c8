// The kernels of mor1e::cuda for what routers say.
#include "mor1e/backend/cuda/router_statistics.hpp"

namespace mor1e::backend::kernels {

using in = device_view<const float>;
using ids = device_view<const std::int32_t>;
using out = device_view<float>;

template void router_statistics(launch_target, in, ids, double*, out);

}  // namespace mor1e::backend::kernels
