// All that an op of a user's needs to run on CUDA.
#include "mor1e/backend/cuda/elementwise.hpp"
#include "own_op.hpp"
MOR1E_CUDA_MAP(own::cube_op, float);
