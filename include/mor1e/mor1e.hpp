// Everything: tensors, autodiff, models, methods, training.
//
// A formula and its gradient:
//
//   cpu device;                                          // all threads; `reference` is the slow, plain one
//   param<cpu, float> w(device, "w", shape{3, 1});
//   tape t(device);                                      // records what is computed
//   const auto loss = mean(square(matmul(input(t, x), use(t, w)) - input(t, y)));
//   backward(loss);                                      // dloss/dw is in w.gradient
//
// A language model with the paper's mixture on it, trained for a step and read:
//
//   const auto model = models::load(device, "smollm2");  // a folder, a GGUF file or a short name
//   auto adapters = peft::attach(*model, peft::mor1e{.experts = 32});
//   train::trainer trainer(device, *model, adapters);
//   const double before = trainer.step(batches, intuition, 1).loss;
//
// Both are programs of examples/tour. Where to look further, by folder:
//
//   core      tensor, view, shape, dtype, error, rng          docs/tensors.md
//   backend   cpu, reference: memory and primitives           docs/adding-an-op.md
//   autodiff  tape, value, plan, param                        docs/design.md
//   ops       one op a file, ops/all.hpp lists them           docs/ops.md
//   nn        layers, trained or frozen: linear, embedding, norms, attention, MLP, blocks; initial values
//   optim     Adam, SGD, clipping, schedules
//   peft      methods, adapters, their files                  docs/methods.md, docs/adding-a-method.md
//   models    llama, gemma, phi, bloom, bert, nomic_bert, loading, generation
//   data      task files, packing, sampling                   docs/data.md
//   cluster   k-means, intuition
//   train     trainer, checkpoints, whole runs
//   distributed  processes that train together           docs/distributed.md
//   eval      scoring, statistics, router reports
//   text, io  tokenizers; safetensors, GGUF, .npy
//   interop   Eigen, xtensor, DLPack
//
// mor1e::core needs the parts from core to optim alone. With mor1e::compiled what instances.hpp lists comes from the
// library and costs no compile time here.
#pragma once

// First: so a mistake in a method is named in the first lines of the compiler's output.
#include "mor1e/peft/attach.hpp"
// All the rest.
#include "mor1e/autodiff/plan.hpp"
#include "mor1e/autodiff/tape.hpp"
#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/cluster/intuition.hpp"
#include "mor1e/cluster/kmeans.hpp"
#include "mor1e/eval/scoring.hpp"
#include "mor1e/models/generation.hpp"
#include "mor1e/models/outputs.hpp"
#include "mor1e/models/registry.hpp"
#include "mor1e/models/sentence_embedder.hpp"
#include "mor1e/ops/all.hpp"
#include "mor1e/peft/adapter_file.hpp"
#include "mor1e/peft/merge.hpp"
#include "mor1e/peft/registration.hpp"
#include "mor1e/train/trainer.hpp"

namespace mor1e {

/// Makes a method of one's own known by name, for the standard back end and float. One object at namespace scope:
///   const registered<my_method> known;
template <class M>
using registered = peft::registration<M, peft::on<cpu, float>>;

}  // namespace mor1e

#ifdef MOR1E_COMPILED
#include "mor1e/instances.hpp"

namespace mor1e {

MOR1E_STANDARD(MOR1E_OP_INSTANCES, extern)
MOR1E_STANDARD(MOR1E_CLUSTER_INSTANCES, extern)
MOR1E_STANDARD(MOR1E_LOADER_INSTANCES, extern)
MOR1E_REFERENCES(MOR1E_LOADER_INSTANCES, extern)
MOR1E_STANDARD(MOR1E_MODEL_INSTANCES, extern)
MOR1E_STANDARD(MOR1E_PEFT_INSTANCES, extern)
MOR1E_STANDARD(MOR1E_TRAIN_INSTANCES, extern)
MOR1E_STANDARD(MOR1E_EVAL_INSTANCES, extern)

}  // namespace mor1e
#endif
