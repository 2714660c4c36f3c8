// Typed access of an op to its operands.
#pragma once

#include <string_view>
#include <type_traits>

#include "mor1e/autodiff/graph.hpp"
#include "mor1e/backend/device_view.hpp"
#include "mor1e/core/error.hpp"

namespace mor1e {

/// Where an op writes the gradient of an input: nowhere (not wanted), over the memory, or added to it.
template <class B, class T>
struct sink {
  view_of<B, T> to;
  bool accumulate = false;

  explicit operator bool() const { return to.address() != nullptr; }
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

  view_of<B, const T> in(int k) const { return at<const T>(frame_.ids[k]); }
  template <class U>
  view_of<B, const U> in_as(int k) const {
    return at<const U>(frame_.ids[k]);
  }
  /// An opaque object of the backend, such as a frozen weight.
  template <class Object>
  const Object& object(int k) const {
    const slot& s = frame_.slots[frame_.ids[k]];
    if (s.kind != slot_kind::object) refuse(frame_.ids[k], "a frozen weight");
    return *reinterpret_cast<const Object*>(s.data);
  }

  view_of<B, T> out(int k = 0) const { return at<T>(frame_.ids[frame_.of->inputs + k]); }
  view_of<B, T> saved(int k = 0) const { return at<T>(frame_.ids[frame_.of->operands() + k]); }
  /// Workspace of the running direction, uninitialised.
  view_of<B, T> scratch(int k = 0) const {
    const int before = frame_.of->operands() + frame_.of->saved + (frame_.gradients ? frame_.of->forward_scratch : 0);
    return at<T>(frame_.ids[before + k]);
  }

  /// d loss / d output k. Empty if nothing uses that output.
  view_of<B, const T> grad_out(int k = 0) const { return gradient<const T>(k); }
  sink<B, T> grad_in(int k) const { return {gradient<T>(frame_.of->outputs + k), bool(frame_.accumulate >> k & 1)}; }

 private:
  template <class U>
  view_of<B, U> at(slot_id id) const {
    const slot& s = frame_.slots[id];
    if (s.type != dtype_of<std::remove_const_t<U>> || s.kind == slot_kind::object)
      refuse(id, name_of(dtype_of<std::remove_const_t<U>>));
    return {reinterpret_cast<U*>(s.data), s.rows, s.cols};
  }
  template <class U>
  view_of<B, U> gradient(int k) const {
    const slot_id id = frame_.gradients[k];
    return id == no_slot ? view_of<B, U>{} : at<U>(id);
  }

  /// An operand given to the op that is not of the type it reads. Out of line: it never happens twice.
  [[noreturn, gnu::cold, gnu::noinline]] void refuse(slot_id id, std::string_view wanted) const {
    const slot& s = frame_.slots[id];
    int operand = 0;
    while (operand < frame_.of->id_count() && frame_.ids[operand] != id) ++operand;
    throw value_error(text(frame_.of->op->name, ": operand ", operand, " is ",
                           s.kind == slot_kind::object ? "a frozen weight" : name_of(s.type), " [", s.rows, ", ",
                           s.cols, "] where ", wanted, " is needed"));
  }

  const frame<B>& frame_;
};

}  // namespace mor1e
