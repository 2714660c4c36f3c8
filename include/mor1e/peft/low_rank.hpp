// The adapter of every low-rank method: two skinny products around the method's gates.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "mor1e/core/rng.hpp"
#include "mor1e/ops/add.hpp"
#include "mor1e/ops/columns.hpp"
#include "mor1e/ops/concat_columns.hpp"
#include "mor1e/ops/linear.hpp"
#include "mor1e/ops/scale.hpp"
#include "mor1e/peft/dropped.hpp"
#include "mor1e/peft/expert_norms.hpp"
#include "mor1e/peft/initial_values.hpp"
#include "mor1e/peft/method.hpp"
#include "mor1e/peft/row_magnitudes.hpp"

namespace mor1e::peft {

/// A named part of a parameter, as adapter files store it: its elements from number `begin` on.
template <class B, class T>
struct parameter_view {
  std::string name;  ///< "<module path>.lora_A.weight"
  param<B, T>* of;
  index_t begin = 0;
  shape extents = {};  ///< as stored: a vector has one axis

  tensor<T> read() const { return of->value.read(begin, extents); }
  tensor<T> read_gradient() const { return of->gradient.read(begin, extents); }
  void write(view<const T> values) const { of->value.write(begin, values); }
};

/// A linear of a group with its update folded in.
template <class T>
struct folded_linear {
  std::size_t part;
  tensor<T> weight;  ///< [out, in]
};

/// How much an expert of a linear adds: |scale sum over its terms of u v^T|, the Frobenius norm.
struct update_norms {
  std::string linear;
  std::vector<double> experts;
};

/// What an update is folded for.
template <class T>
struct fold_options {
  view<const T> intuition = {};  ///< [1, clusters]; for a method that reads one
  bool drop_router = false;      ///< without the router's term, which no fixed weight can hold
};

/// An adapter that can be stored and folded.
template <class B, class T>
class stored_adapter : public nn::adapter<B, T> {
 public:
  virtual std::vector<parameter_view<B, T>> views() = 0;
  /// The weights that alone compute what base and adapter do. Throws `value_error` if none do.
  virtual std::vector<folded_linear<T>> fold(B& device, const nn::projection_group<B, T>& base,
                                             const fold_options<T>& options) = 0;
  /// Of each adapted linear; empty for a method without experts.
  virtual std::vector<update_norms> expert_norms() = 0;
};

/// z_p = W_p x + scale U_p g_p(V^T x, R x) for the targeted linears p of one group.
/// V and R of all of them are the rows of one parameter, so that x is read by one product.
template <class B, class T, Method M>
class low_rank_adapter final : public stored_adapter<B, T> {
 public:
  /// `targeted[p]`: linear p is adapted. `key` seeds V and R, which start as the method says; U and, unless they say
  /// otherwise, the extra parameters are zero.
  low_rank_adapter(const nn::projection_group<B, T>& base, std::vector<bool> targeted, M method, std::uint64_t key)
      : method_(std::move(method)), site_(stream_key(key, -1)), magnitudes_(base, targeted) {
    B& device = base.device();
    const index_t slots = method_.slots(), downs = down_rows(method_), in = base.inputs();
    require<value_error>(slots >= 1 && downs >= 1, base.parts().front().name, ": an update of rank ",
                         std::min(slots, downs));
    for (std::size_t p = 0; p < targeted.size(); ++p) {
      const auto& part = base.parts()[p];
      if (targeted[p]) names_.push_back(part.name);
      up_.push_back(
          std::make_unique<param<B, T>>(device, part.name + ".lora_B", shape{part.w.rows(), targeted[p] ? slots : 0}));
    }
    const index_t linears = index_t(names_.size());
    start of_products = start::uniform, of_router = start::zero;
    if constexpr (requires { method_.products_start(); }) of_products = method_.products_start();
    if constexpr (requires { method_.router_start(); }) of_router = method_.router_start();
    tensor<T> down(shape{linears * (downs + method_.router_rows()), in});
    fill_start(down.matrix().row_range(0, linears * downs), of_products, key);
    fill_start(down.matrix().row_range(linears * downs, linears * method_.router_rows()), of_router,
               stream_key(key, 0));
    down_ = std::make_unique<param<B, T>>(device, names_.front() + ".down", down);
    for (const extra_parameter& e : method_.extra()) {
      const shape extents = e.rows ? shape{linears * e.rows, e.width} : shape{1, linears * e.width};
      tensor<T> values(extents, T(0));
      if (e.random) draw(values.data(), values.size(), stream_key(key, extra_.size() + 1), e.width);
      extra_.push_back(std::make_unique<param<B, T>>(device, names_.front() + "." + e.name, values));
      extra_.back()->learning_rate_scale = e.learning_rate_scale;
    }
  }

