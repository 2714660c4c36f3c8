#pragma once

#include <numeric>
#include <utility>

#include "mor1e/core/error.hpp"
#include "mor1e/core/rng.hpp"
#include "mor1e/data/sampling.hpp"

namespace mor1e::data {

MOR1E_INLINE std::vector<index_t> epoch_order(index_t count, std::uint64_t seed, index_t epoch) {
  std::vector<index_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), index_t(0));
  rng random(stream_key(seed, epoch));
  random.shuffle(order);
  return order;
}

MOR1E_INLINE sampling_order sampling_order_named(std::string_view name) {
  if (name == "shuffled") return sampling_order::shuffled;
  if (name == "round-robin") return sampling_order::round_robin;
  throw value_error(text("sampling order '", name, "' is unknown; there are: shuffled, round-robin"));
}

MOR1E_INLINE sampler::sampler(std::vector<index_t> task_sizes, sampling_order order, std::uint64_t seed)
    : first_{0}, order_(order), seed_(seed), tasks_(task_sizes.size()) {
  require<value_error>(!task_sizes.empty(), "sampler: no task");
  for (std::size_t task = 0; task < task_sizes.size(); ++task) {
    require<value_error>(task_sizes[task] > 0, "sampler: task number ", task, " has ", task_sizes[task], " examples");
    first_.push_back(first_.back() + task_sizes[task]);
  }
}

MOR1E_INLINE index_t sampler::card(deck& from, index_t count, index_t position, std::uint64_t stream) {
  if (from.epoch != position / count) {
    from.epoch = position / count;
    from.order = epoch_order(count, stream_key(seed_, stream), from.epoch);
  }
  return from.order[std::size_t(position % count)];
}

MOR1E_INLINE index_t sampler::next() {
  const index_t position = position_++;
  if (order_ == sampling_order::shuffled) return card(whole_, size(), position, 0);
  const index_t tasks = index_t(tasks_.size());
  const std::size_t task = std::size_t(card(whole_, tasks, position, 0));
  // Each round takes one example of each task: the round is the task's own position.
  return first_[task] + card(tasks_[task], first_[task + 1] - first_[task], position / tasks, 1 + task);
}

MOR1E_INLINE std::vector<index_t> sampler::take(index_t count) {
  std::vector<index_t> taken;
  for (index_t i = 0; i < count; ++i) taken.push_back(next());
  return taken;
}

MOR1E_INLINE void sampler::seek(index_t position) {
  require<value_error>(position >= 0, "sampler: position ", position, " is negative");
  position_ = position;
}

}  // namespace mor1e::data
