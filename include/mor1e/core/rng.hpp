// Random numbers as a function of (seed, counter): the same on every thread, device and resume.
#pragma once

#include <cmath>
#include <cstdint>
#include <iterator>
#include <numbers>
#include <type_traits>
#include <utility>

#include "mor1e/core/config.hpp"
#include "mor1e/core/error.hpp"

namespace mor1e {

/// 128 bits: a counter going in, random bits coming out.
struct philox_block {
  std::uint32_t word[4] = {};

  friend constexpr bool operator==(const philox_block&, const philox_block&) = default;
};

namespace detail {
/// One round of Philox on a block; `low` and `high` are the halves of the round's key.
MOR1E_SCALAR constexpr void philox_round(std::uint32_t low, std::uint32_t high, std::uint32_t& a, std::uint32_t& b,
                                         std::uint32_t& c, std::uint32_t& d) {
  const std::uint64_t even = std::uint64_t(0xD2511F53u) * a, odd = std::uint64_t(0xCD9E8D57u) * c;
  a = std::uint32_t(odd >> 32) ^ b ^ low;
  b = std::uint32_t(odd);
  c = std::uint32_t(even >> 32) ^ d ^ high;
  d = std::uint32_t(even);
}
/// f(low, high) for the keys of the ten rounds: Weyl sequences by the golden ratio and sqrt(3) - 1.
template <class F>
MOR1E_HD constexpr void each_philox_round(std::uint64_t key, const F& f) {
  std::uint32_t low = std::uint32_t(key), high = std::uint32_t(key >> 32);
  for (int round = 0; round < 10; ++round, low += 0x9E3779B9u, high += 0xBB67AE85u) f(low, high);
}
}  // namespace detail

/// Philox4x32-10: a keyed bijection of 128-bit blocks whose outputs for successive counters are random bits.
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
MOR1E_HD constexpr philox_block philox(std::uint64_t key, philox_block counter) {
  detail::each_philox_round(key, [&word = counter.word](std::uint32_t low, std::uint32_t high) {
    detail::philox_round(low, high, word[0], word[1], word[2], word[3]);
  });
  return counter;
}

namespace detail {
/// Blocks that make numbers and blocks that make keys never have a counter in common.
enum class philox_use : std::uint32_t { draw = 0, derive = 1, words = 2 };

MOR1E_HD constexpr philox_block philox_at(std::uint64_t key, std::uint64_t position, philox_use use) {
  return philox(key, {{std::uint32_t(position), std::uint32_t(position >> 32), 0, std::uint32_t(use)}});
}
MOR1E_HD constexpr std::uint64_t low_bits(const philox_block& block) {
  return block.word[0] | std::uint64_t(block.word[1]) << 32;
}
MOR1E_HD constexpr std::uint64_t high_bits(const philox_block& block) {
  return block.word[2] | std::uint64_t(block.word[3]) << 32;
}

/// The upper bits of `bits` as a multiple of 2^-24 (float) or 2^-53 (double): exact, and never 1.
template <class T>
MOR1E_HD constexpr T unit_interval(std::uint64_t bits) {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>);
  if constexpr (std::is_same_v<T, float>)
    return float(bits >> 40) * 0x1p-24f;
  else
    return double(bits >> 11) * 0x1p-53;
}
}  // namespace detail

/// The key of the stream named by `ids` (step, layer, example ...) under `seed`. The order of the ids counts;
/// `stream_key(stream_key(s, a), b) == stream_key(s, a, b)`, so that an outer loop can fold its ids once.
template <class... Ids>
MOR1E_HD constexpr std::uint64_t stream_key(std::uint64_t seed, Ids... ids) {
  static_assert((std::is_integral_v<Ids> && ...), "stream ids are integers");
  ((seed = detail::low_bits(detail::philox_at(seed, std::uint64_t(ids), detail::philox_use::derive))), ...);
  return seed;
}

/// The `position`-th number of a stream, uniform in [0, 1): 24 random bits as a float, 53 as a double.
template <class T>
MOR1E_HD constexpr T uniform(std::uint64_t key, std::uint64_t position) {
  return detail::unit_interval<T>(detail::low_bits(detail::philox_at(key, position, detail::philox_use::draw)));
}

/// Four words of 32 random bits at a place named by three indices.
MOR1E_HD constexpr philox_block random_words(std::uint64_t key, std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  return philox(key, {{a, b, c, std::uint32_t(detail::philox_use::words)}});
}

/// words[k][i] = random_words(key, a + i, b, c).word[k] for each i, computed side by side.
template <std::size_t N>
void random_words(std::uint64_t key, std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t (&words)[4][N]) {
  for (std::size_t i = 0; i < N; ++i) {
    words[0][i] = a + std::uint32_t(i);
    words[1][i] = b;
    words[2][i] = c;
    words[3][i] = std::uint32_t(detail::philox_use::words);
  }
  detail::each_philox_round(key, [&](std::uint32_t low, std::uint32_t high) {
#pragma omp simd
    for (std::size_t i = 0; i < N; ++i)
      detail::philox_round(low, high, words[0][i], words[1][i], words[2][i], words[3][i]);
  });
}

/// A sequence of random numbers. Its whole state is two integers, so that a checkpoint stores it as plain numbers:
/// every draw takes one block, and nothing is kept between draws.
class rng {
 public:
  struct state {
    std::uint64_t seed = 0;
    std::uint64_t position = 0;

    friend bool operator==(const state&, const state&) = default;
  };

  explicit rng(std::uint64_t seed) : state_{seed, 0} {}
  explicit rng(const state& saved) : state_(saved) {}

  const state& saved() const { return state_; }

  /// 64 random bits.
  std::uint64_t bits() { return detail::low_bits(next()); }

  /// Uniform in [0, 1), a multiple of 2^-53.
  double uniform() { return detail::unit_interval<double>(bits()); }

  /// Uniform in {0, ..., count - 1}, without bias. Throws `value_error` for a count of zero.
  std::uint64_t below(std::uint64_t count) {
    require<value_error>(count > 0, "rng::below: there is no number below 0");
    // 2^64 mod count values at the bottom are drawn again: what is left divides evenly.
    const std::uint64_t rejected = (0 - count) % count;
    std::uint64_t drawn = bits();
    while (drawn < rejected) drawn = bits();
    return drawn % count;
  }

  /// Standard normal, by the transform of Box and Muller: one of the pair, from one block.
  double normal() {
    const philox_block block = next();
    const double radius = std::sqrt(-2 * std::log(1 - detail::unit_interval<double>(detail::low_bits(block))));
    return radius * std::cos(2 * std::numbers::pi * detail::unit_interval<double>(detail::high_bits(block)));
  }

  /// A uniformly random permutation, in place, of anything contiguous: a vector, an array, a span (Fisher and Yates).
  template <class Items>
  void shuffle(Items&& items) {
    using std::swap;
    for (std::size_t left = std::size(items); left > 1; --left) swap(items[left - 1], items[below(left)]);
  }

 private:
  philox_block next() { return detail::philox_at(state_.seed, state_.position++, detail::philox_use::draw); }

  state state_;
};

}  // namespace mor1e
