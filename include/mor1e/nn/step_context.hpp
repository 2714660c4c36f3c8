// What one forward pass knows besides its parameters.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/core/segment.hpp"

namespace mor1e::nn {

/// Keys and values of the tokens seen so far, for generation: one pair of matrices [capacity, kv_heads * head_dim] a
/// layer.
template <class B, class T>
struct kv_cache {
  struct layer {
    array<B, T> keys, values;
  };
  std::vector<layer> layers;
};

template <class B, class T>
struct step_context;

/// Observes the routers that a pass goes through (on a tape that plans: while it is recorded).
template <class B, class T>
class router_observer {
 public:
  virtual ~router_observer() = default;
  /// `weights[p]` [rows, experts]: the weight with which each expert enters the update of linear `names[p]`, constants
  /// and gates included, its scale not. To be read now: later in the pass the values may be gone.
  virtual void observe(tape<B>& t, std::span<const std::string> names, std::span<const var<T>> weights,
                       const step_context<B, T>& step) = 0;
};

/// What the slots of an update are multiplied by: gates [rows, slots of all linears], and the method's scale.
template <class T>
struct slot_multipliers {
  var<T> gates;
  double scale = 1;
};

/// The batch of a pass on its tape. Rows are tokens, packed without padding and rounded up to a bucket; rows in no
/// segment are dead: they belong to no instance, no row of the answer, and cost only their share of the row kernels.
template <class T>
struct batch_inputs {
  var<std::int32_t> tokens;     ///< [rows, 1]
  var<std::int32_t> positions;  ///< [rows, 1], from 0 in each sequence
  var<std::int32_t> segments;   ///< [sequences, 5], see core/segment.hpp
  var<std::int32_t> instances;  ///< [rows, 1], row of `intuition` of each token; -1 for dead rows
  var<std::int32_t> examples;   ///< [rows, 1], number of each token's example in its step, however it is packed; empty
                                ///< without random numbers
  var<std::int32_t> draw;       ///< [1, 2], halves of the key of this step's random numbers; empty: nothing is dropped
  var<T> intuition;             ///< [instances, clusters]; empty for methods without
  var<std::int32_t> answer_rows;  ///< [answers, 1], rows whose next token is a target; -1 for none
  var<std::int32_t> targets;      ///< [answers, 1], the token that follows; -1 ignored
  var<T> loss_scale;              ///< [1, 1], 1 / number of targets of the whole step
  var<T> token_scale;             ///< [1, 1], 1 / number of live rows of the whole step; for auxiliary losses
  var<T> types;  ///< [sequences, 1], 1 for an instance of a task of type 1, -1 of type 0, 0 where there
                 ///< is none; empty unless a method tells them apart
};

/// How a pass runs.
struct pass_mode {
  bool training = false;   ///< with dropout, noise and auxiliary losses
  bool recompute = false;  ///< run each block again before its backward
};

/// Who looks on while a pass runs; null: nobody.
template <class B, class T>
struct pass_observers {
  std::vector<var<T>>* hidden = nullptr;     ///< collects the input of the first block and the output of each
  router_observer<B, T>* routers = nullptr;  ///< is shown the weights of each group's experts
  std::vector<slot_multipliers<T>>* multipliers =
      nullptr;  ///< collects those of each group, with random signs in place of the products V^T x
};

/// [1, 1], to be added to the loss; collected while training, see nn/auxiliary_loss.hpp.
template <class T>
struct auxiliary_term {
  std::string group;  ///< the first linear of the group that it is of
  var<T> loss;
};

/// A pass through a model, given to every `forward`: its batch, how it runs, who looks on, and what it collects.
template <class B, class T>
struct step_context {
  batch_inputs<T> batch;
  pass_mode mode;
  pass_observers<B, T> observers;
  kv_cache<B, T>* cache = nullptr;  ///< generation: attend over it and append to it
  std::vector<auxiliary_term<T>> auxiliary_losses = {};
};

}  // namespace mor1e::nn
