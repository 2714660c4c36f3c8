// The reference back end with all its primitives.
#pragma once

#include "mor1e/backend/reference/attention.hpp"
#include "mor1e/backend/reference/dropout.hpp"
#include "mor1e/backend/reference/elementwise.hpp"
#include "mor1e/backend/reference/fold.hpp"
#include "mor1e/backend/reference/gemm.hpp"
#include "mor1e/backend/reference/largest.hpp"
#include "mor1e/backend/reference/loss.hpp"
#include "mor1e/backend/reference/norm.hpp"
#include "mor1e/backend/reference/rank1_gates.hpp"
#include "mor1e/backend/reference/rotary.hpp"
#include "mor1e/backend/reference/router_statistics.hpp"
#include "mor1e/backend/reference/routing.hpp"
#include "mor1e/backend/reference/row_norms.hpp"
#include "mor1e/backend/reference/rows.hpp"
#include "mor1e/backend/reference/softmax.hpp"
#include "mor1e/backend/reference/zip.hpp"
