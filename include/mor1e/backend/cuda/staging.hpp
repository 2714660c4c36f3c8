// Copies between the host's memory and a device through pinned memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "mor1e/backend/cuda/error.hpp"

namespace mor1e::backend {

/// Two halves of pinned memory, used in turns: the processor fills one while the device reads the other. A copy of
/// pageable memory by the runtime would wait for all that the stream has to do before it.
class pinned_staging {
 public:
  explicit pinned_staging(std::size_t half = std::size_t(1) << 20) : half_(half) {
    MOR1E_CUDA_CHECK(cudaMallocHost(reinterpret_cast<void**>(&memory_), 2 * half_));
    for (cudaEvent_t& free : free_) MOR1E_CUDA_CHECK(cudaEventCreateWithFlags(&free, cudaEventDisableTiming));
  }
  pinned_staging(const pinned_staging&) = delete;
  pinned_staging& operator=(const pinned_staging&) = delete;
  ~pinned_staging() {
    for (cudaEvent_t free : free_) cudaEventDestroy(free);
    cudaFreeHost(memory_);
  }

  /// Returns when `from` may be used again; the device has the bytes later, in the order of the stream.
  void upload(cudaStream_t stream, void* to, const void* from, std::size_t bytes) {
    for (std::size_t done = 0; done < bytes; done += half_) {
      const std::size_t n = std::min(half_, bytes - done);
      std::byte* place = next();
      std::memcpy(place, static_cast<const std::byte*>(from) + done, n);
      MOR1E_CUDA_CHECK(cudaMemcpyAsync(static_cast<std::byte*>(to) + done, place, n, cudaMemcpyHostToDevice, stream));
      MOR1E_CUDA_CHECK(cudaEventRecord(free_[turn_], stream));
    }
  }

  /// Returns when `to` holds the bytes.
  void download(cudaStream_t stream, void* to, const void* from, std::size_t bytes) {
    std::byte* arriving = nullptr;
    std::size_t arriving_bytes = 0;
    std::byte* target = static_cast<std::byte*>(to);
    for (std::size_t done = 0; done < bytes; done += half_) {
      const std::size_t n = std::min(half_, bytes - done);
      std::byte* place = next();
      MOR1E_CUDA_CHECK(
          cudaMemcpyAsync(place, static_cast<const std::byte*>(from) + done, n, cudaMemcpyDeviceToHost, stream));
      MOR1E_CUDA_CHECK(cudaEventRecord(free_[turn_], stream));
      if (arriving) target = receive(1 - turn_, target, arriving, arriving_bytes);
      arriving = place;
      arriving_bytes = n;
    }
    if (arriving) receive(turn_, target, arriving, arriving_bytes);
  }

 private:
  /// The other half, once the device is done with it.
  std::byte* next() {
    turn_ = 1 - turn_;
    MOR1E_CUDA_CHECK(cudaEventSynchronize(free_[turn_]));
    return memory_ + std::size_t(turn_) * half_;
  }
  std::byte* receive(int half, std::byte* to, const std::byte* from, std::size_t bytes) {
    MOR1E_CUDA_CHECK(cudaEventSynchronize(free_[half]));
    std::memcpy(to, from, bytes);
    return to + bytes;
  }

  std::size_t half_;
  std::byte* memory_ = nullptr;
  cudaEvent_t free_[2] = {};
  int turn_ = 0;
};

}  // namespace mor1e::backend
