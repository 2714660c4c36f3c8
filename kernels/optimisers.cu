// The kernels of mor1e::cuda for the optimisers and the gradients that they read.
#include "mor1e/backend/cuda/adam.hpp"
#include "mor1e/backend/cuda/gradients.hpp"
#include "mor1e/backend/cuda/sgd.hpp"

namespace mor1e::backend::kernels {

template void adam_update(launch_target, const adam_entry<float>*, int, index_t, const adam_constants<float>&,
                          const double*, std::int32_t*);
template void sgd_update(launch_target, const sgd_entry<float>*, int, index_t, const sgd_step&, std::int32_t*);
template void clear_tensors(launch_target, const tensor_entry<float>*, int, index_t);
template void square_sums(launch_target, const tensor_entry<float>*, int, index_t, double*, double*);
template void clip_tensors(launch_target, const tensor_entry<float>*, int, index_t, double, device_view<const double>,
                           double*);

}  // namespace mor1e::backend::kernels
