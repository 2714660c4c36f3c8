// The kernel of mor1e::cuda for the transpose.
#include "mor1e/backend/cuda/transposed.hpp"

namespace mor1e::backend::kernels {

template void transposed(launch_target, device_view<const float>, float, device_view<float>);

}  // namespace mor1e::backend::kernels
