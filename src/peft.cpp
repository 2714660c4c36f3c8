#include "mor1e/backend/cpu.hpp"
#include "mor1e/core/config.hpp"
#include "mor1e/instances.hpp"
#include "mor1e/peft/adapter_file.hpp"
#include "mor1e/peft/adapter_spec.ipp"
#include "mor1e/peft/lora_patterns.ipp"
#include "mor1e/peft/matching.ipp"
#include "mor1e/peft/registry.ipp"

namespace mor1e {

MOR1E_STANDARD(MOR1E_PEFT_INSTANCES, )

}  // namespace mor1e
