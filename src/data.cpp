#include "mor1e/core/config.hpp"

#include "mor1e/data/data_folder.ipp"
#include "mor1e/data/packing.ipp"
#include "mor1e/data/sampling.ipp"
#include "mor1e/data/suite.ipp"
#include "mor1e/data/task_file.ipp"
