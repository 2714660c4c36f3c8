// The reverse sweep and recomputation, written down as a list of steps before any of them runs.
//
// The same list serves eager use (run it once, taking and returning memory as it goes) and plans (place every slot in
// one slab, run it for each batch): who reads what, and for how long, is known without executing anything.
#pragma once

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "mor1e/autodiff/graph.hpp"
#include "mor1e/backend/concept.hpp"
#include "mor1e/core/error.hpp"

namespace mor1e {

enum class phase : std::uint8_t { forward, recompute, backward, add_gradient };

/// One call to make: a node in a direction, with the ids it sees.
struct step {
  phase what = phase::forward;
  std::int32_t node = -1;       ///< -1 for add_gradient: ids[0] += ids[1]
  std::uint32_t ids = 0;        ///< offset in `schedule::ids`
  std::uint32_t gradients = 0;  ///< offset of the gradients; backward only
  std::uint64_t accumulate = 0;
};

struct schedule_options {
  bool forward = true;           ///< begin with the forward steps (a plan); false after an eager recording
  bool recompute_cheap = false;  ///< drop the outputs of cheap nodes and compute them again for the backward
};

/// Steps in order, and the interval of steps in which each slot holds a value.
struct schedule {
  std::vector<step> steps;
  std::vector<slot_id> ids;
  std::vector<std::int32_t> first_use;  ///< by slot; -1 if no step touches it
  std::vector<std::int32_t> last_use;
  slot_id seed = no_slot;  ///< the gradient of the root, an input of one element
};

namespace detail {

template <class B>
class scheduler {
 public:
  scheduler(graph<B>& g, schedule_options options) : graph_(g), options_(options) {}

  /// Forward only when `root` is no_slot.
  schedule build(slot_id root) {
    const auto nodes = std::int32_t(graph_.nodes.size());
    if (options_.forward)
      for (std::int32_t i = 0; i < nodes; ++i) emit_forward(i, phase::forward);
    if (root != no_slot) {
      seed(root);
      for (std::int32_t i = nodes - 1; i >= 0; --i) backward(i);
    }
    lifetimes();
    return std::move(out_);
  }

 private:
  const node<B>& at(std::int32_t i) const { return graph_.nodes[i]; }
  /// The slot that stands for `id` now: itself, or the copy a recomputation writes.
  slot_id current(slot_id id) const {
    return std::size_t(id) < replaced_.size() && replaced_[id] != no_slot ? replaced_[id] : id;
  }
  slot_id& replacement(slot_id id) {
    if (replaced_.size() <= std::size_t(id)) replaced_.resize(id + 1, no_slot);
    return replaced_[id];
  }
  slot_id& gradient_of(slot_id id) {
    if (gradients_.size() <= std::size_t(id)) gradients_.resize(id + 1, no_slot);
    return gradients_[id];
  }

  void seed(slot_id root) {
    slot s = graph_.slots[root];
    s.kind = slot_kind::input;
    s.data = nullptr;
    s.gradient = no_slot;
    s.producer = -1;
    out_.seed = gradient_of(root) = graph_.add(s);
    written_.resize(graph_.slots.size(), false);
    written_[out_.seed] = true;
  }

  void emit_forward(std::int32_t i, phase what) {
    const node<B>& n = at(i);
    step s{what, i, std::uint32_t(out_.ids.size()), 0, 0};
    const slot_id* ids = graph_.ids_of(n);
    for (int k = 0; k < n.id_count(); ++k) out_.ids.push_back(current(ids[k]));
    out_.steps.push_back(s);
  }

  bool needs_backward(const node<B>& n) {
    const slot_id* ids = graph_.ids_of(n);
    bool wanted = false, reached = false;
    for (int k = 0; k < n.inputs; ++k) wanted |= graph_.slots[ids[k]].differentiable;
    for (int k = 0; k < n.outputs; ++k) reached |= gradient_of(ids[n.inputs + k]) != no_slot;
    return wanted && reached;
  }

  /// Runs the forward of node i again into fresh slots; what it reads must be live or is made so first. The workspace
  /// is fresh too: one slot for both runs would be alive from the first to the second.
  void recompute(std::int32_t i) {
    const node<B> n = at(i);
    for (int k = n.inputs; k < n.operands() + n.saved + n.forward_scratch; ++k) {
      const slot_id id = graph_.ids_of(n)[k];
      slot copy = graph_.slots[id];
      copy.data = nullptr;
      copy.kept = false;
      replacement(id) = graph_.add(copy);
    }
    emit_forward(i, phase::recompute);
  }

  /// Makes the values that the backward of node i reads available again.
  void materialise(std::int32_t i) {
    const std::int32_t segment = at(i).segment;
    if (segment >= 0) {
      if (segment != live_segment_) recompute_segment(segment, i);
      return;
    }
    if (!options_.recompute_cheap) return;
    const node<B> n = at(i);
    for (int k = 0; k < n.operands(); ++k)
      if (n.reads_in_backward(k)) recompute_producer(graph_.ids_of(n)[k]);
    for (int k = 0; k < n.saved; ++k) recompute_producer(graph_.ids_of(n)[n.operands() + k]);
  }
  void recompute_producer(slot_id id) {
    const std::int32_t p = graph_.slots[id].producer;
    if (p < 0 || !at(p).cheap || at(p).segment >= 0 || current(id) != id || graph_.slots[id].kept) return;
    const node<B> n = at(p);
    for (int k = 0; k < n.inputs; ++k) recompute_producer(graph_.ids_of(n)[k]);
    recompute(p);
  }

