// Branchings divided among processes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "mor1e/distributed/process_group.hpp"
#include "mor1e/eval/branches.hpp"

namespace mor1e::eval {

/// Where the branchings of each process begin, and the end of the last's: adjacent ones, about as many rows for each.
inline std::vector<std::size_t> shares_of(std::span<const branching> all, int processes) {
  index_t total = 0, before = 0;
  for (const branching& item : all) total += item.rows();
  std::vector<std::size_t> out{0};
  for (std::size_t i = 0; i < all.size(); before += all[i++].rows())
    while (int(out.size()) < processes && before * processes >= total * index_t(out.size())) out.push_back(i);
  out.resize(std::size_t(processes) + 1, all.size());
  return out;
}

namespace detail {

/// How many numbers say what a model says of it.
inline std::size_t numbers_of(const branching& item) {
  std::size_t count = 1 + item.branches.size();
  for (const auto& branch : item.branches) count += 2 * branch.size();
  return count;
}
inline void put(const branching_score& score, std::vector<double>& to) {
  to.push_back(score.greedy);
  to.insert(to.end(), score.first_logits.begin(), score.first_logits.end());
  for (const auto& branch : score.branches)
    for (const token_score& token : branch) to.insert(to.end(), {token.log_probability, double(token.largest)});
}
inline branching_score take(const branching& item, const double*& from) {
  branching_score out;
  out.greedy = std::int32_t(*from++);
  out.first_logits.assign(from, from + item.branches.size());
  from += item.branches.size();
  for (const auto& branch : item.branches) {
    auto& tokens = out.branches.emplace_back();
    for (std::size_t i = 0; i < branch.size(); ++i, from += 2) tokens.push_back({from[0], from[1] != 0});
  }
  return out;
}

}  // namespace detail

/// done(i, score) for every branching: those of this process as they come, then those of the others.
template <class B, class T>
void score_shared(distributed::process_group& group, branch_scorer<B, T>& scorer, std::span<const branching> all,
                  view<const T> intuition, const branching_done& done) {
  const std::vector<std::size_t> shares = shares_of(all, group.size());
  const auto index = std::size_t(group.index());
  const auto of = [&](std::size_t r) { return all.subspan(shares[r], shares[r + 1] - shares[r]); };
  std::vector<double> mine;
  scorer.score(of(index), intuition, [&](std::size_t i, branching_score&& score) {
    if (group.size() > 1) detail::put(score, mine);
    done(shares[index] + i, std::move(score));
  });
  if (group.size() == 1) return;
  std::size_t most = 0;
  for (std::size_t r = 0; r + 1 < shares.size(); ++r) {
    std::size_t count = 0;
    for (const branching& item : of(r)) count += detail::numbers_of(item);
    most = std::max(most, count);
  }
  mine.resize(most);
  const std::vector<double> theirs = distributed::gathered(group, std::span<const double>(mine));
  for (std::size_t r = 0; r + 1 < shares.size(); ++r) {
    const double* from = theirs.data() + r * most;
    for (std::size_t i = shares[r]; r != index && i < shares[r + 1]; ++i) done(i, detail::take(all[i], from));
  }
}

}  // namespace mor1e::eval
