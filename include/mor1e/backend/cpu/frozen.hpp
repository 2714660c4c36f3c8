// A frozen weight on the CPU, with what its products have packed of it.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

#include "mor1e/backend/cpu/packed_weight.hpp"
#include "mor1e/backend/transpose.hpp"

namespace mor1e::backend {

/// Packs for the products of the device, which are not fp32.
std::unique_ptr<const packed_weight> pack_weight(cpu& device, transpose tw, const host_frozen<float>& w);

/// A frozen weight on the CPU: as on any host, and what its products have packed of it.
template <class T>
class cpu_frozen : public host_frozen<T> {
 public:
  cpu_frozen() = default;
  template <class... Values>
  explicit cpu_frozen(cpu& device, Values&&... values) : host_frozen<T>(device, std::forward<Values>(values)...) {
    if (std::is_same_v<T, float> && device.products() != cpu_products::fp32) packed_ = std::make_unique<forms>();
  }

  bool is_rounded() const { return packed_ != nullptr; }
  /// The form for one product, packed by the first who asks.
  const packed_weight& packed(cpu& device, transpose tw) const {
    packing& kept = (*packed_)[tw == transpose::yes];
    std::call_once(kept.once, [&] { kept.form = pack_weight(device, tw, *this); });
    return *kept.form;
  }

 private:
  struct packing {
    std::once_flag once;
    std::unique_ptr<const packed_weight> form;
  };
  using forms = std::array<packing, 2>;
  std::unique_ptr<forms> packed_;
};

}  // namespace mor1e::backend

#ifndef MOR1E_COMPILED
#include "mor1e/backend/cpu/frozen.ipp"
#endif
