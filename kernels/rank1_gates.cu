// The kernels of mor1e::cuda for rank-1 experts.
#include "mor1e/backend/cuda/rank1_gates.hpp"

namespace mor1e::backend::kernels {

using in = device_view<const float>;
using ids = device_view<const std::int32_t>;
using out = device_view<float>;

template void rank1_gates_forward(launch_target, const rank1_gates_shape&, int, in, in, ids, in, in, out);
template void rank1_gates_backward(launch_target, const rank1_gates_shape&, in, in, ids, in, in, in, float, out, out,
                                   out, out, float*);

}  // namespace mor1e::backend::kernels
