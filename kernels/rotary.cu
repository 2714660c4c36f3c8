// The kernels of mor1e::cuda for rotary position embedding.
#include "mor1e/backend/cuda/rotary.hpp"

namespace mor1e::backend::kernels {

using in = device_view<const float>;
using ids = device_view<const std::int32_t>;
using out = device_view<float>;

template void rotary_angles(launch_target, ids, const rotary_pairs&, double, out);
template void rotary_turn(launch_target, int, int, float, in, in, float, out);

}  // namespace mor1e::backend::kernels
