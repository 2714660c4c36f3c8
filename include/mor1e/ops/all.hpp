// Every op. One line here gives an op its gradient, parity and shape tests and its benchmark.
#pragma once

#include "mor1e/ops/add.hpp"
#include "mor1e/ops/cross_entropy.hpp"
#include "mor1e/ops/embedding.hpp"
#include "mor1e/ops/frozen_embedding.hpp"
#include "mor1e/ops/frozen_linear.hpp"
#include "mor1e/ops/gated_gelu_tanh.hpp"
#include "mor1e/ops/gated_silu.hpp"
#include "mor1e/ops/gather_rows.hpp"
#include "mor1e/ops/gelu_tanh.hpp"
#include "mor1e/ops/linear.hpp"
#include "mor1e/ops/linear_cross_entropy.hpp"
#include "mor1e/ops/rank1_gates.hpp"
#include "mor1e/ops/rms_norm.hpp"
#include "mor1e/ops/router_statistics.hpp"
#include "mor1e/ops/silu.hpp"
#include "mor1e/ops/softmax.hpp"
