// The elementwise kernels of mor1e::cuda, with the functions of all ops.
#include "mor1e/backend/cuda/elementwise.hpp"
#include "mor1e/ops/all.hpp"

namespace mor1e::backend::kernels {

using in = device_view<const float>;
using out = device_view<float>;

template void axpby(launch_target, float, in, float, out);
template void axpby(launch_target, double, device_view<const double>, double, device_view<double>);
template void multiply(launch_target, in, in, float, out);
template void broadcast(launch_target, in, float, out);
template void rescale(launch_target, float, out);
template void fill(launch_target, float, out);
template void fill(launch_target, std::int32_t, device_view<std::int32_t>);
template void fill(launch_target, double, device_view<double>);
template void sum(launch_target, in, float, out, double*);
template void dot(launch_target, in, in, float, out, double*);

}  // namespace mor1e::backend::kernels

MOR1E_CUDA_MAP(mor1e::ops::abs_op::function, float);
MOR1E_CUDA_MAP(mor1e::ops::affine_op::function, float);
MOR1E_CUDA_MAP(mor1e::ops::clamp_op::function, float);
MOR1E_CUDA_MAP(mor1e::ops::cos_op::function, float);
MOR1E_CUDA_MAP(mor1e::ops::exp_op::function, float);
MOR1E_CUDA_MAP(mor1e::ops::gelu_erf_op::function, float);
MOR1E_CUDA_MAP(mor1e::ops::gelu_tanh_op::function, float);
MOR1E_CUDA_MAP(mor1e::ops::leaky_relu_op::function, float);
MOR1E_CUDA_MAP(mor1e::ops::log_op::function, float);
MOR1E_CUDA_MAP(mor1e::ops::negate_op::function, float);
MOR1E_CUDA_MAP(mor1e::ops::pow_op::function, float);
MOR1E_CUDA_MAP(mor1e::ops::reciprocal_op::function, float);
MOR1E_CUDA_MAP(mor1e::ops::relu_op::function, float);
MOR1E_CUDA_MAP(mor1e::ops::sigmoid_op::function, float);
MOR1E_CUDA_MAP(mor1e::ops::silu_op::function, float);
MOR1E_CUDA_MAP(mor1e::ops::sin_op::function, float);
MOR1E_CUDA_MAP(mor1e::ops::softplus_op::function, float);
MOR1E_CUDA_MAP(mor1e::ops::sqrt_op::function, float);
MOR1E_CUDA_MAP(mor1e::ops::square_op::function, float);
MOR1E_CUDA_MAP(mor1e::ops::tanh_op::function, float);
MOR1E_CUDA_GATED(mor1e::ops::gelu_tanh_op, float);
MOR1E_CUDA_GATED(mor1e::ops::silu_op, float);
