#include "mor1e/mor1e.hpp"

namespace mor1e::models {

template decoder_outputs<float> outputs_of(cpu&, language_model<cpu, float>&, const padded_batch&, view<const float>);
template encoder_outputs<float> outputs_of(cpu&, const bert<cpu, float>&, const padded_batch&);
template class generation<cpu, float>;
template class bert_embedder<cpu>;

}  // namespace mor1e::models
