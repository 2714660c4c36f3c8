#include "mor1e/backend/cpu.hpp"
#include "mor1e/models/registry.hpp"

namespace mor1e::models {

template std::unique_ptr<language_model<cpu, double>> load(cpu&, std::shared_ptr<io::checkpoint>, load_options);
template std::unique_ptr<bert<cpu, double>> load_encoder(cpu&, std::shared_ptr<io::checkpoint>);

}  // namespace mor1e::models
