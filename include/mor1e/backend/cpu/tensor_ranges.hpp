// Many tensors as one range of elements, divided among threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>

#include "mor1e/backend/cpu/device.hpp"

namespace mor1e::backend::detail {

/// update(tensor, begin, end) for ranges that cover the elements of all tensors; it returns whether what it wrote is
/// finite. finite_i is 0 if some range of tensor i was not, else 1. The tensors lie end to end: elements are
/// independent, so that a thread may begin inside one.
template <class Tensor, class Update>
void update_tensors(cpu& device, std::span<const Tensor> tensors, view<std::int32_t> finite, Update update) {
  index_t elements = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    elements += tensors[i].value.size();
    finite[index_t(i)] = 1;
  }
  parallel_for(device.threads(), elements, 4096, [&](index_t begin, index_t end) {
    index_t first = 0;  // of tensor i
    for (std::size_t i = 0; i < tensors.size(); first += tensors[i++].value.size()) {
      const index_t from = std::max(begin - first, index_t(0)), to = std::min(end - first, tensors[i].value.size());
      if (from < to && !update(tensors[i], from, to))
        std::atomic_ref<std::int32_t>(finite[index_t(i)]).store(0, std::memory_order_relaxed);
    }
  });
}

}  // namespace mor1e::backend::detail
