// The tape: applies ops, records them, and sweeps back.
//
//   tape t(device);
//   auto y = ops::rms_norm(t, x, w, 1e-5);     // runs now, and is recorded
//   t.backward(loss);                          // gradients of parameters are in their params
//
// A tape made with `recording::plan` runs nothing: it only writes down shapes, and `plan` turns it into a program
// with one slab of memory, to be run once per batch.
#pragma once

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "mor1e/autodiff/op.hpp"
#include "mor1e/autodiff/param.hpp"
#include "mor1e/autodiff/schedule.hpp"
#include "mor1e/autodiff/slot_access.hpp"
#include "mor1e/core/tensor.hpp"

namespace mor1e {

enum class recording {
  gradients,  ///< run each op now and keep what the backward needs
  forward,    ///< run each op now, no backward
  plan        ///< run nothing, write everything down
};

template <class B>
class tape;

/// Where a tape is, for the values that refer to it: null once it is gone.
template <class B>
struct tape_anchor {
  tape<B>* at;
};

template <class B>
class tape {
 public:
  explicit tape(B& device, recording how = recording::gradients) : device_(&device), how_(how) {}
  tape(tape&& other) noexcept
      : device_(other.device_),
        how_(other.how_),
        in_use_(other.in_use_),
        peak_(other.peak_),
        graph_(std::move(other.graph_)),
        used_(std::move(other.used_)),
        anchor_(std::move(other.anchor_)),
        swept_(other.swept_) {
    if (anchor_) anchor_->at = this;
  }
  tape(const tape&) = delete;
  ~tape() {
    if (anchor_) anchor_->at = nullptr;
    for (slot& s : graph_.slots) release(s);
  }

  B& device() const { return *device_; }
  recording how() const { return how_; }
  bool runs() const { return how_ != recording::plan; }
  std::shared_ptr<const tape_anchor<B>> anchor() {
    if (!anchor_) anchor_ = std::make_shared<tape_anchor<B>>(tape_anchor<B>{this});
    return anchor_;
  }
  graph<B>& recorded() { return graph_; }
  const graph<B>& recorded() const { return graph_; }
  /// Largest number of bytes of activations, gradients and workspace held at one time (eager tapes).
  std::size_t peak_bytes() const { return peak_; }

  // --- values -----------------------------------------------------------------------------------------------------

  /// A value the caller fills: by `fill` on the tape or, for a plan, before each run. Watched: its gradient is kept.
  template <class T>
  var<T> input(index_t rows, index_t cols, bool watched = false) {
    slot s{rows, cols, dtype_of<T>, slot_kind::input, watched};
    if (watched) s.gradient = graph_.add({rows, cols, dtype_of<T>, slot_kind::gradient, false, true});
    const var<T> v = handle<T>(graph_.add(s));
    if constexpr (dtype_of<T> == dtype::i32) graph_.indices.push_back({v.id});
    if (runs()) take(graph_.slots[v.id]);
    return v;
  }
  template <class T>
  var<T> input(const tensor<T>& value, bool watched = false) {
    return input<T>(value.matrix(), watched);
  }
  template <class T>
  var<T> input(view<const T> value, bool watched = false) {
    const var<T> v = input<T>(value.rows, value.cols, watched);
    fill(v, value);
    return v;
  }
  /// Copies host values into an input.
  template <class T>
  void fill(var<T> v, view<const T> value) {
    require<error>(runs(), "fill: a tape that plans holds no values; fill the plan");
    detail::fill_input(*device_, graph_, v, value);
  }
  template <class T>
  void fill(var<T> v, const tensor<T>& value) {
    fill(v, value.matrix());
  }

