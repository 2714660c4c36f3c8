// Typed access of an op to its operands.
#pragma once

#include "mor1e/autodiff/graph.hpp"
#include "mor1e/core/view.hpp"

namespace mor1e {

/// Where an op writes the gradient of an input: nowhere (not wanted), over the memory, or added to it.
template <class T>
struct sink {
  view<T> to;
  bool accumulate = false;

  explicit operator bool() const { return to.data != nullptr; }
  /// The `beta` of a GEMM that writes here.
  T beta() const { return accumulate ? T(1) : T(0); }
};

/// The operands of one forward or backward call, in the order the op was applied to them.
template <class B, class T>
class call {
 public:
  explicit call(const frame<B>& f) : frame_(f) {}

  B& device() const { return *frame_.device; }
  int inputs() const { return frame_.of->inputs; }

  view<const T> in(int k) const { return at<const T>(frame_.ids[k]); }
  template <class U>
  view<const U> in_as(int k) const {
    return at<const U>(frame_.ids[k]);
  }
  /// An opaque object of the backend, such as a frozen weight.
  template <class Object>
  const Object& object(int k) const {
    return *reinterpret_cast<const Object*>(frame_.slots[frame_.ids[k]].data);
  }

  view<T> out(int k = 0) const { return at<T>(frame_.ids[frame_.of->inputs + k]); }
  view<T> saved(int k = 0) const { return saved_as<T>(k); }
  template <class U>
  view<U> saved_as(int k) const {
    return at<U>(frame_.ids[frame_.of->operands() + k]);
  }
  /// Workspace of the running direction, uninitialised.
  view<T> scratch(int k = 0) const {
    const int before = frame_.of->operands() + frame_.of->saved + (frame_.gradients ? frame_.of->forward_scratch : 0);
    return at<T>(frame_.ids[before + k]);
  }

  /// d loss / d output k. Empty if nothing uses that output.
  view<const T> grad_out(int k = 0) const { return gradient<const T>(k); }
  sink<T> grad_in(int k) const { return {gradient<T>(frame_.of->outputs + k), bool(frame_.accumulate >> k & 1)}; }

 private:
  template <class U>
  view<U> at(slot_id id) const {
    const slot& s = frame_.slots[id];
    return {reinterpret_cast<U*>(s.data), s.rows, s.cols};
  }
  template <class U>
  view<U> gradient(int k) const {
    const slot_id id = frame_.gradients[k];
    return id == no_slot ? view<U>{} : at<U>(id);
  }

  const frame<B>& frame_;
};

}  // namespace mor1e
