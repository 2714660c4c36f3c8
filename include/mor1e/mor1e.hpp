// All a program or an experiment needs: the back ends, models, tokenizers and methods.
//
// With the target mor1e::compiled, models come from the library and cost no compile time here.
#pragma once

// First: so a mistake in a method is named in the first lines of the compiler's output.
#include "mor1e/peft/attach.hpp"
// All the rest.
#include "mor1e/autodiff/plan.hpp"
#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/cluster/intuition.hpp"
#include "mor1e/cluster/kmeans.hpp"
#include "mor1e/eval/scoring.hpp"
#include "mor1e/models/generation.hpp"
#include "mor1e/models/outputs.hpp"
#include "mor1e/models/registry.hpp"
#include "mor1e/models/sentence_embedder.hpp"
#include "mor1e/peft/adapter_file.hpp"
#include "mor1e/peft/merge.hpp"
#include "mor1e/peft/methods/lora.hpp"
#include "mor1e/peft/methods/mor1e.hpp"
#include "mor1e/train/trainer.hpp"

namespace mor1e {

/// Makes a method of one's own known by name, for the standard back end and float. One object at namespace scope:
///   const registered<my_method> known;
template <class M>
using registered = peft::registration<M, peft::on<cpu, float>>;

}  // namespace mor1e

#ifdef MOR1E_COMPILED
#include "mor1e/ops/all.hpp"

namespace mor1e {

// What src/ops_cpu_float.cpp instantiates: the ops that adapters are composed of. Any other is compiled where it is
// used.
extern template var<float> tape<cpu>::apply<ops::add_op, float>(const ops::add_op::attributes&, operands);
extern template var<float> tape<cpu>::apply<ops::columns_op, float>(const ops::columns_op::attributes&, operands);
extern template var<float> tape<cpu>::apply<ops::concat_columns_op, float>(const ops::concat_columns_op::attributes&,
                                                                           operands);
extern template var<float> tape<cpu>::apply<ops::frozen_linear_op, float>(const ops::frozen_linear_op::attributes&,
                                                                          operands);
extern template var<float> tape<cpu>::apply<ops::gather_rows_op, float>(const ops::gather_rows_op::attributes&,
                                                                        operands);
extern template var<float> tape<cpu>::apply<ops::layer_norm_op, float>(const ops::layer_norm_op::attributes&, operands);
extern template var<float> tape<cpu>::apply<ops::linear_op, float>(const ops::linear_op::attributes&, operands);
extern template var<float> tape<cpu>::apply<ops::multiply_op, float>(const ops::multiply_op::attributes&, operands);
extern template var<float> tape<cpu>::apply<ops::normalise_rows_op, float>(const ops::normalise_rows_op::attributes&,
                                                                           operands);
extern template var<float> tape<cpu>::apply<ops::rank1_gates_op, float>(const ops::rank1_gates_op::attributes&,
                                                                        operands);
extern template var<float> tape<cpu>::apply<ops::rank1_weights_op, float>(const ops::rank1_weights_op::attributes&,
                                                                          operands);
extern template var<float> tape<cpu>::apply<ops::rms_norm_op, float>(const ops::rms_norm_op::attributes&, operands);
extern template var<float> tape<cpu>::apply<ops::router_statistics_op, float>(
    const ops::router_statistics_op::attributes&, operands);
extern template var<float> tape<cpu>::apply<ops::scale_op, float>(const ops::scale_op::attributes&, operands);
extern template var<float> tape<cpu>::apply<ops::scale_by_op, float>(const ops::scale_by_op::attributes&, operands);
extern template var<float> tape<cpu>::apply<ops::sigmoid_op, float>(const ops::sigmoid_op::attributes&, operands);
extern template var<float> tape<cpu>::apply<ops::silu_op, float>(const ops::silu_op::attributes&, operands);
extern template var<float> tape<cpu>::apply<ops::softmax_op, float>(const ops::softmax_op::attributes&, operands);
extern template var<float> tape<cpu>::apply<ops::sum_op, float>(const ops::sum_op::attributes&, operands);

}  // namespace mor1e

namespace mor1e::cluster {

// What src/cluster.cpp instantiates.
extern template kmeans_result<float> kmeans(cpu&, view<const float>, const kmeans_options&);
extern template tensor<float> intuition(cpu&, view<const float>, view<const float>, similarity);

}  // namespace mor1e::cluster

namespace mor1e::models {

// What src/models_*.cpp instantiates.
extern template std::unique_ptr<language_model<cpu, float>> load(cpu&, std::shared_ptr<io::checkpoint>, load_options);
extern template std::unique_ptr<bert<cpu, float>> load_encoder(cpu&, std::shared_ptr<io::checkpoint>);
extern template std::unique_ptr<language_model<cpu, double>> load(cpu&, std::shared_ptr<io::checkpoint>, load_options);
extern template std::unique_ptr<bert<cpu, double>> load_encoder(cpu&, std::shared_ptr<io::checkpoint>);
extern template std::unique_ptr<language_model<reference, double>> load(reference&, std::shared_ptr<io::checkpoint>,
                                                                        load_options);
extern template std::unique_ptr<bert<reference, double>> load_encoder(reference&, std::shared_ptr<io::checkpoint>);
extern template decoder_outputs<float> outputs_of(cpu&, language_model<cpu, float>&, const padded_batch&,
                                                  view<const float>);
extern template encoder_outputs<float> outputs_of(cpu&, const bert<cpu, float>&, const padded_batch&);
extern template class generation<cpu, float>;
extern template class bert_embedder<cpu>;

}  // namespace mor1e::models

namespace mor1e::peft {

// What src/peft.cpp instantiates: the two methods that C++ names most, and all of them by name.
extern template class low_rank_adapter<cpu, float, lora>;
extern template class low_rank_adapter<cpu, float, mor1e>;
extern template adapter_set<cpu, float> attach(const std::vector<nn::projection_group<cpu, float>*>&,
                                               const adapter_spec&);
extern template void save_adapter(const std::filesystem::path&, adapter_set<cpu, float>&, const adapter_record&);
extern template loaded_adapter<cpu, float> load_adapter(const std::vector<nn::projection_group<cpu, float>*>&,
                                                        const std::filesystem::path&);

}  // namespace mor1e::peft

namespace mor1e::train {

// What src/trainer.cpp instantiates.
extern template class trainer<cpu, float>;
extern template class program_cache<cpu, float>;
extern template class step_program<cpu, float>;

}  // namespace mor1e::train

namespace mor1e::eval {

// What src/eval_cpu_float.cpp instantiates.
extern template class branch_scorer<cpu, float>;
extern template class scorer<cpu, float>;

}  // namespace mor1e::eval
#endif
