// The kernels of mor1e::cuda for folds.
#include "mor1e/backend/cuda/fold.hpp"

namespace mor1e::backend::kernels {

using in = device_view<const float>;
using out = device_view<float>;

template void fold_columns(launch_target, index_t, index_t, in, float, out);
template void spread_columns(launch_target, index_t, index_t, in, float, out);

}  // namespace mor1e::backend::kernels
