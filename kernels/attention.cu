// The kernels of mor1e::cuda for attention.
#include "mor1e/backend/cuda/attention.hpp"

namespace mor1e::backend::kernels {

using in = device_view<const float>;
using ids = device_view<const std::int32_t>;
using out = device_view<float>;

template void attention_forward(launch_target, const attention_shape&, bool, in, in, in, ids, int, out, out);
template void join_attention_parts(launch_target, const attention_shape&, int, in, in, out, out);
template void attention_backward(launch_target, const attention_shape&, bool, in, in, in, ids, in, in, in, float, out,
                                 out, out, out);
template void cache_keys(launch_target, const attention_shape&, in, ids, out);

}  // namespace mor1e::backend::kernels
