// The order of training examples: a function of (seed, position), so that a resume needs one integer.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/core/shape.hpp"

namespace mor1e::data {

/// The numbers 0 ... count - 1 in the order of an epoch: a function of its arguments alone.
MOR1E_INLINE std::vector<index_t> epoch_order(index_t count, std::uint64_t seed, index_t epoch);

/// `shuffled`: every epoch is a permutation of all examples.
/// `round_robin`: every round deals one example of each task, the tasks in shuffled order; a task deals its own
/// permutations one after the other, so that a small task repeats while a large one is still in its first.
enum class sampling_order { shuffled, round_robin };

/// "shuffled" or "round-robin". Throws `value_error` naming both for another name.
MOR1E_INLINE sampling_order sampling_order_named(std::string_view name);

/// An endless sequence of example numbers over tasks of the given sizes. Examples are numbered through: those of task t
/// follow those of task t - 1. The state is the position alone.
class sampler {
 public:
  /// Throws `value_error` for no task or an empty one.
  MOR1E_INLINE sampler(std::vector<index_t> task_sizes, sampling_order order, std::uint64_t seed);

  /// The example at the position, which moves on.
  MOR1E_INLINE index_t next();
  /// The next `count` examples: a step's batch.
  MOR1E_INLINE std::vector<index_t> take(index_t count);

  /// Examples given so far; `seek` continues as if that many had been given. Throws `value_error` below 0.
  index_t position() const { return position_; }
  MOR1E_INLINE void seek(index_t position);

  /// Number of examples: what one epoch is counted as, also where tasks are dealt evenly.
  index_t size() const { return first_.back(); }

 private:
  /// A permutation kept while its epoch lasts.
  struct deck {
    index_t epoch = -1;
    std::vector<index_t> order;
  };
  MOR1E_INLINE index_t card(deck& from, index_t count, index_t position, std::uint64_t stream);

  std::vector<index_t> first_;  // number of each task's first example, then the number of all
  sampling_order order_;
  std::uint64_t seed_;
  index_t position_ = 0;
  deck whole_;  // all examples, or the tasks of a round
  std::vector<deck> tasks_;
};

}  // namespace mor1e::data

#ifndef MOR1E_COMPILED
#include "mor1e/data/sampling.ipp"
#endif
