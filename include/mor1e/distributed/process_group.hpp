// Processes that work on one training together: who they are, and how they exchange what they have.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "mor1e/core/tensor.hpp"

namespace mor1e::distributed {

/// All members call the same functions in the same order; each waits there for the others.
class process_group {
 public:
  virtual ~process_group() = default;
  /// This process among them, from 0.
  virtual int index() const = 0;
  virtual int size() const = 0;
  /// The one that speaks and writes for all.
  bool leads() const { return index() == 0; }

  /// Block r of `mine` goes to process r; block r of `theirs` is what process r had for this one. Both [size, bytes].
  virtual void exchange(const std::byte* mine, std::byte* theirs, std::size_t bytes) = 0;
  /// Block r of `all` [size, bytes] is the `mine` [bytes] of process r.
  virtual void gather(const std::byte* mine, std::byte* all, std::size_t bytes) = 0;
  /// `data` [bytes] of process 0 becomes that of all.
  virtual void broadcast(std::byte* data, std::size_t bytes) = 0;
};

/// The group of a process that has no others.
class single_process final : public process_group {
 public:
  int index() const override { return 0; }
  int size() const override { return 1; }
  void exchange(const std::byte* mine, std::byte* theirs, std::size_t bytes) override { copy(mine, theirs, bytes); }
  void gather(const std::byte* mine, std::byte* all, std::size_t bytes) override { copy(mine, all, bytes); }
  void broadcast(std::byte*, std::size_t) override {}

 private:
  static void copy(const std::byte* from, std::byte* to, std::size_t bytes) {
    if (bytes) std::memcpy(to, from, bytes);
  }
};
inline process_group& alone() {
  static single_process group;
  return group;
}

/// Returns when all have come so far.
inline void wait_for_all(process_group& group) {
  std::byte nothing{};
  std::vector<std::byte> all(std::size_t(group.size()));
  group.gather(&nothing, all.data(), 1);
}

template <class T, std::size_t N>
void broadcast(process_group& group, std::span<T, N> values) {
  group.broadcast(std::as_writable_bytes(values).data(), values.size_bytes());
}

/// The text of process 0, of any length, becomes that of all.
inline void broadcast(process_group& group, std::string& words) {
  std::uint64_t size = words.size();
  broadcast(group, std::span(&size, 1));
  words.resize(size);
  broadcast(group, std::span(words));
}
/// The matrix of process 0, of any size, becomes that of all.
template <class T>
void broadcast(process_group& group, tensor<T>& values) {
  if (group.size() == 1) return;
  index_t sizes[] = {values.size() ? values.extents().rows() : 0, values.size() ? values.extents().cols() : 0};
  broadcast(group, std::span(sizes));
  if (!group.leads()) values = tensor<T>(shape{sizes[0], sizes[1]});
  broadcast(group, std::span(values.data(), std::size_t(values.size())));
}

/// `values` of all processes, one after the other: as many of each, [size, values].
template <class T, std::size_t N>
std::vector<T> gathered(process_group& group, std::span<const T, N> values) {
  std::vector<T> all(values.size() * std::size_t(group.size()));
  group.gather(std::as_bytes(values).data(), std::as_writable_bytes(std::span(all)).data(), values.size_bytes());
  return all;
}

/// Sums over all processes, of float or double.
template <class T>
class summation {
 public:
  explicit summation(process_group& group) : group_(&group) {}

  /// Room for `count` values of this process.
  std::span<T> begin(std::size_t count) {
    const auto size = std::size_t(group_->size());
    count_ = count, block_ = (count + size - 1) / size;
    mine_.resize(block_ * size);
    std::fill(mine_.begin() + std::ptrdiff_t(count), mine_.end(), T(0));
    return std::span(mine_).first(count);
  }
  /// What was put there becomes the sum over all processes, added in the order of the processes: each sums a block and
  /// gives it to the others, so that all have the same bits, and have them again another time.
  std::span<const T> finish() {
    const auto size = std::size_t(group_->size());
    if (size > 1) {
      theirs_.resize(mine_.size());
      group_->exchange(bytes_of(mine_), bytes_of(theirs_), block_ * sizeof(T));
      for (std::size_t r = 1; r < size; ++r)
        for (std::size_t i = 0; i < block_; ++i) theirs_[i] += theirs_[r * block_ + i];
      group_->gather(bytes_of(theirs_), bytes_of(mine_), block_ * sizeof(T));
    }
    return std::span(mine_).first(count_);
  }

 private:
  static std::byte* bytes_of(std::vector<T>& values) { return reinterpret_cast<std::byte*>(values.data()); }

  process_group* group_;
  std::size_t count_ = 0, block_ = 0;
  std::vector<T> mine_, theirs_;
};

/// Each of these becomes its sum over all processes, in their order: for a few numbers.
inline void add_up(process_group& group, std::span<double* const> values) {
  if (group.size() == 1) return;
  std::vector<double> mine;
  for (const double* value : values) mine.push_back(*value);
  const std::vector<double> all = gathered(group, std::span<const double>(mine));
  for (std::size_t i = 0; i < values.size(); ++i) {
    *values[i] = all[i];
    for (std::size_t at = i + values.size(); at < all.size(); at += values.size()) *values[i] += all[at];
  }
}

}  // namespace mor1e::distributed
