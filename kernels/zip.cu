// The kernels of mor1e::cuda for functions of two elements, of all ops.
#include "mor1e/backend/cuda/zip.hpp"
#include "mor1e/ops/all.hpp"

namespace mor1e::backend::kernels {

template void select(launch_target, device_view<const float>, device_view<const float>, device_view<const float>,
                     device_view<float>);

}  // namespace mor1e::backend::kernels

namespace mor1e::ops {

template <class Op>
using derivative_a = zip_derivative<Op, 0>;
template <class Op>
using derivative_b = zip_derivative<Op, 1>;
template <class Op>
using loss_derivative_x = loss_derivative<Op, 0>;
template <class Op>
using loss_derivative_t = loss_derivative<Op, 1>;

}  // namespace mor1e::ops

#define MOR1E_ZIP_WITH_GRADIENT(op)                                         \
  MOR1E_CUDA_ZIP_FORWARD(mor1e::ops::op, float);                            \
  MOR1E_CUDA_ZIP_BACKWARD(mor1e::ops::derivative_a<mor1e::ops::op>, float); \
  MOR1E_CUDA_ZIP_BACKWARD(mor1e::ops::derivative_b<mor1e::ops::op>, float)
#define MOR1E_MEAN_LOSS(op)                                                          \
  MOR1E_CUDA_ZIP_SUM(mor1e::ops::op, float);                                         \
  MOR1E_CUDA_ZIP_SUM_BACKWARD(mor1e::ops::loss_derivative_x<mor1e::ops::op>, float); \
  MOR1E_CUDA_ZIP_SUM_BACKWARD(mor1e::ops::loss_derivative_t<mor1e::ops::op>, float)

MOR1E_ZIP_WITH_GRADIENT(add_op);
MOR1E_ZIP_WITH_GRADIENT(divide_op);
MOR1E_ZIP_WITH_GRADIENT(maximum_op);
MOR1E_ZIP_WITH_GRADIENT(minimum_op);
MOR1E_ZIP_WITH_GRADIENT(multiply_op);
MOR1E_ZIP_WITH_GRADIENT(power_op);
MOR1E_ZIP_WITH_GRADIENT(subtract_op);
MOR1E_CUDA_ZIP_FORWARD(mor1e::ops::equal_op, float);
MOR1E_CUDA_ZIP_FORWARD(mor1e::ops::greater_op, float);
MOR1E_CUDA_ZIP_FORWARD(mor1e::ops::greater_equal_op, float);
MOR1E_CUDA_ZIP_FORWARD(mor1e::ops::less_op, float);
MOR1E_CUDA_ZIP_FORWARD(mor1e::ops::less_equal_op, float);
MOR1E_CUDA_ZIP_BACKWARD(mor1e::ops::where_op::share<true>, float);
MOR1E_CUDA_ZIP_BACKWARD(mor1e::ops::where_op::share<false>, float);
MOR1E_MEAN_LOSS(binary_cross_entropy_with_logits_op);
MOR1E_MEAN_LOSS(l1_loss_op);
MOR1E_MEAN_LOSS(mse_loss_op);
