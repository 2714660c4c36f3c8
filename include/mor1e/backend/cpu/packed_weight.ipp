// Definitions of cpu/packed_weight.hpp: oneDNN multiplies.
#pragma once

#include "mor1e/backend/cpu/packed_weight.hpp"

#ifdef MOR1E_ONEDNN
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "mor1e/backend/cpu/onednn.hpp"
#include "mor1e/backend/scratch.hpp"
#include "mor1e/core/dtype.hpp"

namespace mor1e::backend {

namespace detail {

/// Operands of one precision: what a weight and what multiplies it are rounded to, and what their products sum to.
struct bf16_operands {
  using weight = std::uint16_t;
  using input = std::uint16_t;
  using sum = float;
  static constexpr auto weight_type = dnnl::memory::data_type::bf16, input_type = dnnl::memory::data_type::bf16,
                        sum_type = dnnl::memory::data_type::f32;
  static constexpr bool scaled = false;
  static constexpr index_t most_terms = std::numeric_limits<index_t>::max();

  template <class F, class To>
  static float round(index_t n, F x, To* to) {
#pragma omp simd
    for (index_t j = 0; j < n; ++j) to[j] = float_to_bf16(x(j));
    return 1;
  }
};
struct int8_operands {
  using weight = std::int8_t;
  using input = std::uint8_t;  ///< plus `offset`, as VNNI multiplies unsigned by signed
  using sum = std::int32_t;
  static constexpr auto weight_type = dnnl::memory::data_type::s8, input_type = dnnl::memory::data_type::u8,
                        sum_type = dnnl::memory::data_type::s32;
  static constexpr bool scaled = true;
  static constexpr int offset = 128;
  static constexpr index_t most_terms = std::numeric_limits<sum>::max() / (255 * 127);

  /// x(j) = scale (to_j - shift) for j < n, shift being 0 in a weight and `offset` in an input. Returns the scale; it
  /// is NaN if there is a value that is not finite. x is a copy: bytes that are written might else be its own.
  template <class F, class To>
  static float round(index_t n, F x, To* to) {
    constexpr int shift = std::is_same_v<To, input> ? offset : 0;
    // Magnitudes are ordered as their bits are, and whatever is not finite comes after all others.
    std::uint32_t bits = 0;
#pragma omp simd reduction(max : bits)
    for (index_t j = 0; j < n; ++j) {
      const std::uint32_t magnitude = std::bit_cast<std::uint32_t>(x(j)) & 0x7fffffffu;
      bits = magnitude > bits ? magnitude : bits;
    }
    if (bits >= 0x7f800000u) {
      std::fill_n(to, n, To(shift));
      return std::numeric_limits<float>::quiet_NaN();
    }
    const float largest = std::bit_cast<float>(bits);
    const float inverse = largest > 0 ? 127 / largest : 0;
    // Truncating a positive number plus a half rounds to nearest, in vectors.
#pragma omp simd
    for (index_t j = 0; j < n; ++j) to[j] = To(int(x(j) * inverse + 128.5f) - 128 + shift);
    return largest / 127;
  }
};

/// x [rows, inner] by a packed matrix [inner, cols], 1 to `most_rows` rows at a time: a kernel for each power of two,
/// made when it is first needed. One for all weights of these sizes.
template <class Operands>
class block_product {
 public:
  static constexpr index_t most_rows = 64;

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
    const dnnl::memory in(onednn::plain({rows, inner_}, Operands::input_type), onednn::engine(),
                          const_cast<typename Operands::input*>(x)),
        out(onednn::plain({rows, cols_}, Operands::sum_type), onednn::engine(), sums),
        working = onednn::working_memory(kernel.working_memory);
    onednn::execute(kernel.primitive, {{DNNL_ARG_SRC, in.get()},
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
    return {{inner, cols}, Operands::weight_type, dnnl::memory::format_tag::any};
  }
  dnnl::matmul::primitive_desc description(index_t rows, const dnnl::memory::desc& weights) const {
    return onednn::matmul(onednn::plain({rows, inner_}, Operands::input_type), weights,
                          onednn::plain({rows, cols_}, Operands::sum_type));
  }

  index_t inner_, cols_;
  dnnl::memory::desc packed_;
  mutable std::array<lazy_kernel, std::countr_zero(std::uint64_t(most_rows)) + 1> kernels_;
};

/// op(W) [inner, cols] in blocks of columns, each small enough to stay in the cache of one core.
template <class Operands>
class rounded_weight final : public packed_weight {
 public:
  rounded_weight(cpu& device, transpose tw, const host_frozen<float>& w) : transposed_(tw == transpose::yes) {
    inner_ = transposed_ ? w.cols() : w.rows();
    require<value_error>(inner_ <= Operands::most_terms, products_name(device.products()), ": a weight [", w.rows(),
                         ", ", w.cols(), "] sums ", inner_, " terms; at most ", Operands::most_terms, " fit");
    std::vector<typename Operands::weight> rounded(std::size_t(w.rows() * w.cols()));
    std::vector<float> scales(std::size_t(w.rows()));
    parallel_rows(device, w.rows(), w.cols(), [&](index_t begin, index_t end) {
      tensor<float> row(shape{1, w.cols()});
      for (index_t i = begin; i < end; ++i) {
        w.read_rows(i, row.matrix());
        const float* const from = row.data();
        scales[i] = Operands::round(
            w.cols(), [=](index_t j) { return from[j]; }, rounded.data() + i * w.cols());
      }
    });
    const index_t cols = transposed_ ? w.rows() : w.cols();
    const index_t count = (cols + most_cols - 1) / most_cols;
    for (index_t b = 0; b < count; ++b)
      blocks_.emplace_back().begin = edge(cols, count, b), blocks_.back().end = edge(cols, count, b + 1);
    parallel_for(device.threads(), count, 1, [&](index_t begin, index_t end) {
      for (index_t b = begin; b < end; ++b) pack(blocks_[b], rounded.data(), w.cols());
    });
    if (Operands::scaled) scales_ = std::move(scales);
  }

