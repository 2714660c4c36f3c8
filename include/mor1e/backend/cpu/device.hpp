// The CPU back end: Eigen for matrix products, vectorised row kernels on a pool of threads.
#pragma once

#include <memory>

#include "mor1e/backend/arithmetic.hpp"
#include "mor1e/backend/host.hpp"
#include "mor1e/core/parallel.hpp"

namespace mor1e::backend {

class cpu : public host_memory {
 public:
  /// `threads` 0: one for each processor.
  explicit cpu(int threads = 0) : pool_(std::make_unique<thread_pool>(threads)) {}

  thread_pool& threads() const { return *pool_; }
  cpu& host() { return *this; }
  backend::arithmetic arithmetic() const { return {"eigen", pool_->size()}; }

 private:
  std::unique_ptr<thread_pool> pool_;
};

/// f(begin, end) over rows; a piece is worth a thread from about 16k elements.
template <class F>
void parallel_rows(cpu& device, index_t rows, index_t cols, const F& f) {
  parallel_for(device.threads(), rows, std::max<index_t>(1, 16384 / std::max<index_t>(cols, 1)), f);
}

}  // namespace mor1e::backend

namespace mor1e {
using backend::cpu;
}
