// The CUDA back end with all its primitives.
//
// A unit that nvcc compiles has the kernels from here; any other takes those of the library mor1e::cuda.
#pragma once

#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/cuda/elementwise.hpp"
#include "mor1e/backend/cuda/frozen.hpp"
#include "mor1e/backend/cuda/gemm.hpp"