  /// A parameter: its gradient is added to `p.gradient` by `backward`. The tape refers to it, it does not copy.
  template <class T>
  var<T> use(param<B, T>& p) {
    const index_t rows = p.extents().rows(), cols = p.extents().cols();
    if (how_ == recording::forward) return constant(p.value);
    for (auto [of, id] : used_)
      if (of == &p) return handle<T>(id);
    const auto external = [&](view_of<B, T> at) {
      slot s{rows, cols, dtype_of<T>, slot_kind::external};
      s.data = reinterpret_cast<std::byte*>(at.address());
      return s;
    };
    slot s = external(p.value.matrix());
    s.differentiable = true;
    s.gradient = graph_.add(external(p.gradient.matrix()));
    used_.emplace_back(&p, graph_.add(s));
    return handle<T>(used_.back().second);
  }
  /// Values of somebody else, in the memory of the device, that get no gradient and stay where they are.
  template <class T>
  var<T> constant(const array<B, T>& values) {
    slot s{values.extents().rows(), values.extents().cols(), dtype_of<T>, slot_kind::external};
    s.data = reinterpret_cast<std::byte*>(const_cast<T*>(values.matrix().address()));
    return handle<T>(graph_.add(s));
  }
  /// Stands where an op reads no operand: it has no memory.
  template <class T>
  var<T> nothing() {
    return handle<T>(graph_.add({1, 1, dtype_of<T>, slot_kind::external}));
  }
  /// A frozen weight of the backend. It must outlive the tape, and the plan made of it.
  template <class Frozen>
  frozen_var frozen(const Frozen& weight) {
    slot s{weight.rows(), weight.cols(), dtype::u8, slot_kind::object};
    s.data = reinterpret_cast<std::byte*>(const_cast<Frozen*>(&weight));
    return {graph_.add(s), weight.rows(), weight.cols(), graph_.number};
  }

  /// Keeps a value readable after the sweep or the run.
  template <class T>
  void keep(var<T> v) {
    detail::slot_of(graph_, v, "keep").kept = true;
  }
  template <class Value>
  requires requires(const Value& v) { v.var(); }
  void keep(const Value& v) { keep(v.var()); }

  /// Keeps d loss / d v readable, of any value that depends on a parameter or a watched input.
  template <class T>
  void watch(var<T> v) {
    slot& s = detail::slot_of(graph_, v, "watch");
    require<value_error>(s.differentiable, "watch: no gradient reaches the value");
    if (s.gradient == no_slot) {
      const slot_id gradient = graph_.add({v.rows, v.cols, dtype_of<T>, slot_kind::gradient, false, true});
      graph_.slots[v.id].gradient = gradient;
    }
  }

  /// A host copy of a value.
  template <class T>
  tensor<T> read(var<T> v) const {
    return detail::read_slot<T>(*device_, detail::slot_of(graph_, v, "read"));
  }
  /// The same into host memory of the value's shape, rows adjacent.
  template <class T>
  void read_to(var<T> v, view<T> to) const {
    require<shape_error>(to.rows == v.rows && to.cols == v.cols && to.contiguous(), "read: a value [", v.rows, ", ",
                         v.cols, "] to [", to.rows, ", ", to.cols, "], stride ", to.stride);
    detail::read_slot_to(*device_, detail::slot_of(graph_, v, "read"), to.data);
  }
  /// The same of a value [1, 1].
  template <class T>
  T read_scalar(var<T> v) const {
    return detail::read_slot_scalar<T>(*device_, detail::slot_of(graph_, v, "read_scalar"));
  }
  /// d loss / d v of a watched value after `backward`; zeros if the loss does not depend on it.
  template <class T>
  tensor<T> gradient(var<T> v) const {
    return detail::read_slot_gradient(*device_, graph_, v);
  }

  // --- recording --------------------------------------------------------------------------------------------------

  /// Checks shapes, takes slots, runs the forward (unless planning) and records the node. Returns the first output,
  /// from which `output` gives further ones. This is the only way a node is made.
  template <class Op, class T>
  var<T> apply(const typename Op::attributes& attributes, operands in);
  template <class Op, class T>
  var<T> apply(const typename Op::attributes& attributes, std::initializer_list<operand> in) {
    return apply<Op, T>(attributes, operands(in.begin(), in.size()));
  }

  /// Output k of the op whose first output is `first`.
  template <class T>
  var<T> output(var<T> first, int k) const {
    detail::slot_of(graph_, first, "output");
    return handle<T>(first.id + k);
  }

