// A device whose memory the host cannot touch: what shows, without a GPU, that nothing outside a back end does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <new>
#include <span>
#include <sys/mman.h>
#include <utility>
#include <vector>

#include "mor1e/backend/array.hpp"
#include "mor1e/backend/reference.hpp"

namespace mor1e::testing {

/// Computes as `reference` does, in pages that may be read and written inside primitives, `upload` and `download`
/// alone. Any other access ends the process by SIGSEGV at the line that made it.
class fenced {
 public:
  template <class T>
  using view = device_view<T>;

  /// A frozen weight behind the fence.
  template <class T>
  class frozen {
   public:
    frozen() = default;
    frozen(fenced& device, const tensor<T>& values)
        : values_(device, values),
          inner_(device.inner_,
                 mor1e::view<const T>(values_.matrix().address(), values.extents().rows(), values.extents().cols()),
                 nullptr) {}
    frozen(fenced& device, mor1e::view<const T> values, const std::shared_ptr<const void>&)
        : values_(device, shape{values.rows, values.cols}),
          inner_(device.inner_, mor1e::view<const T>(values_.matrix().address(), values.rows, values.cols), nullptr) {
      values_.write(values);
    }
    index_t rows() const { return inner_.rows(); }
    index_t cols() const { return inner_.cols(); }
    const backend::host_frozen<T>& inner() const { return inner_; }
    const array<fenced, T>& values() const { return values_; }

   private:
    array<fenced, T> values_;
    backend::host_frozen<T> inner_;
  };

  /// While one lives, the memory is open.
  class opened {
   public:
    explicit opened(fenced& device) : device_(&device) {
      if (device_->open_++ == 0) device_->protect(PROT_READ | PROT_WRITE);
    }
    opened(const opened&) = delete;
    opened& operator=(const opened&) = delete;
    ~opened() {
      if (--device_->open_ == 0) device_->protect(PROT_NONE);
    }

   private:
    fenced* device_;
  };

