// Linears that read the same input: the unit of adaptation.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/nn/linear.hpp"
#include "mor1e/nn/step_context.hpp"
#include "mor1e/ops/concat_columns.hpp"

namespace mor1e::nn {

template <class B, class T>
class projection_group;

/// A trained update of a projection group: the one virtual call between a model and a method.
template <class B, class T>
class adapter {
 public:
  virtual ~adapter() = default;
  /// The group's output with the update applied: x [T, in] -> [T, sum of outputs].
  virtual var<T> forward(tape<B>& t, var<T> x, const projection_group<B, T>& base, step_context<B, T>& step) = 0;
  /// What the optimiser trains.
  virtual std::vector<param<B, T>*> parameters() = 0;
};

/// A linear of a group: its name there and the columns it makes.
struct output {
  const char* name;
  index_t size;
};

/// One to four linears of the same input: q, k, v; gate, up; o; down.     x [T, in] -> [y_0 | y_1 | ...] [T, sum of
/// outputs]
template <class B, class T>
class projection_group {
 public:
  projection_group() = default;
  projection_group(B& device, std::vector<linear<B, T>> parts) : device_(&device), parts_(std::move(parts)) {}
  /// Trained from scratch: linears `name`.output of the same inputs, which start as nn::linear does.
  projection_group(B& device, const std::string& name, index_t inputs, std::initializer_list<output> outputs,
                   std::uint64_t key, bool bias)
      : device_(&device) {
    for (const output& o : outputs)
      parts_.emplace_back(device, name + "." + o.name, inputs, o.size, stream_key(key, parts_.size()), bias);
  }

  /// Where the weights are, and what is put on them goes.
  B& device() const { return *device_; }
  const std::vector<linear<B, T>>& parts() const { return parts_; }
  index_t inputs() const { return parts_.front().w.cols(); }
  index_t outputs() const {
    index_t sum = 0;
    for (const auto& p : parts_) sum += p.w.rows();
    return sum;
  }

  /// Puts an adapter on the group, or takes it off (null). The group does not own it.
  void attach(adapter<B, T>* a) {
    require<value_error>(!a || !parts_.front().w.trainable(), parts_.front().name, ": an adapter needs a frozen base");
    adapter_ = a;
  }
  adapter<B, T>* attached() const { return adapter_; }

  /// Puts another frozen weight of the same size in the place of that of part p; returns what was there.
  weight<B, T> exchange(std::size_t p, weight<B, T> w) {
    require<shape_error>(w.rows() == parts_[p].w.rows() && w.cols() == parts_[p].w.cols(), parts_[p].name,
                         ": a weight [", w.rows(), ", ", w.cols(), "] for one of [", parts_[p].w.rows(), ", ",
                         parts_[p].w.cols(), "]");
    return std::exchange(parts_[p].w, std::move(w));
  }

  var<T> forward(tape<B>& t, var<T> x, step_context<B, T>& step) const {
    return adapter_ ? adapter_->forward(t, x, *this, step) : base(t, x);
  }

  /// The base alone.
  var<T> base(tape<B>& t, var<T> x) const {
    if (!parts_.front().w.trainable()) return ops::frozen_linear<B, T>(t, x, frozen(t), biases(t));
    std::vector<var<T>> outputs;
    for (const auto& p : parts_) outputs.push_back(p.forward(t, x));
    return outputs.size() == 1 ? outputs.front() : ops::concat_columns<B, T>(t, outputs);
  }
  /// The base with scale * g_p U_p^T added to each part.
  var<T> adapted(tape<B>& t, var<T> x, var<T> gates, std::span<const var<T>> ups, double scale) const {
    return ops::adapted_linear<B, T>(t, x, frozen(t), biases(t), gates, ups, scale);
  }
  /// This and the base without the bias, which `bias` gives: [1, sum of outputs], or empty.
  var<T> adapted_without_bias(tape<B>& t, var<T> x, var<T> gates, std::span<const var<T>> ups, double scale) const {
    return ops::adapted_linear<B, T>(t, x, frozen(t), {}, gates, ups, scale);
  }
  var<T> without_bias(tape<B>& t, var<T> x) const { return ops::frozen_linear<B, T>(t, x, frozen(t), {}); }
  var<T> bias(tape<B>& t) const {
    const std::vector<var<T>> all = biases(t);
    return all.empty() ? var<T>{} : all.size() == 1 ? all.front() : ops::concat_columns<B, T>(t, all);
  }
  /// Those of the parts; none when they are frozen.
  std::vector<param<B, T>*> parameters() const { return parameters_of(parts_); }
  /// The weights of the parts, which are frozen.
  std::vector<frozen_var> frozen(tape<B>& t) const {
    std::vector<frozen_var> out;
    for (const auto& p : parts_) out.push_back(t.frozen(p.w.values()));
    return out;
  }

 private:
  std::vector<var<T>> biases(tape<B>& t) const {
    std::vector<var<T>> out;
    for (const auto& p : parts_)
      if (p.b) out.push_back(p.b.on(t));
    return out;
  }

  B* device_ = nullptr;
  std::vector<linear<B, T>> parts_;
  adapter<B, T>* adapter_ = nullptr;
};

}  // namespace mor1e::nn
