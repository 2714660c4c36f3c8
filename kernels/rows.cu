// The kernels of mor1e::cuda for sums, copies and gathers of rows.
#include "mor1e/backend/cuda/frozen.hpp"
#include "mor1e/backend/cuda/rows.hpp"

namespace mor1e::backend::kernels {

using in = device_view<const float>;
using out = device_view<float>;
using integers = device_view<const std::int32_t>;

template void gather_rows(launch_target, float, in, integers, out);
template void gather_rows(launch_target, float, device_view<const bfloat16>, integers, out);
template void scatter_rows(launch_target, float, in, integers, out);
template void column_sums(launch_target, in, float, out, float*);
template void row_sums(launch_target, in, out);
template void segment_mean_forward(launch_target, in, integers, out);
template void segment_mean_backward(launch_target, integers, in, float, out);

}  // namespace mor1e::backend::kernels
