// A recorded tape as a program: a schedule, one slab of memory, known before the first run.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/autodiff/value.hpp"

namespace mor1e {

/// Device memory that several plans share, as only one of them runs at a time.
template <class B>
class slab {
 public:
  explicit slab(B& device) : device_(&device) {}
  slab(const slab&) = delete;
  slab& operator=(const slab&) = delete;
  ~slab() { device_->deallocate(data_); }

  /// Makes room for `bytes`. Returns true if the memory moved: plans then place their slots again.
  bool reserve(std::size_t bytes) {
    if (bytes <= size_) return false;
    device_->deallocate(std::exchange(data_, nullptr));
    data_ = static_cast<std::byte*>(device_->allocate(bytes));
    size_ = bytes;
    return true;
  }
  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  B* device_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Time spent in one kind of node, summed over runs.
struct node_time {
  const char* op;
  phase what;
  double seconds = 0;
  double flops = 0, bytes = 0;  ///< as the op counts them
  long calls = 0;
};

/// A device that can keep what it was asked to do and do it again at one call: `replay(kept, f)` calls f() until it has
/// kept what f asks for, and from then on asks for it without f.
template <class B>
concept HasReplay = requires(B b, typename B::kept_work& kept) {
  b.replay(kept, [] {});
};

namespace detail {
template <class B>
void set_to_one(B& device, const slot& s) {
  with_real_type(s.type, [&]<class T>(T one) { fill(device, one, view_of<B, T>(reinterpret_cast<T*>(s.data), 1, 1)); });
}

template <class B>
struct kept_run {};
template <HasReplay B>
struct kept_run<B> {
  std::unique_ptr<typename B::kept_work> work;
};
}  // namespace detail

template <class B>
class plan {
 public:
  /// Turns a tape made with `recording::plan` into a program. `root` empty: forward only.
  template <class T>
  plan(tape<B>&& recorded, var<T> root, bool with_backward, bool recompute_cheap = true)
      : device_(&recorded.device()), graph_(std::move(recorded.recorded())) {
    require<value_error>(root || !with_backward, "plan: a backward pass needs the value it starts from");
    if (root) detail::slot_of(graph_, root, "plan").kept = true;
    require<shape_error>(!with_backward || root.rows * root.cols == 1, "plan: a backward pass from a value [",
                         root.rows, ", ", root.cols, "]; it starts from a single number");
    for (const slot& s : graph_.slots) filled_.push_back(s.kind != slot_kind::input);
    schedule_ = make_schedule(graph_, with_backward ? root.id : no_slot, {true, with_backward && recompute_cheap});
    place();
  }
  template <class T>
  plan(tape<B>&& recorded, const value<B, T>& root, bool with_backward, bool recompute_cheap = true)
      : plan(std::move(recorded), root.var(), with_backward, recompute_cheap) {}

  /// Bytes of all inputs, activations, gradients and workspace. Known before anything runs.
  std::size_t bytes() const { return bytes_; }
  std::size_t steps() const { return schedule_.steps.size(); }
  const graph<B>& recorded() const { return graph_; }

  /// Puts every slot into `memory`, which must hold `bytes()` and may be shared by plans that do not run at one time.
  /// A plan that is bound to none takes memory of its own when it is first filled or run.
  void bind(std::byte* memory) {
    for (std::size_t id = 0; id < graph_.slots.size(); ++id)
      if (offset_[id] >= 0) graph_.slots[id].data = memory + offset_[id];
    bound_ = memory;
    if constexpr (HasReplay<B>)
      if (kept_run_.work) keep_on_device();  // what was kept names the old memory
  }
  /// From here on a run is one call of the device, after the first two: a CUDA graph. What a step reads besides inputs
  /// and parameters must then stay where it is, as all of a plan does.
  void keep_on_device() requires HasReplay<B> { kept_run_.work = std::make_unique<typename B::kept_work>(*device_); }

  bool bound_to(const std::byte* memory) const { return bound_ == memory && memory; }

  /// Copies host values into an input.
  template <class T>
  void fill(var<T> v, view<const T> value) {
    bind_own();
    detail::fill_input(*device_, graph_, v, value);
    filled_[std::size_t(v.id)] = true;
  }
  template <class T>
  void fill(var<T> v, const tensor<T>& value) {
    fill(v, value.matrix());
  }
  template <class T>
  void fill(const value<B, T>& v, const tensor<T>& values) {
    fill(v.var(), values.matrix());
  }
  /// A host copy of an input or a kept value.
  template <class T>
  tensor<T> read(var<T> v) const {
    return detail::read_slot<T>(*device_, kept(v));
  }
  template <class T>
  tensor<T> read(const value<B, T>& v) const {
    return read(v.var());
  }
  /// The same of a value [1, 1].
  template <class T>
  T read_scalar(var<T> v) const {
    return detail::read_slot_scalar<T>(*device_, kept(v));
  }
  template <class T>
  T read_scalar(const value<B, T>& v) const {
    return read_scalar(v.var());
  }
  /// A host copy of d loss / d v of a watched value; zeros if the loss does not depend on it.
  template <class T>
  tensor<T> gradient(var<T> v) const {
    return detail::read_slot_gradient(*device_, graph_, v);
  }

