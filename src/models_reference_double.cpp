#include "mor1e/backend/reference.hpp"
#include "mor1e/models/registry.hpp"

namespace mor1e::models {

template std::unique_ptr<language_model<reference, double>> load(reference&, std::shared_ptr<io::checkpoint>,
                                                                 load_options);
template std::unique_ptr<bert<reference, double>> load_encoder(reference&, std::shared_ptr<io::checkpoint>);

}  // namespace mor1e::models
