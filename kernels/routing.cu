// The kernels of mor1e::cuda for routing.
#include "mor1e/backend/cuda/routing.hpp"

namespace mor1e::backend::kernels {

using in = device_view<const float>;
using ids = device_view<const std::int32_t>;
using out = device_view<float>;

template void expert_slots_forward(launch_target, const expert_slots_shape&, in, in, out);
template void expert_slots_backward(launch_target, const expert_slots_shape&, in, in, in, float, out, float, out);
template void top_k_mask(launch_target, int, in, ids, out);
template void capacity_mask(launch_target, const capacity_shape&, in, ids, out, out);
template void group_mean(launch_target, token_group, in, ids, float, out, out, float*);
template void normalise_sum_forward(launch_target, in, out);
template void normalise_sum_backward(launch_target, in, in, in, float, out);
template void excess_forward(launch_target, in, in, out);
template void excess_backward(launch_target, in, in, float, out, float, out);

}  // namespace mor1e::backend::kernels
