// The kernels of the op: without this file the linker names the function that is missing.
#include "cube_op.hpp"
#include "mor1e/backend/cuda/elementwise.hpp"
MOR1E_CUDA_MAP(cube_op, float);