  /// All steps in order: allocates nothing.
  void run() {
    prepare();
    const auto all = [this] {
      seed();
      for (const step& s : schedule_.steps) run_step(*device_, graph_, schedule_, s);
    };
    if constexpr (HasReplay<B>)
      if (kept_run_.work) return device_->replay(*kept_run_.work, all);
    all();
  }

  /// The same, adding to `times` (one entry per op and phase).
  void run(std::vector<node_time>& times) {
    using clock = std::chrono::steady_clock;
    prepare();
    seed();
    for (const step& s : schedule_.steps) {
      const auto begin = clock::now();
      run_step(*device_, graph_, schedule_, s);
      device_->finish();
      const double seconds = std::chrono::duration<double>(clock::now() - begin).count();
      const char* name = s.node < 0 ? "add_gradient" : graph_.nodes[s.node].op->name;
      auto at = std::find_if(times.begin(), times.end(),
                             [&](const node_time& t) { return t.op == name && t.what == s.what; });
      if (at == times.end()) at = times.insert(times.end(), {name, s.what});
      at->seconds += seconds;
      const cost done = work(s);
      at->flops += done.flops, at->bytes += done.bytes;
      ++at->calls;
    }
  }

  /// The same, looking at what each step writes: "OP (forward, node 3 of 40)" of the first that writes a NaN or an
  /// infinity, empty if none does.
  std::string first_not_finite() {
    prepare();
    seed();
    std::string found;
    for (const step& s : schedule_.steps) {
      run_step(*device_, graph_, schedule_, s);
      if (!found.empty() || writes_finite(s)) continue;
      const char* name = s.node < 0 ? "add_gradient" : graph_.nodes[s.node].op->name;
      found = text(name, " (", s.what == phase::forward || s.what == phase::recompute ? "forward" : "backward");
      if (s.node >= 0) found += text(", node ", s.node + 1, " of ", graph_.nodes.size());
      found += ")";
    }
    return found;
  }

  /// Floating point operations of one run, as the ops count them.
  double flops() const {
    double sum = 0;
    for (const step& s : schedule_.steps) sum += work(s).flops;
    return sum;
  }

 private:
  /// Binds the plan if nobody has. Inputs must be filled: memory that nobody has written to would give numbers too.
  void prepare() {
    const auto open = std::find(filled_.begin(), filled_.end(), false);
    if (open == filled_.end()) return bind_own();
    const slot& s = graph_.slots[std::size_t(open - filled_.begin())];
    throw value_error(text("plan: an input [", s.rows, ", ", s.cols, "] of ", name_of(s.type), " was never filled"));
  }
  void bind_own() {
    if (bound_) return;
    own_ = std::make_unique<slab<B>>(*device_);
    own_->reserve(std::max<std::size_t>(bytes_, 1));
    bind(own_->data());
  }
  /// The slot of a value that a run leaves readable.
  template <class T>
  const slot& kept(var<T> v) const {
    const slot& s = detail::slot_of(graph_, v, "read");
    require<error>(s.kept || !s.managed(),
                   "read: other values may lie where this one was; keep() it before the plan is made");
    return s;
  }

  // The gradient of the root, 1. Before every run: another plan may have used the memory since the last.
  void seed() {
    if (schedule_.seed == no_slot) return;
    const slot& seed = graph_.slots[schedule_.seed];
    detail::set_to_one(*device_, seed);
  }

  /// Outputs of a forward, gradients of a backward.
  bool writes_finite(const step& s) const {
    const slot_id* ids = schedule_.ids.data() + s.ids;
    if (s.node < 0) return is_finite(graph_.slots[ids[0]]);
    const node<B>& n = graph_.nodes[s.node];
    const bool backward = s.what == phase::backward;
    if (backward) ids = schedule_.ids.data() + s.gradients + n.outputs;
    for (int k = 0; k < (backward ? n.inputs : n.outputs); ++k)
      if (const slot_id id = backward ? ids[k] : ids[n.inputs + k]; id != no_slot && !is_finite(graph_.slots[id]))
        return false;
    return true;
  }
  bool is_finite(const slot& s) const {
    const auto all = [&]<class T>(T) {
      std::vector<T> values(s.bytes() / sizeof(T));
      device_->download(values.data(), s.data, s.bytes());
      return std::all_of(values.begin(), values.end(), [](T v) { return std::isfinite(v); });
    };
    return s.type == dtype::f64 ? all(double()) : s.type == dtype::f32 ? all(float()) : true;
  }

