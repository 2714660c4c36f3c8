// Memory of work that is kept as a graph.
#pragma once

#include <cstddef>
#include <map>
#include <vector>

namespace mor1e::backend {

/// Blocks by their size, of which none goes back to the device before the end: while work is recorded, memory may be
/// neither taken from the device nor returned to it. What asks for the same sizes in the same order a second time is
/// given what there is.
template <class Memory>
class kept_blocks {
 public:
  explicit kept_blocks(Memory& memory) : memory_(&memory) {}
  kept_blocks(const kept_blocks&) = delete;
  kept_blocks& operator=(const kept_blocks&) = delete;
  ~kept_blocks() {
    for (void* block : all_) memory_->deallocate(block);
  }

  void* take(std::size_t bytes) {
    std::vector<void*>& free = free_[bytes];
    if (free.empty()) {
      all_.push_back(memory_->allocate(bytes));
      return all_.back();
    }
    void* block = free.back();
    free.pop_back();
    return block;
  }
  void give_back(void* block, std::size_t bytes) { free_[bytes].push_back(block); }

 private:
  Memory* memory_;
  std::vector<void*> all_;
  std::map<std::size_t, std::vector<void*>> free_;
};

}  // namespace mor1e::backend
