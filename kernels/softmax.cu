// The kernels of mor1e::cuda for softmax.
#include "mor1e/backend/cuda/softmax.hpp"

namespace mor1e::backend::kernels {

using in = device_view<const float>;
using out = device_view<float>;

template void softmax_forward(launch_target, in, out);
template void softmax_backward(launch_target, in, in, float, out);
template void log_softmax_forward(launch_target, in, out);
template void log_softmax_backward(launch_target, in, in, float, out);
template void log_sum_exp_forward(launch_target, in, out);
template void log_sum_exp_backward(launch_target, in, in, in, float, out);

}  // namespace mor1e::backend::kernels
