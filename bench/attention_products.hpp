// The products inside attention as matrix products of their own, for the time that they take at least.
#pragma once

#include <algorithm>
#include <vector>

#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/scratch.hpp"

namespace mor1e::bench {

/// For each head and block of queries, `count` products with the keys that the block sees, [queries, keys] by head_dim:
/// scores and sums in turn. Segments without a shared prefix.
template <class T>
void attention_products(cpu& device, const attention_shape& a, view<const T> q, view<const T> k,
                        view<const std::int32_t> segments, int count) {
  constexpr index_t block = 128;
  struct task {
    segment of;
    index_t first;
    int head;
  };
  std::vector<task> tasks;
  index_t longest = 0;
  for (index_t n = 0; n < segments.rows; ++n) {
    const segment s = segment_at(segments, n);
    longest = std::max(longest, query_count(s));
    for (index_t first = 0; first < query_count(s); first += block)
      for (int head = 0; head < a.heads; ++head) tasks.push_back({s, first, head});
  }
  const backend::scratch<cpu, T> memory(device, device.threads().size(), block * (longest + a.head_dim));
  parallel_tasks(device.threads(), index_t(tasks.size()), [&](index_t i, int thread) {
    const auto& [s, first, head] = tasks[std::size_t(i)];
    const index_t rows = std::min(block, query_count(s) - first), last = first + rows - 1;
    const index_span seen{seen_keys(a, s, query_position(s, first)).begin,
                          seen_keys(a, s, query_position(s, last)).end};
    const auto head_of = [&](view<const T> x, index_t row, index_t n, index_t column) {
      return view<const T>(x.row(row) + column, n, a.head_dim, x.stride);
    };
    const auto queries = head_of(q, s.begin + first, rows, head * a.query_head_stride);
    const auto keys = head_of(k, key_row(s, seen.begin), seen.end - seen.begin, head / a.group() * a.key_head_stride);
    T* const own = memory.view().row(thread);
    const view<T> scores(own, rows, keys.rows), sums(own + block * longest, rows, a.head_dim);
    for (int n = 0; n < count; ++n)
      if (n % 2 == 0)
        backend::gemm_serial<T>(backend::transpose::no, backend::transpose::yes, T(1), queries, keys, T(0), scores);
      else
        backend::gemm_serial<T>(backend::transpose::no, backend::transpose::no, T(1), scores, keys, T(0), sums);
  });
}

}  // namespace mor1e::bench
