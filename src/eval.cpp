#include "mor1e/core/config.hpp"
#include "mor1e/eval/report.ipp"
#include "mor1e/eval/scoring.ipp"
#include "mor1e/eval/statistics.ipp"
