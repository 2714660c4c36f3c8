// The kernels of mor1e::cuda for row norms.
#include "mor1e/backend/cuda/row_norms.hpp"

namespace mor1e::backend::kernels {

using in = device_view<const float>;
using out = device_view<float>;

template void updated_row_norms(launch_target, in, in, in, out);
template void scale_columns(launch_target, in, in, in, float, out);
template void scale_columns_gradient(launch_target, in, in, in, float, out, float*);

}  // namespace mor1e::backend::kernels
