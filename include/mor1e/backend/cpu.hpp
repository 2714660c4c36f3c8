// The CPU back end with all its primitives.
#pragma once

#include "mor1e/backend/cpu/attention.hpp"
#include "mor1e/backend/cpu/dropout.hpp"
#include "mor1e/backend/cpu/elementwise.hpp"
#include "mor1e/backend/cpu/fold.hpp"
#include "mor1e/backend/cpu/gemm.hpp"
#include "mor1e/backend/cpu/largest.hpp"
#include "mor1e/backend/cpu/loss.hpp"
#include "mor1e/backend/cpu/norm.hpp"
#include "mor1e/backend/cpu/rank1_gates.hpp"
#include "mor1e/backend/cpu/rotary.hpp"
#include "mor1e/backend/cpu/router_statistics.hpp"
#include "mor1e/backend/cpu/routing.hpp"
#include "mor1e/backend/cpu/row_norms.hpp"
#include "mor1e/backend/cpu/rows.hpp"
#include "mor1e/backend/cpu/softmax.hpp"
#include "mor1e/backend/cpu/zip.hpp"
