// The kernels of mor1e::cuda for dropout.
#include "mor1e/backend/cuda/dropout.hpp"

namespace mor1e::backend::kernels {

using in = device_view<const float>;
using ids = device_view<const std::int32_t>;
using out = device_view<float>;

template void dropout(launch_target, const dropout_shape&, in, ids, ids, ids, float, out);

}  // namespace mor1e::backend::kernels
