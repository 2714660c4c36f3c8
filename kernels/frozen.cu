// The kernels of mor1e::cuda for frozen weights, stored as float or bf16.
#include "mor1e/backend/cuda/frozen.hpp"

namespace mor1e::backend::kernels {

using in = device_view<const float>;
using out = device_view<float>;

template void convert(launch_target, in, device_view<bfloat16>);
template void convert(launch_target, device_view<const bfloat16>, out);
template void row_squares(launch_target, in, out);
template void row_squares(launch_target, device_view<const bfloat16>, out);

}  // namespace mor1e::backend::kernels
