// The product of rows with a packed block of a weight.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

#include "mor1e/backend/cpu/onednn/library.hpp"

namespace mor1e::backend::detail::onednn {

/// x [rows, inner] by a packed matrix [inner, cols], 1 to `most_rows` rows at a time: a kernel for each power of two,
/// made when it is first needed. One for all weights of these sizes.
template <class Operands>
class block_product {
 public:
  static constexpr index_t most_rows = 256;

  static const block_product& of(index_t inner, index_t cols) {
    static std::mutex mutex;
    static std::map<std::pair<index_t, index_t>, block_product> known;
    const std::lock_guard lock(mutex);
    return known.try_emplace(std::pair(inner, cols), inner, cols).first->second;
  }
  block_product(index_t inner, index_t cols)
      : inner_(inner), cols_(cols), packed_(description(most_rows, any(inner, cols)).weights_desc()) {}

  const dnnl::memory::desc& packed() const { return packed_; }

  /// sums [rows, cols] = x weights for `rows` a power of two
  void operator()(index_t rows, const typename Operands::input* x, const dnnl::memory& weights,
                  typename Operands::sum* sums) const {
    lazy_kernel& kernel = kernels_[std::countr_zero(std::uint64_t(rows))];
    std::call_once(kernel.once, [&] {
      const auto made = description(rows, packed_);
      kernel.primitive = dnnl::matmul(made), kernel.working_memory = made.scratchpad_desc();
    });
    const dnnl::memory in(plain({rows, inner_}, type_of<typename Operands::input>), engine(),
                          const_cast<typename Operands::input*>(x)),
        out(plain({rows, cols_}, type_of<typename Operands::sum>), engine(), sums),
        working = working_memory(kernel.working_memory);
    execute(kernel.primitive, {{DNNL_ARG_SRC, in.get()},
                               {DNNL_ARG_WEIGHTS, weights.get()},
                               {DNNL_ARG_DST, out.get()},
                               {DNNL_ARG_SCRATCHPAD, working.get()}});
  }

 private:
  struct lazy_kernel {
    std::once_flag once;
    dnnl::matmul primitive;
    dnnl::memory::desc working_memory;
  };

  static dnnl::memory::desc any(index_t inner, index_t cols) {
    return {{inner, cols}, type_of<typename Operands::weight>, dnnl::memory::format_tag::any};
  }
  dnnl::matmul::primitive_desc description(index_t rows, const dnnl::memory::desc& weights) const {
    return matmul(plain({rows, inner_}, type_of<typename Operands::input>), weights,
                  plain({rows, cols_}, type_of<typename Operands::sum>));
  }

  index_t inner_, cols_;
  dnnl::memory::desc packed_;
  mutable std::array<lazy_kernel, std::countr_zero(std::uint64_t(most_rows)) + 1> kernels_;
};

}  // namespace mor1e::backend::detail::onednn
