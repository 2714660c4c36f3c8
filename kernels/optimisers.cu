// The kernels of mor1e::cuda for the optimisers.
#include "mor1e/backend/cuda/adam.hpp"
#include "mor1e/backend/cuda/sgd.hpp"

namespace mor1e::backend::kernels {

template void adam_update(launch_target, const adam_entry<float>*, int, index_t, std::int32_t*);
template void square_sums(launch_target, const square_entry<float>*, int, index_t, double*, double*);
template void sgd_update(launch_target, const sgd_entry<float>*, int, index_t, std::int32_t*);

}  // namespace mor1e::backend::kernels
