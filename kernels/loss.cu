// The kernels of mor1e::cuda for cross entropy.
#include "mor1e/backend/cuda/loss.hpp"

namespace mor1e::backend::kernels {

using in = device_view<const float>;
using ids = device_view<const std::int32_t>;
using out = device_view<float>;

template void target_share(launch_target, ids, out, int*);
template void cross_entropy_forward(launch_target, in, ids, out, out);
template void cross_entropy_backward(launch_target, in, ids, in, in, float, out);
template void cross_entropy_in_place(launch_target, ids, out, out);

}  // namespace mor1e::backend::kernels
