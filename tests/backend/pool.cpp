// Blocks of device memory that are handed back and found again.
#include <cstddef>
#include <cstdlib>

#include <doctest/doctest.h>

#include "mor1e/backend/pool.hpp"

using mor1e::backend::pool;

namespace {

/// Counts what is taken from the device and what is given back to it.
struct counted_memory {
  int taken = 0, returned = 0;
  void* allocate(std::size_t) {
    ++taken;
    return std::malloc(1);
  }
  void deallocate(void* block) {
    ++returned;
    std::free(block);
  }
};

constexpr std::size_t mebibyte = std::size_t{1} << 20;

}  // namespace

TEST_CASE("borrowers of different sizes, one after the other, each find their block again") {
  counted_memory memory;
  pool<counted_memory> blocks(memory);
  for (int step = 0; step < 5; ++step)
    for (const std::size_t size : {1 * mebibyte, 3 * mebibyte, 7 * mebibyte}) blocks.give_back(blocks.take(size), size);
  CHECK(memory.taken == 3);
  CHECK(memory.returned == 0);
}

TEST_CASE("unused blocks never exceed the most that was in use, once that is more than what is always kept") {
  counted_memory memory;
  const std::size_t large = pool<counted_memory>::always_kept * 2;
  {
    pool<counted_memory> blocks(memory);
    blocks.give_back(blocks.take(large), large);
    CHECK(memory.returned == 0);
    blocks.give_back(blocks.take(large / 2), large / 2);
    CHECK(memory.returned == 1);
    blocks.give_back(blocks.take(large), large);
    CHECK(memory.taken == 2);
    blocks.trim();
    CHECK(memory.returned == 2);
  }
  CHECK(memory.taken == memory.returned);
}
