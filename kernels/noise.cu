// The kernels of mor1e::cuda for noise.
#include "mor1e/backend/cuda/noise.hpp"

namespace mor1e::backend::kernels {

using in = device_view<const float>;
using ids = device_view<const std::int32_t>;
using out = device_view<float>;

template void multiply_noise(launch_target, const noise_shape&, in, ids, ids, ids, float, out);

}  // namespace mor1e::backend::kernels
