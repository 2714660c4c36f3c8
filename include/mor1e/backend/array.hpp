// Owned memory of a device.
#pragma once

#include <utility>

#include "mor1e/backend/device_view.hpp"
#include "mor1e/core/tensor.hpp"

namespace mor1e {

namespace detail {
/// The primitive, from inside a class that has a function of its name.
template <class B, class T, class View>
void fill_memory(B& device, T value, View to) {
  fill(device, value, to);
}
}  // namespace detail

/// A dense row-major array in the memory of device B. What it holds crosses to the host by `read` and `write` alone.
/// Movable; the device must outlive it.
template <class B, class T>
class array {
 public:
  array() = default;
  /// Uninitialised memory of the given shape.
  array(B& device, shape extents)
      : device_(&device),
        extents_(extents),
        data_(static_cast<T*>(device.allocate(std::size_t(extents.size()) * sizeof(T)))) {}
  array(B& device, shape extents, T value) : array(device, extents) { fill(value); }
  array(B& device, const tensor<T>& values) : array(device, values.extents()) { write(values); }
  array(array&& other) noexcept
      : device_(other.device_), extents_(other.extents_), data_(std::exchange(other.data_, nullptr)) {}
  array& operator=(array&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(extents_, other.extents_);
    std::swap(data_, other.data_);
    return *this;
  }
  ~array() {
    if (data_) device_->deallocate(data_);
  }

  const shape& extents() const { return extents_; }
  /// Where the memory is. Not of an array that was default-made or moved from.
  B& device() const { return *device_; }
  index_t size() const { return data_ ? extents_.size() : 0; }

  /// The array as a matrix [product of the leading extents, last extent].
  view_of<B, T> matrix() { return {data_, extents_.rows(), extents_.cols()}; }
  view_of<B, const T> matrix() const { return {data_, extents_.rows(), extents_.cols()}; }

  void fill(T value) {
    if (size()) detail::fill_memory(*device_, value, matrix());
  }
  /// A copy in host memory.
  tensor<T> read() const { return read(0, extents_); }
  /// A copy of the elements from number `begin` on, as many as `extents` has.
  tensor<T> read(index_t begin, shape extents) const {
    check(begin, extents.size());
    tensor<T> out(extents);
    if (out.size()) device_->download(out.data(), data_ + begin, std::size_t(out.size()) * sizeof(T));
    return out;
  }
  /// Copies all elements to host memory of the same size.
  void read_to(view<T> to) const {
    require<shape_error>(to.size() == size() && to.contiguous(), "read: ", to.size(), " places for an array ",
                         extents_);
    if (size()) device_->download(to.data, data_, std::size_t(size()) * sizeof(T));
  }
  /// Copies host values, as many as there are elements. The host memory may be reused at once.
  void write(view<const T> values) {
    require<shape_error>(values.size() == size(), "write: ", values.size(), " values for an array ", extents_.str());
    write(0, values);
  }
  void write(const tensor<T>& values) { write(values.matrix()); }
  /// The same for the elements from number `begin` on.
  void write(index_t begin, view<const T> values) {
    check(begin, values.size());
    require<shape_error>(values.contiguous(), "write: rows must be adjacent");
    if (values.size()) device_->upload(data_ + begin, values.data, std::size_t(values.size()) * sizeof(T));
  }

 private:
  void check(index_t begin, index_t count) const {
    require<shape_error>(begin >= 0 && begin + count <= size(), "array ", extents_.str(), ": elements [", begin, ", ",
                         begin + count, ")");
  }

  B* device_ = nullptr;
  shape extents_;
  T* data_ = nullptr;
};

}  // namespace mor1e
