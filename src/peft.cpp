#include "mor1e/backend/cpu.hpp"
#include "mor1e/core/config.hpp"
#include "mor1e/peft/adapter_file.hpp"
#include "mor1e/peft/adapter_spec.ipp"
#include "mor1e/peft/lora_patterns.ipp"
#include "mor1e/peft/matching.ipp"
#include "mor1e/peft/registry.ipp"

namespace mor1e::peft {

template class low_rank_adapter<cpu, float, lora>;
template class low_rank_adapter<cpu, float, mor1e>;
template adapter_set<cpu, float> attach<cpu, float>(const std::vector<nn::projection_group<cpu, float>*>&,
                                                    const adapter_spec&);
template void save_adapter<cpu, float>(const std::filesystem::path&, adapter_set<cpu, float>&, const adapter_record&);
template loaded_adapter<cpu, float> load_adapter<cpu, float>(const std::vector<nn::projection_group<cpu, float>*>&,
                                                             const std::filesystem::path&);

}  // namespace mor1e::peft
