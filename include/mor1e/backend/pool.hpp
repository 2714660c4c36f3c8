// Memory of eager tapes: blocks are handed back and found again by size.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <map>
#include <vector>

namespace mor1e::backend {

/// Blocks of device memory that outlive the tapes that use them: a second step of the same shapes takes nothing new
/// from the device. Sizes are rounded up to four to the power of two, so that lengths that vary find each other's
/// blocks. Unused blocks together never exceed the most that was in use at one time, or `always_kept` where that is
/// more, as for primitives that each borrow some working memory and hold nothing together; unless all are to be kept.
template <class Memory>
class pool {
 public:
  static constexpr std::size_t always_kept = std::size_t{64} << 20;

  explicit pool(Memory& memory, bool keeps_all = false) : memory_(&memory), keeps_all_(keeps_all) {}
  pool(const pool&) = delete;
  pool& operator=(const pool&) = delete;
  ~pool() { trim(); }

  void* take(std::size_t bytes) {
    const std::size_t size = rounded(bytes);
    std::vector<void*>& blocks = free_[size];
    void* block = blocks.empty() ? memory_->allocate(size) : blocks.back();
    if (!blocks.empty()) {
      blocks.pop_back();
      unused_ -= size;
    }
    in_use_ += size;
    peak_ = std::max(peak_, in_use_);
    return block;
  }
  void give_back(void* block, std::size_t bytes) {
    const std::size_t size = rounded(bytes);
    in_use_ -= size;
    if (!keeps_all_ && unused_ + size > std::max(peak_, always_kept)) return memory_->deallocate(block);
    free_[size].push_back(block);
    unused_ += size;
  }
  /// Returns all unused blocks to the device.
  void trim() {
    for (auto& [size, blocks] : free_)
      for (void* block : blocks) memory_->deallocate(block);
    free_.clear();
    unused_ = 0;
  }

 private:
  static std::size_t rounded(std::size_t bytes) {
    const std::size_t quarter = std::max<std::size_t>(64, std::bit_floor(bytes | 1) / 4);
    return std::max<std::size_t>(quarter, (bytes + quarter - 1) / quarter * quarter);
  }

  Memory* memory_;
  bool keeps_all_;
  std::map<std::size_t, std::vector<void*>> free_;
  std::size_t in_use_ = 0, peak_ = 0, unused_ = 0;
};

}  // namespace mor1e::backend