  var<T> forward(tape<B>& t, var<T> x, const nn::projection_group<B, T>& base, nn::step_context<B, T>& step) override {
    const int linears = int(names_.size());
    step.site = site_;
    std::vector<var<T>> extra, ups;
    for (auto& e : extra_) extra.push_back(t.use(*e));
    for (auto& u : up_) ups.push_back(t.use(*u));
    const std::span<const var<T>> extras(extra);
    var<T> bias;
    if constexpr (requires { method_.bias(t, extras); }) bias = method_.bias(t, extras);
    var<T> kept = x;  // by dropout
    if constexpr (requires { method_.dropout; }) kept = dropped(t, x, method_.dropout, site_, step, names_.front());
    var<T> projected = project(t, x, kept, bias);
    if (step.multipliers) projected = with_white_products(t, projected);
    if constexpr (requires { method_.complete(t, projected, linears, extras, step); })
      projected = method_.complete(t, projected, linears, extras, step);
    std::vector<var<T>> weights;
    if (step.routers) step.weights = &weights;
    const var<T> gates = method_.gates(t, projected, linears, extras, step);
    step.weights = nullptr;
    step.auxiliary_groups.resize(step.auxiliary_losses.size(), names_.front());
    require<value_error>(weights.empty() || weights.size() == names_.size(), names_.front(), ": weights of ",
                         weights.size(), " linears, there are ", names_.size());
    if (!weights.empty()) step.routers->see(t, names_, weights, step);
    if (step.multipliers) {
      t.keep(gates);
      step.multipliers->push_back({gates, method_.scale()});
    }
    if constexpr (LearnsMagnitudes<M>) {
      const var<T> y = magnitudes_.apply(t, base.adapted_without_bias(t, kept, gates, ups, method_.scale()), base,
                                         t.use(*down_), ups, method_.scale());
      if (kept.id == x.id) return y;
      return ops::add(t, y, base.without_bias(t, ops::add(t, x, ops::scale(t, kept, -1))));
    } else {
      return base.adapted(t, x, gates, ups, method_.scale());
    }
  }

  std::vector<param<B, T>*> parameters() override {
    std::vector<param<B, T>*> out{down_.get()};
    for (auto& u : up_)
      if (u->size()) out.push_back(u.get());
    for (auto& e : extra_) out.push_back(e.get());
    if constexpr (LearnsMagnitudes<M>)
      for (std::size_t p = 0; p < up_.size(); ++p)
        if (up_[p]->size()) out.push_back(&magnitudes_.of(p));
    return out;
  }

  std::vector<parameter_view<B, T>> views() override {
    std::vector<parameter_view<B, T>> out;
    const index_t downs = down_rows(method_), routers = method_.router_rows(), linears = index_t(names_.size());
    const index_t in = down_->extents()[1];
    std::size_t part = 0;
    for (index_t p = 0; p < linears; ++p) {
      while (!up_[part]->size()) ++part;
      param<B, T>& up = *up_[part];
      out.push_back({names_[p] + ".lora_A.weight", down_.get(), p * downs * in, shape{downs, in}});
      out.push_back({names_[p] + ".lora_B.weight", &up, 0, up.extents()});
      if constexpr (LearnsMagnitudes<M>) {
        param<B, T>& m = magnitudes_.of(part);
        out.push_back({m.name, &m, 0, shape{m.size()}});
      }
      ++part;
      if (routers)
        out.push_back(
            {names_[p] + ".router.weight", down_.get(), (linears * downs + p * routers) * in, shape{routers, in}});
      const std::vector<extra_parameter> kinds = method_.extra();
      for (std::size_t k = 0; k < kinds.size(); ++k) {
        param<B, T>& e = *extra_[k];
        const index_t each = e.size() / linears, width = kinds[k].width;
        out.push_back({names_[p] + e.name.substr(names_.front().size()), &e, p * each,
                       kinds[k].rows == 0 ? shape{each} : shape{each / width, width}});
      }
    }
    return out;
  }

  std::vector<folded_linear<T>> fold(B& device, const nn::projection_group<B, T>& base,
                                     const fold_options<T>& options) override {
    const index_t linears = index_t(names_.size()), downs = down_rows(method_), slots = method_.slots();
    const tensor<T> gates = fixed_gates(device, options), down = down_->read();
    auto& host = device.host();
    std::vector<folded_linear<T>> out;
    index_t p = 0;
    for (std::size_t part = 0; part < up_.size(); ++part) {
      if (!up_[part]->size()) continue;
      const auto& w = base.parts()[part].w.values();
      const tensor<T> up = up_[part]->read();
      tensor<T> weight = read_frozen(device, w), rows(shape{slots, w.cols()});
      // W + s U (G^T A)
      const view<const T> g = view<const T>(gates.data(), downs, linears * slots).col_range(p * slots, slots);
      const view<const T> a = down.matrix().row_range(p * downs, downs);
      gemm(host, backend::transpose::yes, backend::transpose::no, T(1), g, a, T(0), rows.matrix());
      gemm(host, backend::transpose::no, backend::transpose::no, T(method_.scale()), up.matrix(),
           std::as_const(rows).matrix(), T(1), weight.matrix());
      if constexpr (LearnsMagnitudes<M>) magnitudes_.rescale(part, weight.matrix());
      out.push_back({part, std::move(weight)});
      ++p;
    }
    return out;
  }