  void recompute_segment(std::int32_t segment, std::int32_t last) {
    std::int32_t first = last;
    while (first > 0 && at(first - 1).segment == segment) --first;
    std::vector<char> wanted(last - first + 1, 0);
    const auto want = [&](slot_id id) {
      const std::int32_t p = graph_.slots[id].producer;
      if (p >= first && p <= last) wanted[p - first] = 1;
    };
    for (std::int32_t j = last; j >= first; --j) {
      const node<B>& n = at(j);
      const slot_id* ids = graph_.ids_of(n);
      bool differentiable = false;
      for (int k = 0; k < n.inputs; ++k) differentiable |= graph_.slots[ids[k]].differentiable;
      if (differentiable) {
        for (int k = 0; k < n.operands(); ++k)
          if (n.reads_in_backward(k)) want(ids[k]);
        if (n.saved) wanted[j - first] = 1;
      }
      if (wanted[j - first])
        for (int k = 0; k < n.inputs; ++k) want(ids[k]);
    }
    for (std::int32_t j = first; j <= last; ++j)
      if (wanted[j - first]) recompute(j);
    live_segment_ = segment;
  }

  void backward(std::int32_t i) {
    if (!needs_backward(at(i))) return;
    const node<B> n = at(i);
    require<error>(n.op->backward != nullptr, n.op->name, ": has no gradient, and one is asked of it");
    const std::uint64_t passed = pass_gradients(i);
    const slot_id* ids = graph_.ids_of(n);
    bool wanted = false;
    for (int k = 0; k < n.inputs; ++k) wanted |= graph_.slots[ids[k]].differentiable && !(passed >> k & 1);
    if (!wanted) return;
    materialise(i);
    step s{phase::backward, i, std::uint32_t(out_.ids.size()), 0, 0};
    for (int k = 0; k < n.id_count(); ++k) out_.ids.push_back(current(ids[k]));
    s.gradients = std::uint32_t(out_.ids.size());
    for (int k = 0; k < n.outputs; ++k) out_.ids.push_back(gradient_of(ids[n.inputs + k]));

    std::vector<std::pair<slot_id, slot_id>> additions;
    for (int k = 0; k < n.inputs; ++k) {
      const slot_id id = graph_.ids_of(n)[k];
      if (!graph_.slots[id].differentiable || passed >> k & 1) {
        out_.ids.push_back(no_slot);
        continue;
      }
      slot_id target = gradient_for(id);
      const auto begin = out_.ids.begin() + s.gradients + n.outputs;
      if (std::find(begin, out_.ids.end(), target) != out_.ids.end()) {
        // The same value twice in one call: the op may write both gradients in one pass, so they get a slot each.
        const slot_id separate = new_gradient(id);
        additions.emplace_back(target, separate);
        target = separate;
      }
      if (written_[target]) s.accumulate |= std::uint64_t(1) << k;
      written_[target] = true;
      out_.ids.push_back(target);
    }
    out_.steps.push_back(s);
    for (auto [to, from] : additions) {
      out_.steps.push_back({phase::add_gradient, -1, std::uint32_t(out_.ids.size()), 0, 0});
      out_.ids.push_back(to);
      out_.ids.push_back(from);
    }
  }

  /// Gradients that are that of the output, unchanged, share its slot rather than be copied from it. Returns the inputs
  /// of which that is so, by bits.
  std::uint64_t pass_gradients(std::int32_t i) {
    const node<B>& n = at(i);
    const slot_id* ids = graph_.ids_of(n);
    if (!n.passes_gradient) return 0;
    const slot_id y = ids[n.inputs], shared = gradient_of(y);
    if (shared == no_slot || graph_.slots[shared].kind != slot_kind::gradient || graph_.slots[y].gradient != no_slot)
      return 0;
    std::uint64_t passed = 0;
    for (int k = 0; k < n.inputs; ++k) {
      const slot_id id = ids[k];
      const slot& s = graph_.slots[id];
      if (!(n.passes_gradient >> k & 1) || !s.differentiable || s.gradient != no_slot || gradient_of(id) != no_slot ||
          std::count(ids, ids + n.inputs, id) != 1 || !may_share(shared, y, id, i))
        continue;
      gradient_of(id) = shared;
      sharers_.emplace_back(shared, id);
      passed |= std::uint64_t(1) << k;
    }
    return passed;
  }
  /// Whether `id` may have its gradient in the slot of y's, at the backward of node i: whoever else's gradient is there
  /// was read before anything is added for `id`, and the other way round.
  bool may_share(slot_id shared, slot_id y, slot_id id, std::int32_t i) const {
    for (const auto& [slot, other] : sharers_) {
      if (slot != shared || other == y) continue;
      const std::int32_t made = graph_.slots[other].producer;  // its gradient is read there
      if (made >= i) continue;
      if (is_read_between(made, i, id) || is_read_between(graph_.slots[id].producer, i, other)) return false;
    }
    return true;
  }
  /// Whether a node of [first, last) reads a value, and so adds to its gradient before that of node `first - 1`.
  bool is_read_between(std::int32_t first, std::int32_t last, slot_id id) const {
    for (std::int32_t j = std::max(first, 0); j < last; ++j) {
      const slot_id* ids = graph_.ids_of(at(j));
      if (std::find(ids, ids + at(j).inputs, id) != ids + at(j).inputs) return true;
    }
    return false;
  }

