// Values of a graph by their handles, and their way to the host and back.
#pragma once

#include <utility>

#include "mor1e/autodiff/var.hpp"
#include "mor1e/core/error.hpp"
#include "mor1e/core/tensor.hpp"

namespace mor1e::detail {

/// Throws a value_error unless the handle is one of this graph.
template <class B, class Handle>
void check_handle(const graph<B>& g, const Handle& v, const char* what) {
  require<value_error>(v.id != no_slot, what, ": an empty value");
  require<value_error>(v.graph == g.number && std::size_t(v.id) < g.slots.size(), what,
                       ": a value of another tape, or of one that is gone");
}

/// The slot of a value. Throws a value_error for a value of another graph or of another element type.
template <class B, class T>
const slot& slot_of(const graph<B>& g, var<T> v, const char* what) {
  check_handle(g, v, what);
  const slot& s = g.slots[v.id];
  require<value_error>(s.type == dtype_of<T>, what, ": a value of ", name_of(s.type), " as one of ",
                       name_of(dtype_of<T>));
  return s;
}
template <class B, class T>
slot& slot_of(graph<B>& g, var<T> v, const char* what) {
  return const_cast<slot&>(slot_of(std::as_const(g), v, what));
}

/// Copies host values into the memory of an input of the same shape.
template <class B, class T>
void fill_slot(B& device, const slot& to, view<const T> value) {
  require<shape_error>(value.rows == to.rows && value.cols == to.cols, "fill: value [", value.rows, ", ", value.cols,
                       "] for an input [", to.rows, ", ", to.cols, "]");
  if (value.contiguous()) return device.upload(to.data, value.data, to.bytes());
  const std::size_t row = std::size_t(value.cols) * sizeof(T);
  for (index_t i = 0; i < value.rows; ++i) device.upload(to.data + std::size_t(i) * row, value.row(i), row);
}

/// The same for an input by its handle. Throws a value_error for an index that an op which reads it does not have; the
/// input is then as it was.
template <class B, class T>
void fill_input(B& device, graph<B>& g, var<T> v, view<const T> value) {
  const slot& to = slot_of(g, v, "fill");
  if constexpr (dtype_of<T> == dtype::i32)
    if (index_input* of = g.indices_of(v.id)) of->fill(value);
  fill_slot(device, to, value);
}

/// Copies what a slot holds to adjacent host memory of its size.
template <class B>
void read_slot_to(B& device, const slot& s, void* to) {
  require<error>(
      s.data != nullptr,
      "read: nothing is here: backward has released this value (read it before, or keep() it), or its tape is one that "
      "is recorded for a plan and computes nothing");
  device.download(to, s.data, s.bytes());
}
/// A host copy of what a slot holds.
template <class T, class B>
tensor<T> read_slot(B& device, const slot& s) {
  tensor<T> out(shape{s.rows, s.cols});
  read_slot_to(device, s, out.data());
  return out;
}
template <class T, class B>
T read_slot_scalar(B& device, const slot& s) {
  require<shape_error>(s.rows * s.cols == 1, "read_scalar: a value [", s.rows, ", ", s.cols, "]");
  T out;
  read_slot_to(device, s, &out);
  return out;
}
/// A host copy of the gradient of a watched value; zeros if nothing was added to it.
template <class T, class B>
tensor<T> read_slot_gradient(B& device, const graph<B>& g, var<T> v) {
  const slot& s = slot_of(g, v, "gradient");
  require<value_error>(s.gradient != no_slot, "gradient: the value is not watched");
  const slot& of = g.slots[s.gradient];
  return of.data ? read_slot<T>(device, of) : tensor<T>(shape{v.rows, v.cols}, T(0));
}

}  // namespace mor1e::detail