  /// `bytes`: of address space, of which only what is used becomes memory.
  explicit fenced(std::size_t bytes = std::size_t(1) << 30)
      : size_(bytes),
        begin_(static_cast<std::byte*>(
            mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
    if (begin_ == MAP_FAILED) throw std::bad_alloc();
  }
  fenced(const fenced&) = delete;
  fenced& operator=(const fenced&) = delete;
  ~fenced() { munmap(begin_, size_); }

  void* allocate(std::size_t bytes) {
    const std::size_t size = (bytes + 63) / 64 * 64 + 64;
    std::vector<std::byte*>& unused = unused_[size];
    std::byte* block = nullptr;
    if (unused.empty()) {
      if (used_ + size > size_) throw std::bad_alloc();
      block = begin_ + used_;
      used_ += size;
    } else {
      block = unused.back();
      unused.pop_back();
    }
    size_of_[block] = size;
    return block;
  }
  void deallocate(void* p) {
    if (!p) return;
    const auto at = size_of_.find(static_cast<std::byte*>(p));
    unused_[at->second].push_back(at->first);
    size_of_.erase(at);
  }
  void* take(std::size_t bytes) { return allocate(bytes); }
  void give_back(void* p, std::size_t) { deallocate(p); }
  void upload(void* to, const void* from, std::size_t bytes) {
    const opened o(*this);
    inner_.upload(to, from, bytes);
  }
  void download(void* to, const void* from, std::size_t bytes) {
    const opened o(*this);
    inner_.download(to, from, bytes);
  }
  void finish() {}
  reference& host() { return inner_; }
  backend::arithmetic arithmetic() const { return inner_.arithmetic(); }

 private:
  void protect(int access) {
    if (mprotect(begin_, size_, access) != 0) throw std::bad_alloc();
  }

  reference inner_;
  std::size_t size_, used_ = 0;
  std::byte* begin_;
  int open_ = 0;
  std::map<std::size_t, std::vector<std::byte*>> unused_;
  std::map<std::byte*, std::size_t> size_of_;
};

namespace detail {

// Arguments of a primitive as `reference` takes them.
template <class A>
const A& behind_fence(const A& argument) {
  return argument;
}
template <class T>
view<T> behind_fence(device_view<T> v) {
  return {v.address(), v.rows, v.cols, v.stride};
}
template <class T>
const backend::host_frozen<T>& behind_fence(const fenced::frozen<T>& w) {
  return w.inner();
}

}  // namespace detail

// Every primitive there is, each with the fence open while it runs.
#define MOR1E_FENCED(primitive)                                   \
  template <class... Arguments>                                   \
  void primitive(fenced& device, const Arguments&... arguments) { \
    const fenced::opened o(device);                               \
    primitive(device.host(), detail::behind_fence(arguments)...); \
  }
MOR1E_FENCED(add_bias)
MOR1E_FENCED(assign_to_centroids)
MOR1E_FENCED(attention_backward)
MOR1E_FENCED(attention_forward)
MOR1E_FENCED(axpby)
MOR1E_FENCED(batched_gemm)
MOR1E_FENCED(broadcast)
MOR1E_FENCED(cache_keys)
MOR1E_FENCED(capacity_mask)
MOR1E_FENCED(column_sums)
MOR1E_FENCED(cross_entropy_backward)
MOR1E_FENCED(cross_entropy_forward)
MOR1E_FENCED(cross_entropy_in_place)
MOR1E_FENCED(dot)
MOR1E_FENCED(dropout)
MOR1E_FENCED(multiply_noise)
MOR1E_FENCED(excess_backward)
MOR1E_FENCED(excess_forward)
MOR1E_FENCED(expert_slots_backward)
MOR1E_FENCED(expert_slots_forward)
MOR1E_FENCED(fill)
MOR1E_FENCED(fold_columns)
MOR1E_FENCED(frozen_gather)
MOR1E_FENCED(frozen_gemm)
MOR1E_FENCED(gated_backward)
MOR1E_FENCED(gated_forward)
MOR1E_FENCED(gather_rows)
MOR1E_FENCED(gemm)
MOR1E_FENCED(group_mean)
MOR1E_FENCED(largest)
MOR1E_FENCED(largest_backward)
MOR1E_FENCED(layer_norm_backward)
MOR1E_FENCED(layer_norm_forward)
MOR1E_FENCED(layer_norm_weight_gradient)
MOR1E_FENCED(log_softmax_backward)
MOR1E_FENCED(log_softmax_forward)
MOR1E_FENCED(log_sum_exp_backward)
MOR1E_FENCED(log_sum_exp_forward)
MOR1E_FENCED(map_backward)
MOR1E_FENCED(map_forward)
MOR1E_FENCED(multiply)
MOR1E_FENCED(normalise_rows_backward)
MOR1E_FENCED(normalise_rows_forward)
MOR1E_FENCED(normalise_sum_backward)
MOR1E_FENCED(normalise_sum_forward)
MOR1E_FENCED(rank1_gates_backward)
MOR1E_FENCED(rank1_gates_forward)
MOR1E_FENCED(rank1_weights)
MOR1E_FENCED(rescale)
MOR1E_FENCED(rms_norm_backward)
MOR1E_FENCED(rms_norm_forward)
MOR1E_FENCED(rms_norm_weight_gradient)
MOR1E_FENCED(rotary_angles)
MOR1E_FENCED(rotary_turn)
MOR1E_FENCED(router_statistics)
MOR1E_FENCED(row_squares)
MOR1E_FENCED(row_sums)
MOR1E_FENCED(scale_by)
MOR1E_FENCED(scale_columns)
MOR1E_FENCED(scale_columns_gradient)
MOR1E_FENCED(scatter_rows)
MOR1E_FENCED(segment_mean_backward)
MOR1E_FENCED(segment_mean_forward)
MOR1E_FENCED(select)
MOR1E_FENCED(softmax_backward)
MOR1E_FENCED(softmax_forward)
MOR1E_FENCED(spread_columns)
MOR1E_FENCED(sum)
MOR1E_FENCED(target_share)
MOR1E_FENCED(top_k_mask)
MOR1E_FENCED(transposed)
MOR1E_FENCED(updated_row_norms)
MOR1E_FENCED(zip_backward)
MOR1E_FENCED(zip_forward)
MOR1E_FENCED(zip_sum)
MOR1E_FENCED(zip_sum_backward)
#undef MOR1E_FENCED

template <class T>
tensor<T> read_frozen(fenced&, const fenced::frozen<T>& w) {
  return w.values().read();
}

namespace detail {
template <class T>
std::vector<view<T>> all_behind_fence(std::span<const device_view<T>> tensors) {
  std::vector<view<T>> inside;
  for (const auto& x : tensors) inside.push_back(behind_fence(x));
  return inside;
}
}  // namespace detail

template <class T>
void adam_update(fenced& device, std::span<const backend::adam_tensor<device_view<T>>> tensors,
                 const backend::adam_step& step, device_view<const double> norm, device_view<std::int32_t> finite) {
  std::vector<backend::adam_tensor<view<T>>> inside;
  for (const auto& x : tensors)
    inside.push_back({detail::behind_fence(x.value), detail::behind_fence(x.gradient), detail::behind_fence(x.first),
                      detail::behind_fence(x.second), x.learning_rate_scale, x.decay});
  const fenced::opened o(device);
  adam_update(device.host(), std::span<const backend::adam_tensor<view<T>>>(inside), step, detail::behind_fence(norm),
              detail::behind_fence(finite));
}

template <class T>
void sgd_update(fenced& device, std::span<const backend::sgd_tensor<device_view<T>>> tensors,
                const backend::sgd_step& step, device_view<std::int32_t> finite) {
  std::vector<backend::sgd_tensor<view<T>>> inside;
  for (const auto& x : tensors)
    inside.push_back({detail::behind_fence(x.value), detail::behind_fence(x.gradient), detail::behind_fence(x.velocity),
                      x.learning_rate_scale, x.decay});
  const fenced::opened o(device);
  sgd_update(device.host(), std::span<const backend::sgd_tensor<view<T>>>(inside), step, detail::behind_fence(finite));
}

template <class T>
void clear_tensors(fenced& device, std::span<const device_view<T>> tensors) {
  const auto inside = detail::all_behind_fence(tensors);
  const fenced::opened o(device);
  clear_tensors(device.host(), std::span<const view<T>>(inside));
}

template <class T>
void square_sums(fenced& device, std::span<const device_view<T>> tensors, device_view<double> y) {
  const auto inside = detail::all_behind_fence(tensors);
  const fenced::opened o(device);
  square_sums(device.host(), std::span<const view<T>>(inside), detail::behind_fence(y));
}

template <class T>
void clip_tensors(fenced& device, double max_norm, device_view<const double> squares,
                  std::span<const device_view<T>> tensors, device_view<double> norm) {
  const auto inside = detail::all_behind_fence(tensors);
  const fenced::opened o(device);
  clip_tensors(device.host(), max_norm, detail::behind_fence(squares), std::span<const view<T>>(inside),
               detail::behind_fence(norm));
}

}  // namespace mor1e::testing