  /// Runs `make` (which returns a var) as a stretch: of the values made inside, only the result outlives it. When
  /// gradients are wanted, `recompute` says that the stretch is run again before its backward; without it everything
  /// is kept.
  template <class Make>
  auto stretch(bool recompute, Make make) {
    if (how_ != recording::forward && !recompute) return make();
    const std::size_t first_slot = graph_.slots.size(), first_node = graph_.nodes.size();
    const auto result = make();
    if (how_ != recording::forward) {
      for (std::size_t i = first_node; i < graph_.nodes.size(); ++i) graph_.nodes[i].segment = graph_.segments;
      ++graph_.segments;
    }
    if (runs())
      for (std::size_t id = first_slot; id < graph_.slots.size(); ++id)
        if (slot_id(id) != result.id && graph_.slots[id].managed() && !graph_.slots[id].kept) release(graph_.slots[id]);
    return result;
  }

  /// Reverse sweep from a scalar (or from any value with a given cotangent). Values and gradients are released as
  /// soon as nothing reads them; the tape cannot be swept twice.
  template <class T>
  void backward(var<T> root, std::type_identity_t<view<const T>> cotangent = {}) {
    require<error>(how_ == recording::gradients, "backward: this tape does not record gradients");
    require<error>(!swept_, "backward: the tape was swept already");
    detail::slot_of(graph_, root, "backward");
    require<shape_error>(cotangent.data || root.rows * root.cols == 1, "backward: a root [", root.rows, ", ", root.cols,
                         "] needs a cotangent; a loss is a single number, as sum() or mean() make it");
    keep(root);
    swept_ = true;
    const schedule s = make_schedule(graph_, root.id, {.forward = false});
    slot& seed = graph_.slots[s.seed];
    take(seed);
    const T one(1);
    if (cotangent.data)
      detail::fill_slot(*device_, seed, cotangent);
    else
      device_->upload(seed.data, &one, sizeof one);
    std::vector<std::vector<slot_id>> last(s.steps.size());
    for (slot_id id = 0; id < slot_id(graph_.slots.size()); ++id) {
      slot& held = graph_.slots[id];
      if (!held.managed() || held.kept) continue;
      if (s.last_use[id] < 0)
        release(held);
      else
        last[s.last_use[id]].push_back(id);
    }
    for (std::size_t i = 0; i < s.steps.size(); ++i) {
      for_each_id(s, s.steps[i], [&](slot_id id) {
        const auto now = std::int32_t(i);
        if (graph_.slots[id].managed() && !graph_.slots[id].data && s.first_use[id] >= 0 && s.first_use[id] <= now &&
            now <= s.last_use[id])
          take(graph_.slots[id]);
      });
      run_step(*device_, graph_, s, s.steps[i]);
      for (slot_id id : last[i]) release(graph_.slots[id]);
    }
  }

 private:
  template <class F>
  void for_each_id(const schedule& s, const step& at, F f) {
    if (at.what == phase::add_gradient) return;
    const node<B>& n = graph_.nodes[at.node];
    for (int k = 0; k < n.id_count(); ++k) f(s.ids[at.ids + k]);
    if (at.what == phase::backward)
      for (int k = 0; k < n.operands(); ++k)
        if (s.ids[at.gradients + k] != no_slot) f(s.ids[at.gradients + k]);
  }
  /// The part of `apply` that knows neither op nor element type; returns the slot of the first output.
  slot_id record(const op_functions<B>& op, const signature& shape, std::span<const std::byte> attributes, dtype type,
                 operands in);
  template <class T>
  var<T> handle(slot_id id) const {
    return {id, graph_.slots[id].rows, graph_.slots[id].cols, graph_.number};
  }
  void take(slot& s) {
    s.data = static_cast<std::byte*>(device_->take(s.bytes()));
    in_use_ += s.bytes();
    peak_ = std::max(peak_, in_use_);
  }
  void release(slot& s) {
    if (s.foreign() || !s.data) return;
    device_->give_back(s.data, s.bytes());
    in_use_ -= s.bytes();
    s.data = nullptr;
  }

