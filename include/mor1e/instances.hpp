// What the compiled library holds for a back end B and an element type T: one list of both its sides.
//
// mor1e.hpp declares the instances (`How` is extern), src/*.cpp defines them (`How` is empty). A list is expanded in
// namespace mor1e where the templates that it names are known.
#pragma once

#define MOR1E_OP_INSTANCE(How, B, T, op) \
  How template var<T> tape<B>::apply<ops::op, T>(const ops::op::attributes&, operands);

// The ops that adapters are composed of. Any other is compiled where it is used.
#define MOR1E_OP_INSTANCES(How, B, T)                \
  MOR1E_OP_INSTANCE(How, B, T, add_op)               \
  MOR1E_OP_INSTANCE(How, B, T, columns_op)           \
  MOR1E_OP_INSTANCE(How, B, T, concat_columns_op)    \
  MOR1E_OP_INSTANCE(How, B, T, frozen_linear_op)     \
  MOR1E_OP_INSTANCE(How, B, T, gather_rows_op)       \
  MOR1E_OP_INSTANCE(How, B, T, layer_norm_op)        \
  MOR1E_OP_INSTANCE(How, B, T, linear_op)            \
  MOR1E_OP_INSTANCE(How, B, T, multiply_op)          \
  MOR1E_OP_INSTANCE(How, B, T, normalise_rows_op)    \
  MOR1E_OP_INSTANCE(How, B, T, rank1_gates_op)       \
  MOR1E_OP_INSTANCE(How, B, T, rank1_weights_op)     \
  MOR1E_OP_INSTANCE(How, B, T, rms_norm_op)          \
  MOR1E_OP_INSTANCE(How, B, T, router_statistics_op) \
  MOR1E_OP_INSTANCE(How, B, T, scale_op)             \
  MOR1E_OP_INSTANCE(How, B, T, scale_by_op)          \
  MOR1E_OP_INSTANCE(How, B, T, sigmoid_op)           \
  MOR1E_OP_INSTANCE(How, B, T, silu_op)              \
  MOR1E_OP_INSTANCE(How, B, T, softmax_op)           \
  MOR1E_OP_INSTANCE(How, B, T, sum_op)

// Host algorithms: B is a host device.
#define MOR1E_CLUSTER_INSTANCES(How, B, T)                                                                   \
  How template cluster::kmeans_result<T> cluster::kmeans(B&, view<const T>, const cluster::kmeans_options&); \
  How template tensor<T> cluster::intuition(B&, view<const T>, view<const T>, cluster::similarity);

#define MOR1E_LOADER_INSTANCES(How, B, T)                                                                      \
  How template bool models::is_supported<B, T>(const std::string&);                                            \
  How template std::unique_ptr<models::language_model<B, T>> models::load(B&, std::shared_ptr<io::checkpoint>, \
                                                                          models::load_options);               \
  How template std::unique_ptr<models::encoder<B, T>> models::load_encoder(B&, std::shared_ptr<io::checkpoint>);

#define MOR1E_MODEL_INSTANCES(How, B, T)                                                                  \
  How template models::decoder_outputs<T> models::outputs_of(B&, models::language_model<B, T>&,           \
                                                             const models::padded_batch&, view<const T>); \
  How template models::encoder_outputs<T> models::outputs_of(B&, const models::encoder<B, T>&,            \
                                                             const models::padded_batch&);                \
  How template class models::generation<B, T>;                                                            \
  How template class models::encoder_embedder<B>;

// The two methods that C++ names most, and all of them by name.
#define MOR1E_PEFT_INSTANCES(How, B, T)                                                                       \
  How template class peft::low_rank_adapter<B, T, peft::lora>;                                                \
  How template class peft::low_rank_adapter<B, T, peft::mor1e>;                                               \
  How template peft::adapter_set<B, T> peft::attach(const std::vector<nn::projection_group<B, T>*>&,          \
                                                    const peft::adapter_spec&);                               \
  How template void peft::save_adapter(const std::filesystem::path&, peft::adapter_set<B, T>&,                \
                                       const peft::adapter_record&);                                          \
  How template peft::loaded_adapter<B, T> peft::load_adapter(const std::vector<nn::projection_group<B, T>*>&, \
                                                             const std::filesystem::path&);

#define MOR1E_TRAIN_INSTANCES(How, B, T)         \
  How template class train::trainer<B, T>;       \
  How template class train::program_cache<B, T>; \
  How template class train::step_program<B, T>;

#define MOR1E_EVAL_INSTANCES(How, B, T)         \
  How template class eval::branch_scorer<B, T>; \
  How template class eval::scorer<B, T>;

// What programs compute with: one more back end is one more line here. Its includes stand in mor1e.hpp.
#define MOR1E_STANDARD(Instances, How) Instances(How, cpu, float)
// What models are loaded for besides: the reference of tests.
#define MOR1E_REFERENCES(Instances, How) Instances(How, cpu, double) Instances(How, reference, double)
