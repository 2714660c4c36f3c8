#include "mor1e/core/config.hpp"

#include "mor1e/train/checkpoint.ipp"
#include "mor1e/train/examples.ipp"
#include "mor1e/train/intuition.ipp"
#include "mor1e/train/run_folder.ipp"
#include "mor1e/train/settings.ipp"
#include "mor1e/train/telemetry.ipp"
#include "mor1e/train/training_intuition.ipp"
