// Parameters that several processes train together: their gradients added up, their values compared.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "mor1e/autodiff/param.hpp"
#include "mor1e/core/error.hpp"
#include "mor1e/distributed/process_group.hpp"

namespace mor1e::distributed {

/// The gradients of a list of parameters, through the host's memory.
template <class B, class T>
class gradient_sum {
 public:
  /// The parameters must outlive this.
  gradient_sum(process_group& group, std::vector<param<B, T>*> parameters)
      : group_(&group), parameters_(std::move(parameters)), sum_(group) {}

  /// Every gradient becomes the sum of those of all processes.
  void add_up() {
    if (group_->size() == 1) return;
    std::size_t count = 0;
    for (const auto* p : parameters_) count += std::size_t(p->size());
    T* to = sum_.begin(count).data();
    for (const auto* p : parameters_) {
      p->gradient.read_to(view<T>(to, 1, p->size()));
      to += p->size();
    }
    const T* from = sum_.finish().data();
    for (auto* p : parameters_) {
      p->gradient.write(view<const T>(from, 1, p->size()));
      from += p->size();
    }
  }

 private:
  process_group* group_;
  std::vector<param<B, T>*> parameters_;
  summation<T> sum_;
};

/// Throws `error` naming the first process whose values are not those of process 0, bit for bit, so that they would
/// train different models: another program, or another processor whose draws or updates round otherwise.
template <class B, class T>
void require_same(process_group& group, const std::vector<param<B, T>*>& parameters) {
  if (group.size() == 1) return;
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a of words
  for (const auto* p : parameters)
    for (const T value : p->read()) {
      std::uint64_t bits = 0;
      std::memcpy(&bits, &value, sizeof value);
      hash = (hash ^ bits) * 0x100000001b3u;
    }
  const std::vector<std::uint64_t> all = gathered(group, std::span<const std::uint64_t>(&hash, 1));
  for (std::size_t r = 1; r < all.size(); ++r)
    require<error>(all[r] == all[0], "process ", r, " of ", all.size(),
                   " has other parameters than process 0: all must run the same program");
}

}  // namespace mor1e::distributed
