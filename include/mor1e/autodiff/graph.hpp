// What a tape records: slots (values with a size and a lifetime) and nodes (ops applied to slots).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "mor1e/autodiff/indices.hpp"
#include "mor1e/core/dtype.hpp"
#include "mor1e/core/shape.hpp"

namespace mor1e {

enum class slot_kind : std::uint8_t {
  activation,  ///< made by a node; lives from its first to its last use
  gradient,    ///< d loss / d activation; the same
  scratch,     ///< workspace of one step
  input,       ///< filled by the caller; lives as long as the tape or plan
  external,    ///< memory of somebody else: parameters and their gradients, constants
  object       ///< an object of the back end that is no plain matrix: a frozen weight
};

/// One value: a matrix [rows, cols].
struct slot {
  index_t rows = 0;
  index_t cols = 0;
  dtype type = dtype::f32;
  slot_kind kind = slot_kind::activation;
  bool differentiable = false;
  bool kept = false;           ///< stays readable after the last step
  slot_id gradient = no_slot;  ///< a gradient that outlives the sweep (parameters, watched inputs)
  std::int32_t producer = -1;  ///< the node that makes it
  std::byte* data = nullptr;

  std::size_t bytes() const { return std::size_t(rows * cols) * size_of(type); }
  /// In memory of somebody else.
  bool foreign() const { return kind == slot_kind::external || kind == slot_kind::object; }
  bool managed() const { return !foreign() && kind != slot_kind::input; }
};

/// The work of one node, for reports: floating point operations and bytes moved.
struct cost {
  double flops = 0;
  double bytes = 0;
};

template <class B>
struct frame;

/// The functions of an op for one backend and element type. One static object each; a node points at it.
template <class B>
struct op_functions {
  const char* name;
  void (*forward)(const frame<B>&);
  void (*backward)(const frame<B>&);  ///< null for an op without a gradient
  cost (*work)(const frame<B>&, bool backward);
};

/// An op applied to slots. Its ids lie in the graph's id list: inputs, outputs, saved, forward scratch, backward
/// scratch.
template <class B>
struct node {
  const op_functions<B>* op = nullptr;
  std::uint32_t ids = 0;
  std::uint32_t attributes = 0;  ///< offset of the op's attributes in the graph's payload
  std::uint8_t inputs = 0, outputs = 0, saved = 0, forward_scratch = 0, backward_scratch = 0;
  std::uint64_t backward_reads = 0;   ///< bit k: the backward reads input k, or output k - inputs
  bool cheap = false;                 ///< its outputs may be computed again rather than kept
  std::int8_t in_place = -1;          ///< the input whose memory output 0 may take over
  std::uint64_t passes_gradient = 0;  ///< bit k: the gradient of input k is that of output 0
  std::int32_t segment = -1;          ///< stretch of nodes that is recomputed as a whole

  int operands() const { return inputs + outputs; }
  int id_count() const { return operands() + saved + forward_scratch + backward_scratch; }
  bool reads_in_backward(int operand) const { return backward_reads >> operand & 1; }
};

/// A number that no other graph of this process has.
inline std::uint32_t new_graph_number() {
  static std::atomic<std::uint32_t> last{0};
  return ++last;
}

/// Slots, nodes, their ids and the bytes of their attributes.
template <class B>
struct graph {
  std::uint32_t number = new_graph_number();  ///< what the handles of its values carry
  std::vector<slot> slots;
  std::vector<node<B>> nodes;
  std::vector<slot_id> ids;
  std::vector<std::byte> payload;
  std::vector<index_input> indices;  ///< the int32 inputs
  int segments = 0;

  slot_id add(slot s) {
    slots.push_back(s);
    return slot_id(slots.size() - 1);
  }
  const slot_id* ids_of(const node<B>& n) const { return ids.data() + n.ids; }
  /// The record of an int32 input; null for other slots.
  index_input* indices_of(slot_id id) {
    for (index_input& of : indices)
      if (of.slot == id) return &of;
    return nullptr;
  }
};

/// What one call of an op sees: a node, its ids as the schedule maps them, and its gradients.
template <class B>
struct frame {
  B* device;
  const slot* slots;
  const node<B>* of;
  const std::byte* attributes;
  const slot_id* ids;            ///< inputs, outputs, saved, forward scratch, backward scratch
  const slot_id* gradients;      ///< of outputs, then of inputs; null in a forward call
  std::uint64_t accumulate = 0;  ///< bit k: add to the gradient of input k instead of assigning it
};

}  // namespace mor1e
