// The device whose floats a golden test is about: the CPU, or CUDA where CMake compiles the same source for it
// (tests/cuda/CMakeLists.txt). What is of the host alone stands in #ifndef MOR1E_TEST_CUDA.
#pragma once

#include <utility>

#ifdef MOR1E_TEST_CUDA
#include "mor1e/backend/cuda.hpp"
#else
#include "mor1e/backend/cpu.hpp"
#endif

namespace mor1e::testing {

#ifdef MOR1E_TEST_CUDA
using tested_device = cuda;
inline constexpr cuda_options tested_options{.host_threads = 1};
#else
using tested_device = cpu;
inline constexpr int tested_options = 2;  // threads
#endif

}  // namespace mor1e::testing