  B* device_;
  recording how_;
  std::size_t in_use_ = 0, peak_ = 0;
  graph<B> graph_;
  std::vector<std::pair<const void*, slot_id>> used_;
  std::shared_ptr<tape_anchor<B>> anchor_;
  bool swept_ = false;
};

template <class B>
tape(B&) -> tape<B>;

namespace detail {

template <class B>
std::vector<operand> operands_of(const frame<B>& f) {
  std::vector<operand> in(f.of->inputs);
  for (int k = 0; k < f.of->inputs; ++k) {
    in[k].id = f.ids[k];
    in[k].rows = f.slots[f.ids[k]].rows;
    in[k].cols = f.slots[f.ids[k]].cols;
  }
  return in;
}

/// The functions of Op for backend B and element type T: one static table each.
template <class Op, class B, class T>
struct functions_of {
  static const typename Op::attributes& attributes(const frame<B>& f) {
    return *reinterpret_cast<const typename Op::attributes*>(f.attributes);
  }
  static void forward(const frame<B>& f) { Op::template forward<B, T>(call<B, T>(f), attributes(f)); }
  static void backward(const frame<B>& f) {
    if constexpr (!WithoutGradient<Op>) Op::template backward<B, T>(call<B, T>(f), attributes(f));
  }
  static cost work(const frame<B>& f, bool backward) { return Op::work(attributes(f), operands_of(f), backward); }
  static constexpr op_functions<B> table{Op::label, &forward, WithoutGradient<Op> ? nullptr : &backward, &work};
};

}  // namespace detail

template <class B>
template <class Op, class T>
var<T> tape<B>::apply(const typename Op::attributes& attributes, operands in) {
  static_assert(Operation<Op>, "this type is not an op: see autodiff/op.hpp");
  for (const operand& o : in) detail::check_handle(graph_, o, Op::label);
  const auto& functions = detail::functions_of<Op, B, T>::table;
  return handle<T>(
      record(functions, Op::shape(attributes, in), std::as_bytes(std::span(&attributes, 1)), dtype_of<T>, in));
}

// What does not depend on the op is compiled once for all of them.
template <class B>
slot_id tape<B>::record(const op_functions<B>& op, const signature& shape, std::span<const std::byte> attributes,
                        dtype type, operands in) {
  for (const index_range& range : shape.indices)
    if (index_input* of = graph_.indices_of(in[range.input].id)) of->narrow(range, op.name);
  const bool gradients = how_ != recording::forward;
  constexpr std::size_t alignment = alignof(std::max_align_t);
  node<B> n;
  n.op = &op;
  n.ids = std::uint32_t(graph_.ids.size());
  n.attributes = std::uint32_t((graph_.payload.size() + alignment - 1) / alignment * alignment);
  graph_.payload.resize(n.attributes + attributes.size());
  std::memcpy(graph_.payload.data() + n.attributes, attributes.data(), attributes.size());
  n.inputs = std::uint8_t(in.size());
  n.backward_reads = shape.backward_reads;
  n.cheap = shape.cheap;
  n.in_place = std::int8_t(shape.in_place);
  n.passes_gradient = shape.passes_gradient;

  bool differentiable = false;
  for (const operand& o : in) {
    graph_.ids.push_back(o.id);
    differentiable |= graph_.slots[o.id].differentiable;
  }
  differentiable &= gradients && op.backward;
  const auto add = [&](const std::vector<slot_size>& sizes, slot_kind kind, bool with_gradient) {
    for (const slot_size& size : sizes) {
      slot s{size.rows, size.cols, type, kind, with_gradient};
      if (kind == slot_kind::activation) s.producer = std::int32_t(graph_.nodes.size());
      graph_.ids.push_back(graph_.add(s));
    }
    return std::uint8_t(sizes.size());
  };
  n.outputs = add(shape.outputs, slot_kind::activation, differentiable);
  n.saved = add(shape.saved, slot_kind::activation, false);
  n.forward_scratch = add(shape.forward_scratch, slot_kind::scratch, false);
  if (differentiable) n.backward_scratch = add(shape.backward_scratch, slot_kind::scratch, false);

  const slot_id* ids = graph_.ids_of(n);
  const slot_id result = ids[n.inputs];
  if (runs()) {
    const int made = n.outputs + n.saved + n.forward_scratch;
    for (int k = n.inputs; k < n.inputs + made; ++k) take(graph_.slots[ids[k]]);
    n.op->forward({device_, graph_.slots.data(), &n, graph_.payload.data() + n.attributes, ids, nullptr, 0});
    for (int k = n.operands() + (differentiable ? n.saved : 0); k < n.inputs + made; ++k) release(graph_.slots[ids[k]]);
  }
  if (gradients) {
    graph_.nodes.push_back(n);
  } else {
    graph_.ids.resize(n.ids);
    graph_.payload.resize(n.attributes);
  }
  return result;
}

}  // namespace mor1e
