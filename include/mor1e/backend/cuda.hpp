// The CUDA back end with all its primitives.
//
// A unit that nvcc compiles has the kernels from here; any other takes those of the library mor1e::cuda.
#pragma once

#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/cuda/adam.hpp"
#include "mor1e/backend/cuda/attention.hpp"
#include "mor1e/backend/cuda/cluster.hpp"
#include "mor1e/backend/cuda/dropout.hpp"
#include "mor1e/backend/cuda/elementwise.hpp"
#include "mor1e/backend/cuda/fold.hpp"
#include "mor1e/backend/cuda/frozen.hpp"
#include "mor1e/backend/cuda/gemm.hpp"
#include "mor1e/backend/cuda/gradients.hpp"
#include "mor1e/backend/cuda/largest.hpp"
#include "mor1e/backend/cuda/loss.hpp"
#include "mor1e/backend/cuda/noise.hpp"
#include "mor1e/backend/cuda/norm.hpp"
#include "mor1e/backend/cuda/rank1_gates.hpp"
#include "mor1e/backend/cuda/rotary.hpp"
#include "mor1e/backend/cuda/router_statistics.hpp"
#include "mor1e/backend/cuda/routing.hpp"
#include "mor1e/backend/cuda/row_norms.hpp"
#include "mor1e/backend/cuda/rows.hpp"
#include "mor1e/backend/cuda/sgd.hpp"
#include "mor1e/backend/cuda/softmax.hpp"
#include "mor1e/backend/cuda/transposed.hpp"
#include "mor1e/backend/cuda/zip.hpp"