  cost work(const step& s) const {
    if (s.node < 0) return {};
    const node<B>& n = graph_.nodes[s.node];
    return n.op->work({device_, graph_.slots.data(), &n, graph_.payload.data() + n.attributes,
                       schedule_.ids.data() + s.ids, nullptr, 0},
                      s.what == phase::backward);
  }

  struct block {
    std::int32_t first, last;  ///< steps
    std::size_t bytes;
    std::size_t offset = 0;
    std::vector<slot_id> slots;
  };

  // Greedy by size: the largest block first, each at the lowest offset where no block alive at the same time lies.
  void place() {
    constexpr std::size_t line = 64;
    const auto forever = std::numeric_limits<std::int32_t>::max();
    std::vector<block> blocks;
    std::vector<std::int32_t> block_of(graph_.slots.size(), -1);
    for (slot_id id = 0; id < slot_id(graph_.slots.size()); ++id) {
      const slot& s = graph_.slots[id];
      if (s.foreign()) continue;
      const bool whole = s.kind == slot_kind::input;
      if (!whole && schedule_.first_use[id] < 0) continue;
      block_of[id] = std::int32_t(blocks.size());
      blocks.push_back({whole ? 0 : schedule_.first_use[id],
                        whole ? forever : schedule_.last_use[id],
                        (s.bytes() + line - 1) / line * line,
                        0,
                        {id}});
    }
    merge_in_place(blocks, block_of);
    std::vector<std::int32_t> order(blocks.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = std::int32_t(i);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return blocks[a].bytes > blocks[b].bytes; });
    std::vector<std::int32_t> placed;  // by offset
    offset_.assign(graph_.slots.size(), -1);
    for (std::int32_t i : order) {
      block& b = blocks[i];
      if (b.slots.empty()) continue;
      std::size_t at = 0;
      for (std::int32_t j : placed) {
        const block& other = blocks[j];
        if (other.last < b.first || b.last < other.first) continue;
        if (at + b.bytes <= other.offset) break;
        at = std::max(at, other.offset + other.bytes);
      }
      b.offset = at;
      placed.insert(std::upper_bound(placed.begin(), placed.end(), at,
                                     [&](std::size_t o, std::int32_t j) { return o < blocks[j].offset; }),
                    i);
      bytes_ = std::max(bytes_, at + b.bytes);
      for (slot_id id : b.slots) offset_[id] = std::ptrdiff_t(at);
    }
  }

  // An output takes over the memory of an input that nobody reads after this step.
  void merge_in_place(std::vector<block>& blocks, std::vector<std::int32_t>& block_of) {
    for (std::int32_t i = 0; i < std::int32_t(schedule_.steps.size()); ++i) {
      const step& s = schedule_.steps[i];
      if (s.node < 0 || s.what == phase::backward) continue;
      const node<B>& n = graph_.nodes[s.node];
      if (n.in_place < 0) continue;
      const slot_id from = schedule_.ids[s.ids + n.in_place], to = schedule_.ids[s.ids + n.inputs];
      const slot &a = graph_.slots[from], &b = graph_.slots[to];
      if (!a.managed() || a.kept || a.bytes() != b.bytes() || schedule_.first_use[to] != i) continue;
      int times = 0;
      for (int k = 0; k < n.inputs; ++k) times += schedule_.ids[s.ids + k] == from;
      block& mine = blocks[block_of[from]];
      if (times != 1 || mine.last != i) continue;
      block& taken = blocks[block_of[to]];
      mine.last = taken.last;
      for (slot_id id : taken.slots) {
        mine.slots.push_back(id);
        block_of[id] = block_of[from];
      }
      taken.slots.clear();
    }
  }

  B* device_;
  graph<B> graph_;
  schedule schedule_;
  std::vector<std::ptrdiff_t> offset_;
  std::vector<bool> filled_;  ///< the slots of the tape; true where there is nothing to fill
  std::size_t bytes_ = 0;
  const std::byte* bound_ = nullptr;
  std::unique_ptr<slab<B>> own_;
  [[no_unique_address]] detail::kept_run<B> kept_run_;
};

}  // namespace mor1e
