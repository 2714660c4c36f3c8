#include "mor1e/core/config.hpp"

#include "mor1e/cluster/intuition.ipp"
