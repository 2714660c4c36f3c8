// The CPU back end: Eigen or oneDNN for matrix products, vectorised row kernels on a pool of threads.
#pragma once

#include <memory>

#include "mor1e/backend/arithmetic.hpp"
#include "mor1e/backend/cpu/products.hpp"
#include "mor1e/backend/host.hpp"
#include "mor1e/core/error.hpp"
#include "mor1e/core/parallel.hpp"

namespace mor1e::backend {

template <class T>
class cpu_frozen;

class cpu : public host_memory {
 public:
  template <class T>
  using frozen = cpu_frozen<T>;

  /// `threads` 0: as many as `available_processors`. Throws `value_error` for products that this processor or build
  /// does not have.
  explicit cpu(int threads = 0, cpu_products products = cpu_products::fp32)
      : pool_(std::make_unique<thread_pool>(threads)), products_(products) {
    const std::string problem = products_problem(products);
    require<value_error>(problem.empty(), problem);
  }

  thread_pool& threads() const { return *pool_; }
  cpu& host() { return *this; }
  cpu_products products() const { return products_; }
  backend::arithmetic arithmetic() const { return {products_name(products_), pool_->size()}; }

 private:
  std::unique_ptr<thread_pool> pool_;
  cpu_products products_;
};

/// f(begin, end) over rows; a piece is worth a thread from about 16k elements.
inline void parallel_rows(cpu& device, index_t rows, index_t cols, function_ref<void(index_t begin, index_t end)> f) {
  parallel_for(device.threads(), rows, std::max<index_t>(1, 16384 / std::max<index_t>(cols, 1)), f);
}

}  // namespace mor1e::backend

namespace mor1e {
using backend::cpu;
using backend::cpu_products;
}  // namespace mor1e