  std::vector<update_norms> expert_norms() override {
    std::vector<update_norms> out;
    if constexpr (requires { method_.terms(); }) {
      const index_t downs = down_rows(method_);
      const tensor<T> down = down_->read();
      for (const auto& of : up_)
        if (const index_t p = index_t(out.size()); of->size()) {
          const tensor<T> up = of->read();
          out.push_back(
              {names_[std::size_t(p)], term_norms<T>(method_.terms(), up.matrix(),
                                                     down.matrix().row_range(p * downs, downs), method_.scale())});
        }
    }
    return out;
  }

  const M& method() const { return method_; }

 private:
  /// The gates of products that are unit vectors: what each product gives to each slot, [products, linears * slots].
  tensor<T> fixed_gates(B& device, const fold_options<T>& options) const {
    M method = method_;
    if constexpr (requires { method.losses = {}; }) method.losses = {};  // of training
    if constexpr (requires { method.router = false; })
      if (options.drop_router) method.router = false;
    bool routed = method.router_rows() > 0, felt = false;
    if constexpr (requires { method.router = false; }) routed |= method.router;
    if constexpr (requires { method.intuition; }) felt = method.intuition;
    require<value_error>(!routed, names_.front(),
                         ": the router weighs the experts anew for every token, which no fixed weight does");
    if constexpr (requires { method.before; })
      require<value_error>(!method.before, names_.front(),
                           ": the intuition is inside the router's softmax, and without the router there is none");
    require<value_error>(!felt || !options.intuition.empty(), names_.front(),
                         ": the experts are weighed by the intuition of a text; say of which");
    if constexpr (requires { method.admit(index_t(0)); }) method.admit(0);
    // The parameters that are left without the router.
    std::vector<var<T>> extra;
    tape<B> t(device, recording::forward);
    const std::vector<extra_parameter> stored = method_.extra();
    for (const extra_parameter& e : method.extra())
      for (std::size_t k = 0; k < stored.size(); ++k)
        if (std::string_view(stored[k].name) == e.name) extra.push_back(t.use(*extra_[k]));
    const std::span<const var<T>> extras(extra);
    const index_t downs = down_rows(method_), linears = index_t(names_.size());
    tensor<T> units(shape{downs, linears * downs}, T(0));
    for (index_t i = 0; i < downs * linears; ++i) units[i % downs * linears * downs + i] = T(1);
    const tensor<std::int32_t> one_text(shape{downs, 1}, 0);
    nn::step_context<B, T> step;
    step.instances = t.template input<std::int32_t>(one_text.matrix());
    if (felt) step.intuition = t.template input<T>(options.intuition);
    var<T> x = t.template input<T>(std::as_const(units).matrix());
    if constexpr (requires { method.complete(t, x, int(linears), extras, step); })
      x = method.complete(t, x, int(linears), extras, step);
    return t.read(method.gates(t, x, int(linears), extras, step));
  }

  /// Signs in place of the products, the logits as they are.
  var<T> with_white_products(tape<B>& t, var<T> projected) const {
    const index_t products = index_t(names_.size()) * down_rows(method_);
    tensor<T> signs(shape{projected.rows, products});
    for (index_t i = 0; i < signs.size(); ++i) signs[i] = uniform<double>(site_, std::uint64_t(i)) < 0.5 ? T(-1) : T(1);
    const var<T> white = t.template input<T>(std::as_const(signs).matrix());
    if (projected.cols == products) return white;
    const var<T> both[] = {white, ops::columns(t, projected, products, projected.cols - products)};
    return ops::concat_columns<B, T>(t, both);
  }
  /// V^T x and R x of all linears. In training V reads x without a part of it, R all of it.
  var<T> project(tape<B>& t, var<T> x, var<T> kept, var<T> bias) {
    const var<T> down = t.use(*down_), both = ops::linear(t, kept, down, bias);
    const index_t routers = index_t(names_.size()) * method_.router_rows();
    if (routers == 0 || kept.id == x.id) return both;
    // Both products are of all rows: to read some of a parameter is not worth an op.
    const index_t products = both.cols - routers;
    const var<T> parts[] = {ops::columns(t, both, 0, products),
                            ops::columns(t, ops::linear(t, x, down, bias), products, routers)};
    return ops::concat_columns<B, T>(t, parts);
  }
  /// Uniform in +-1/sqrt(inputs).
  static void draw(T* to, index_t count, std::uint64_t key, index_t inputs) {
    const double bound = 1 / std::sqrt(double(inputs));
    for (index_t i = 0; i < count; ++i) to[i] = T((uniform<double>(key, std::uint64_t(i)) * 2 - 1) * bound);
  }

  M method_;
  std::uint64_t site_;
  std::vector<std::string> names_;  ///< of the targeted linears
  std::unique_ptr<param<B, T>> down_;
  std::vector<std::unique_ptr<param<B, T>>> up_;  ///< one a linear of the group; no columns where it is not targeted
  std::vector<std::unique_ptr<param<B, T>>> extra_;
  [[no_unique_address]] std::conditional_t<LearnsMagnitudes<M>, row_magnitudes<B, T>, no_magnitudes> magnitudes_;
};

}  // namespace mor1e::peft
