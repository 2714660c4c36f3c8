// A device that counts what it is asked for.
#pragma once

#include <cstddef>
#include <utility>

#include "mor1e/backend/pool.hpp"

namespace mor1e::testing {

/// `Device`, counting its allocations: all of them, and those not yet returned.
template <class Device>
struct counting : Device {
  using Device::Device;

  void* allocate(std::size_t bytes) {
    ++allocations, ++live;
    return Device::allocate(bytes);
  }
  void deallocate(void* p) {
    if (p) --live;
    Device::deallocate(p);
  }

  void* take(std::size_t bytes) { return blocks_.take(bytes); }
  void give_back(void* p, std::size_t bytes) { blocks_.give_back(p, bytes); }
  /// Those that the device keeps go back.
  void trim() { blocks_.trim(); }

  long allocations = 0, live = 0;

 private:
  backend::pool<counting> blocks_{*this};
};

}  // namespace mor1e::testing
