// Memory of an eager tape: blocks are handed back and found again by size.
#pragma once

#include <cstddef>
#include <map>
#include <utility>
#include <vector>

namespace mor1e {

/// Blocks of device memory, reused by exact size. A second step of the same shape takes nothing new from the device.
template <class B>
class pool {
 public:
  explicit pool(B& device) : device_(&device) {}
  pool(const pool&) = delete;
  pool& operator=(const pool&) = delete;
  ~pool() {
    for (auto& [size, blocks] : free_)
      for (std::byte* block : blocks) device_->deallocate(block);
  }

  std::byte* take(std::size_t bytes) {
    in_use_ += bytes;
    peak_ = in_use_ > peak_ ? in_use_ : peak_;
    auto& blocks = free_[bytes];
    if (blocks.empty()) return static_cast<std::byte*>(device_->allocate(bytes));
    std::byte* block = blocks.back();
    blocks.pop_back();
    return block;
  }
  void give_back(std::byte* block, std::size_t bytes) {
    in_use_ -= bytes;
    free_[bytes].push_back(block);
  }
  /// Largest sum of sizes in use at one time.
  std::size_t peak() const { return peak_; }
  std::size_t in_use() const { return in_use_; }

 private:
  B* device_;
  std::map<std::size_t, std::vector<std::byte*>> free_;
  std::size_t in_use_ = 0, peak_ = 0;
};

}  // namespace mor1e
