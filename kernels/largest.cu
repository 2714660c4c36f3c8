// The kernels of mor1e::cuda for the largest element.
#include "mor1e/backend/cuda/largest.hpp"

namespace mor1e::backend::kernels {

using in = device_view<const float>;
using out = device_view<float>;

template void largest(launch_target, float, in, out, float*);
template void largest_backward(launch_target, in, in, in, out, index_t*);

}  // namespace mor1e::backend::kernels
