#include "mor1e/core/config.hpp"
#include "mor1e/text/prompt.ipp"
