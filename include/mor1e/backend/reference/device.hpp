// The reference back end: plain loops, one thread, no vectorisation asked for. It is the oracle of every parity test.
#pragma once

#include "mor1e/backend/arithmetic.hpp"
#include "mor1e/backend/host.hpp"

namespace mor1e::backend {

class reference : public host_memory {
 public:
  reference& host() { return *this; }
  backend::arithmetic arithmetic() const { return {"loops", 1}; }
};

}  // namespace mor1e::backend

namespace mor1e {
using backend::reference;
}
