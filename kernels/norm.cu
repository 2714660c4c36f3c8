// The kernels of mor1e::cuda for normalisation.
#include "mor1e/backend/cuda/norm.hpp"

namespace mor1e::backend::kernels {

using in = device_view<const float>;
using out = device_view<float>;

template void rms_norm_forward(launch_target, in, in, float, float, out, out);
template void rms_norm_backward(launch_target, in, in, float, in, in, float, out);
template void rms_norm_weight_gradient(launch_target, in, in, in, float, out, float*);
template void layer_norm_forward(launch_target, in, in, in, float, out, out, out);
template void layer_norm_backward(launch_target, in, in, in, in, in, float, out);
template void layer_norm_weight_gradient(launch_target, in, in, in, in, float, out, float*);
template void normalise_rows_forward(launch_target, in, float, out, out);
template void normalise_rows_backward(launch_target, in, in, float, in, float, out);

}  // namespace mor1e::backend::kernels