  void multiply(cpu& device, view<const float> x, float beta, view<float> y) const override {
    const scratch<cpu, typename Operands::input> rounded(device, x.rows, inner_);
    const scratch<cpu, float> scales(device, 1, x.rows);
    parallel_rows(device, x.rows, inner_, [&](index_t begin, index_t end) {
      for (index_t i = begin; i < end; ++i) {
        const auto round = [&](auto value) { return Operands::round(inner_, value, rounded.view().row(i)); };
        const float *row = x.row(i), *of_row = scales_.data();
        scales.view()[i] = Operands::scaled && !transposed_ ? round([=](index_t j) { return row[j] * of_row[j]; })
                                                            : round([=](index_t j) { return row[j]; });
      }
    });
    // Few rows leave no thread without columns; many rows let each thread keep a block of the weight in its cache.
    const bool by_rows = x.rows >= index_t(device.threads().size()) * block_product<Operands>::most_rows / 2;
    parallel_for(device.threads(), by_rows ? x.rows : index_t(blocks_.size()), by_rows ? 16 : 1,
                 [&](index_t begin, index_t end) {
                   if (by_rows)
                     for (const block& b : blocks_) multiply(b, begin, end, rounded.view(), scales.view(), beta, y);
                   else
                     for (index_t b = begin; b < end; ++b)
                       multiply(blocks_[b], 0, x.rows, rounded.view(), scales.view(), beta, y);
                 });
  }

 private:
  static constexpr index_t most_cols = 512;

  struct block {
    index_t begin = 0, end = 0;  ///< columns of op(W)
    const block_product<Operands>* product = nullptr;
    dnnl::memory values;
    std::vector<std::int32_t> shifts;  ///< what the offset of the inputs adds to each sum
  };

  /// Where block b of `count` begins: at a multiple of what a vector holds.
  static index_t edge(index_t cols, index_t count, index_t b) {
    return std::min(cols, (cols * b / count + 63) / 64 * 64);
  }

  void pack(block& b, typename Operands::weight* rounded, index_t stride) const {
    const index_t cols = b.end - b.begin;
    b.product = &block_product<Operands>::of(inner_, cols);
    b.values = dnnl::memory(b.product->packed(), onednn::engine());
    const dnnl::memory::desc from({inner_, cols}, Operands::weight_type,
                                  transposed_ ? dnnl::memory::dims{1, stride} : dnnl::memory::dims{stride, 1});
    typename Operands::weight* const first = rounded + b.begin * (transposed_ ? stride : 1);
    onednn::reorder(dnnl::memory(from, onednn::engine(), first), b.values);
    if constexpr (Operands::scaled) {
      b.shifts.assign(std::size_t(cols), 0);
      const index_t rows = transposed_ ? cols : inner_, of_row = transposed_ ? inner_ : cols;
      for (index_t i = 0; i < rows; ++i)
        for (index_t j = 0; j < of_row; ++j) b.shifts[transposed_ ? i : j] += Operands::offset * first[i * stride + j];
    }
  }

  void multiply(const block& b, index_t begin, index_t end, view<typename Operands::input> x, view<float> scales,
                float beta, view<float> y) const {
    const index_t cols = b.end - b.begin;
    thread_local std::vector<typename Operands::sum> memory;
    memory.resize(std::max(memory.size(), std::size_t(block_product<Operands>::most_rows * cols)));
    typename Operands::sum* const sums = memory.data();
    for (index_t first = begin, rows; first < end; first += rows) {
      rows = std::min(block_product<Operands>::most_rows, index_t(std::bit_floor(std::uint64_t(end - first))));
      (*b.product)(rows, x.row(first), b.values, sums);
      for (index_t i = 0; i < rows; ++i) {
        const typename Operands::sum* sum = sums + i * cols;
        float* const to = y.row(first + i) + b.begin;
        if constexpr (!Operands::scaled) {
          write_row(to, cols, beta, [=](index_t j) { return sum[j]; });
        } else {
          const float scale = scales[first + i];
          const std::int32_t* const shift = b.shifts.data();
          if (const float* of_row = scales_.data() + b.begin; transposed_)
            write_row(to, cols, beta, [=](index_t j) { return scale * of_row[j] * float(sum[j] - shift[j]); });
          else
            write_row(to, cols, beta, [=](index_t j) { return scale * float(sum[j] - shift[j]); });
        }
      }
    }
  }

  bool transposed_;
  index_t inner_ = 0;
  std::vector<float> scales_;  ///< of the rows of W
  std::vector<block> blocks_;
};

}  // namespace detail

MOR1E_INLINE std::unique_ptr<const packed_weight> pack_weight(cpu& device, transpose tw, const host_frozen<float>& w) {
  if (device.products() == cpu_products::bf16)
    return std::make_unique<detail::rounded_weight<detail::bf16_operands>>(device, tw, w);
  return std::make_unique<detail::rounded_weight<detail::int8_operands>>(device, tw, w);
}

}  // namespace mor1e::backend
#else
namespace mor1e::backend {
MOR1E_INLINE std::unique_ptr<const packed_weight> pack_weight(cpu&, transpose, const host_frozen<float>&) {
  return nullptr;  // no device has such products
}
}  // namespace mor1e::backend
#endif
