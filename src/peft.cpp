#include "mor1e/backend/cpu.hpp"
#include "mor1e/core/config.hpp"
#include "mor1e/peft/adapter_file.hpp"
#include "mor1e/peft/adapter_spec.ipp"
#include "mor1e/peft/lora_patterns.ipp"
#include "mor1e/peft/matching.ipp"

namespace mor1e::peft {

template class low_rank_adapter<cpu, float, lora>;
template class low_rank_adapter<cpu, float, mor1e>;
template class low_rank_adapter<cpu, float, molora>;
template class low_rank_adapter<cpu, float, sira>;
template class low_rank_adapter<cpu, float, loramoe>;
template class low_rank_adapter<cpu, float, hydralora>;
template class low_rank_adapter<cpu, float, adamole>;
template adapter_set<cpu, float> attach<cpu, float>(const std::vector<nn::projection_group<cpu, float>*>&,
                                                    const adapter_spec&);
template void save_adapter<cpu, float>(const std::filesystem::path&, adapter_set<cpu, float>&, const adapter_record&);
template loaded_adapter<cpu, float> load_adapter<cpu, float>(const std::vector<nn::projection_group<cpu, float>*>&,
                                                             const std::filesystem::path&);

}  // namespace mor1e::peft
