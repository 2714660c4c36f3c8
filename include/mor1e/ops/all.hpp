// Every op. One line here gives an op its gradient, parity and shape tests and its benchmark.
#pragma once

#include "mor1e/ops/frozen_linear.hpp"
#include "mor1e/ops/linear.hpp"
#include "mor1e/ops/rms_norm.hpp"
#include "mor1e/ops/softmax.hpp"
