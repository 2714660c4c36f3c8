// A device that counts what it is asked for.
#pragma once

#include <cstddef>
#include <utility>

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

  long allocations = 0, live = 0;
};

}  // namespace mor1e::testing