  slot_id new_gradient(slot_id of) {
    slot g = graph_.slots[of];
    g.kind = slot_kind::gradient;
    g.data = nullptr;
    g.kept = g.differentiable = false;
    g.producer = -1;
    g.gradient = no_slot;
    const slot_id id = graph_.add(g);
    written_.resize(graph_.slots.size(), false);
    return id;
  }
  slot_id gradient_for(slot_id id) {
    slot_id& g = gradient_of(id);
    if (g == no_slot) {
      const slot_id own = graph_.slots[id].gradient;
      g = own != no_slot ? own : new_gradient(id);
      written_.resize(graph_.slots.size(), false);
      // A parameter's gradient outlives the step, so it is always added to.
      if (own != no_slot && graph_.slots[own].kind == slot_kind::external) written_[g] = true;
    }
    return gradient_of(id);
  }

  void lifetimes() {
    const std::size_t slots = graph_.slots.size();
    out_.first_use.assign(slots, -1);
    out_.last_use.assign(slots, -1);
    const auto touch = [&](slot_id id, std::int32_t at) {
      if (id == no_slot) return;
      if (out_.first_use[id] < 0) out_.first_use[id] = at;
      out_.last_use[id] = at;
    };
    for (std::int32_t i = 0; i < std::int32_t(out_.steps.size()); ++i) {
      const step& s = out_.steps[i];
      const slot_id* ids = out_.ids.data() + s.ids;
      if (s.what == phase::add_gradient) {
        touch(ids[0], i), touch(ids[1], i);
        continue;
      }
      const node<B>& n = at(s.node);
      const int values = n.operands() + n.saved;
      if (s.what != phase::backward) {
        for (int k = 0; k < values + n.forward_scratch; ++k) touch(ids[k], i);
        continue;
      }
      for (int k = 0; k < n.operands(); ++k)
        if (n.reads_in_backward(k)) touch(ids[k], i);
      for (int k = n.operands(); k < values; ++k) touch(ids[k], i);
      for (int k = values + n.forward_scratch; k < n.id_count(); ++k) touch(ids[k], i);
      for (int k = 0; k < n.operands(); ++k) touch(out_.ids[s.gradients + k], i);
    }
    for (std::size_t id = 0; id < slots; ++id)
      if (graph_.slots[id].kept && out_.first_use[id] >= 0)
        out_.last_use[id] = std::numeric_limits<std::int32_t>::max();
  }

  graph<B>& graph_;
  schedule_options options_;
  schedule out_;
  std::vector<slot_id> replaced_;
  std::vector<slot_id> gradients_;
  std::vector<bool> written_;
  std::vector<std::pair<slot_id, slot_id>> sharers_;  ///< a slot, and a value whose gradient was put there
  std::int32_t live_segment_ = -1;
};

}  // namespace detail

/// Writes down forward (if asked) and backward from `root` (if it is a slot). Adds gradient slots to the graph.
template <class B>
schedule make_schedule(graph<B>& g, slot_id root, schedule_options options = {}) {
  return detail::scheduler<B>(g, options).build(root);
}

/// f(T(1)) for the type T of a value that has gradients.
template <class F>
void with_real_type(dtype type, F f) {
  if (type == dtype::f64) return f(1.0);
  require<error>(type == dtype::f32, "a gradient of type ", name_of(type));
  f(1.0f);
}

/// Makes the call of one step. Memory of every slot it touches must be in place.
template <class B>
void run_step(B& device, const graph<B>& g, const schedule& s, const step& at) {
  const slot_id* ids = s.ids.data() + at.ids;
  if (at.what == phase::add_gradient) {
    const slot &to = g.slots[ids[0]], &from = g.slots[ids[1]];
    with_real_type(to.type, [&]<class T>(T one) {
      axpby(device, one, view_of<B, const T>(reinterpret_cast<const T*>(from.data), from.rows, from.cols), one,
            view_of<B, T>(reinterpret_cast<T*>(to.data), to.rows, to.cols));
    });
    return;
  }
  const node<B>& n = g.nodes[at.node];
  frame<B> f{&device, g.slots.data(), &n, g.payload.data() + n.attributes, ids, nullptr, 0};
  if (at.what == phase::backward) {
    f.gradients = s.ids.data() + at.gradients;
    f.accumulate = at.accumulate;
    n.op->backward(f);
  } else {
    n.op->forward(f);
  }
}

}  // namespace mor1e
