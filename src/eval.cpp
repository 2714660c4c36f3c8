#include "mor1e/core/config.hpp"

#include "mor1e/eval/statistics.ipp"
