// The adapter of every low-rank method: two skinny products around the method's gates.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <memory>
#include <optional>
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
#include "mor1e/ops/multiply.hpp"
#include "mor1e/ops/scale.hpp"
#include "mor1e/peft/any_method.hpp"
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

/// Gates of a method that are trained: one for each linear of a group.
template <class B, class T>
struct gate_parameter {
  std::string name;     ///< "a", as reports call them
  double sharpness;     ///< the gates are sigmoid(sharpness v)
  param<B, T>* logits;  ///< v
  std::span<const std::string> linears;

  std::vector<double> values() const {
    std::vector<double> out;
    for (const T v : logits->read()) out.push_back(1 / (1 + std::exp(-sharpness * double(v))));
    return out;
  }
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
  /// All that is trained; what is not, the adapter's seed draws again.
  virtual std::vector<parameter_view<B, T>> views() = 0;
  /// Full names of the adapted linears.
  virtual std::span<const std::string> linears() const = 0;
  /// The weights that alone compute what base and adapter do. Throws `value_error` if none do.
  virtual std::vector<folded_linear<T>> fold(B& device, const nn::projection_group<B, T>& base,
                                             const fold_options<T>& options) = 0;
  /// Of each adapted linear; empty for a method without experts.
  virtual std::vector<update_norms> expert_norms() = 0;
  /// Those of its parameters that are gates.
  virtual std::vector<gate_parameter<B, T>> gates() = 0;
  /// The method, if it has a name and fields.
  virtual std::optional<any_method> method_by_name() const = 0;
  /// What a step has to give it.
  virtual method_needs needs() const = 0;
};

/// z_p = W_p x + scale U_p g_p(V^T x, R x) for the targeted linears p of one group.
/// V and R of all of them are the rows of one parameter, so that x is read by one product; where V is not trained, R is
/// a parameter of its own.
template <class B, class T, Method M>
class low_rank_adapter final : public stored_adapter<B, T> {
  using traits = method_traits<M>;

 public:
  /// `targeted[p]`: linear p is adapted. `key` seeds what starts at random, `shared_key` what starts alike everywhere.
  low_rank_adapter(const nn::projection_group<B, T>& base, std::vector<bool> targeted, M method, std::uint64_t key,
                   std::uint64_t shared_key)
      : method_(std::move(method)), site_(stream_key(key, -1)), magnitudes_(base, targeted) {
    B& device = base.device();
    const index_t rank = method_.update_rank(), downs = down_rows(method_), in = base.inputs();
    require<value_error>(rank >= 1 && downs >= 1, base.parts().front().name, ": an update of rank ",
                         std::min(rank, downs));
    for (std::size_t p = 0; p < targeted.size(); ++p) {
      const auto& part = base.parts()[p];
      if (targeted[p]) names_.push_back(part.name);
      tensor<T> up(shape{part.w.rows(), targeted[p] ? rank : 0});
      fill_start(up.matrix(), traits::up_start(method_),
                 traits::shares_draws ? stream_key(shared_key, -2) : stream_key(stream_key(key, -2), p));
      up_.push_back(std::make_unique<param<B, T>>(device, part.name + ".lora_B", up));
    }
    const index_t linears = index_t(names_.size()), routers = linears * method_.router_rows();
    tensor<T> down(shape{linears * downs + routers, in});
    if (traits::shares_draws)
      for (index_t p = 0; p < linears; ++p)
        fill_start(down.matrix().row_range(p * downs, downs), traits::down_start(method_), shared_key);
    else
      fill_start(down.matrix().row_range(0, linears * downs), traits::down_start(method_), key);
    const view<T> router = down.matrix().row_range(linears * downs, routers);
    fill_start(router, traits::router_start(method_), stream_key(key, 0));
    const bool joint = traits::trains_down || routers == 0;
    down_ = std::make_unique<param<B, T>>(device, names_.front() + ".down",
                                          shape{linears * downs + (joint ? routers : 0), in});
    down_->write(down.matrix().row_range(0, down_->extents()[0]));
    if (!joint) {
      router_ = std::make_unique<param<B, T>>(device, names_.front() + ".router", shape{routers, in});
      router_->write(router);
    }
    for (const own_parameter& e : method_.own_parameters()) {
      tensor<T> values(e.rows ? shape{linears * e.rows, e.width} : shape{1, linears * e.width}, T(e.value));
      if (e.random) draw(values.data(), values.size(), stream_key(key, own_.size() + 1), e.width);
      own_.push_back(std::make_unique<param<B, T>>(device, names_.front() + "." + e.name, values));
      own_.back()->learning_rate_scale = e.learning_rate_scale;
    }
    if constexpr (traits::scales_up)
      for (std::size_t p = 0; p < up_.size(); ++p) {
        const own_parameter b = method_.up_scale();
        const tensor<T> values(shape{up_[p]->size() ? base.parts()[p].w.rows() : 0, 1}, T(b.value));
        up_scales_.push_back(std::make_unique<param<B, T>>(device, base.parts()[p].name + "." + b.name, values));
        up_scales_.back()->learning_rate_scale = b.learning_rate_scale;
      }
  }

  var<T> forward(tape<B>& t, var<T> x, const nn::projection_group<B, T>& base, nn::step_context<B, T>& step) override {
    const int linears = int(names_.size());
    adapter_context<B, T> context(step);
    context.site = site_, context.linears = names_;
    std::vector<var<T>> parameters;
    for (auto& e : own_) parameters.push_back(t.use(*e));
    const std::span<const var<T>> own(parameters);
    const std::vector<var<T>> ups = up_projections(t);
    var<T> bias;
    if constexpr (requires { method_.bias(t, own); }) bias = method_.bias(t, own);
    // What V reads: x without what dropout takes.
    const var<T> kept = dropped(t, x, traits::input_dropout(method_), site_, context, names_.front());
    var<T> projected = project(t, x, kept, bias);
    if (step.observers.multipliers) projected = with_white_products(t, projected);
    if constexpr (requires { method_.prepare(t, projected, linears, own, context); })
      projected = method_.prepare(t, projected, linears, own, context);
    const var<T> gates = method_.gates(t, projected, linears, own, context);
    require<shape_error>(gates.cols == linears * method_.update_rank(), names_.front(), ": gates of ", gates.cols,
                         " columns, ", linears, " linears of rank ", method_.update_rank(), " need ",
                         linears * method_.update_rank());
    for (const var<T> loss : context.auxiliary_losses) step.auxiliary_losses.push_back({names_.front(), loss});
    const std::vector<var<T>>& weights = context.weights;
    require<value_error>(weights.empty() || weights.size() == names_.size(), names_.front(), ": weights of ",
                         weights.size(), " linears, there are ", names_.size());
    if (!weights.empty()) step.observers.routers->observe(t, names_, weights, step);
    if (step.observers.multipliers) {
      t.keep(gates);
      step.observers.multipliers->push_back({gates, method_.scale()});
    }
    if constexpr (traits::learns_magnitudes) {
      const var<T> y = magnitudes_.apply(t, base.adapted_without_bias(t, kept, gates, ups, method_.scale()), base,
                                         products_matrix(t), ups, method_.scale());
      if (kept.id == x.id) return y;
      return ops::add(t, y, base.without_bias(t, ops::add(t, x, ops::scale(t, kept, -1))));
    } else {
      return base.adapted(t, x, gates, ups, method_.scale());
    }
  }

  std::vector<param<B, T>*> parameters() override {
    std::vector<param<B, T>*> out;
    if (traits::trains_down) out.push_back(down_.get());
    if (router_) out.push_back(router_.get());
    for (auto& u : up_)
      if (traits::trains_up && u->size()) out.push_back(u.get());
    for (auto& e : own_) out.push_back(e.get());
    for (auto& b : up_scales_)
      if (b->size()) out.push_back(b.get());
    if constexpr (traits::learns_magnitudes)
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
      if (traits::trains_down)
        out.push_back({names_[p] + ".lora_A.weight", down_.get(), p * downs * in, shape{downs, in}});
      if (traits::trains_up) out.push_back({names_[p] + ".lora_B.weight", &up, 0, up.extents()});
      if constexpr (traits::scales_up) {
        param<B, T>& b = *up_scales_[part];
        out.push_back({b.name, &b, 0, shape{b.size()}});
      }
      if constexpr (traits::learns_magnitudes) {
        param<B, T>& m = magnitudes_.of(part);
        out.push_back({m.name, &m, 0, shape{m.size()}});
      }
      ++part;
      if (routers)
        out.push_back({names_[p] + ".router.weight", router_ ? router_.get() : down_.get(),
                       ((router_ ? 0 : linears * downs) + p * routers) * in, shape{routers, in}});
      const std::vector<own_parameter> kinds = method_.own_parameters();
      for (std::size_t k = 0; k < kinds.size(); ++k) {
        param<B, T>& e = *own_[k];
        const index_t each = e.size() / linears, width = kinds[k].width;
        out.push_back({names_[p] + e.name.substr(names_.front().size()), &e, p * each,
                       kinds[k].rows == 0 ? shape{each} : shape{each / width, width}});
      }
    }
    return out;
  }

  std::span<const std::string> linears() const override { return names_; }

  std::vector<folded_linear<T>> fold(B& device, const nn::projection_group<B, T>& base,
                                     const fold_options<T>& options) override {
    const index_t linears = index_t(names_.size()), downs = down_rows(method_), rank = method_.update_rank();
    const tensor<T> gates = fixed_gates(device, options), down = down_->read();
    auto& host = device.host();
    std::vector<folded_linear<T>> out;
    index_t p = 0;
    for (std::size_t part = 0; part < up_.size(); ++part) {
      if (!up_[part]->size()) continue;
      const auto& w = base.parts()[part].w.values();
      const tensor<T> up = scaled_up(part);
      tensor<T> weight = read_frozen(device, w), rows(shape{rank, w.cols()});
      // W + s U (G^T A)
      const view<const T> g = view<const T>(gates.data(), downs, linears * rank).col_range(p * rank, rank);
      const view<const T> a = down.matrix().row_range(p * downs, downs);
      gemm(host, backend::transpose::yes, backend::transpose::no, T(1), g, a, T(0), rows.matrix());
      gemm(host, backend::transpose::no, backend::transpose::no, T(method_.scale()), up.matrix(),
           std::as_const(rows).matrix(), T(1), weight.matrix());
      if constexpr (traits::learns_magnitudes) magnitudes_.rescale(part, weight.matrix());
      out.push_back({part, std::move(weight)});
      ++p;
    }
    return out;
  }

  std::optional<any_method> method_by_name() const override {
    if constexpr (HasLabel<M> && HasFields<M> && std::equality_comparable<M>)
      return any_method(method_);
    else
      return std::nullopt;
  }
  method_needs needs() const override { return traits::needs(method_); }
  std::vector<gate_parameter<B, T>> gates() override {
    std::vector<gate_parameter<B, T>> out;
    const std::vector<own_parameter> kinds = method_.own_parameters();
    for (std::size_t k = 0; k < kinds.size(); ++k)
      if (kinds[k].gate) out.push_back({kinds[k].gate, kinds[k].gate_sharpness, own_[k].get(), names_});
    return out;
  }
  std::vector<update_norms> expert_norms() override {
    std::vector<update_norms> out;
    if constexpr (traits::has_experts) {
      const index_t downs = down_rows(method_);
      const tensor<T> down = down_->read();
      for (std::size_t part = 0; part < up_.size(); ++part)
        if (const index_t p = index_t(out.size()); up_[part]->size()) {
          const tensor<T> up = scaled_up(part);
          out.push_back(
              {names_[std::size_t(p)], term_norms<T>(method_.expert_terms(), up.matrix(),
                                                     down.matrix().row_range(p * downs, downs), method_.scale())});
        }
    }
    return out;
  }

  const M& method() const { return method_; }

 private:
  /// The gates of products that are unit vectors: what each product gives to each slot, [products, linears * slots].
  tensor<T> fixed_gates(B& device, const fold_options<T>& options) const {
    const M method = options.drop_router ? without_router() : method_;
    require<value_error>(!traits::routes(method), names_.front(),
                         ": the router weighs the experts anew for every token, which no fixed weight does");
    const bool intuitive = traits::needs(method).clusters > 0;
    require<value_error>(!intuitive || !options.intuition.empty(), names_.front(),
                         ": the experts are weighed by the intuition of a text; say of which");
    traits::check(method, 0);
    // The parameters that are left without the router.
    std::vector<var<T>> parameters;
    tape<B> t(device, recording::forward);
    const std::vector<own_parameter> stored = method_.own_parameters();
    for (const own_parameter& e : method.own_parameters())
      for (std::size_t k = 0; k < stored.size(); ++k)
        if (std::string_view(stored[k].name) == e.name) parameters.push_back(t.use(*own_[k]));
    const std::span<const var<T>> own(parameters);
    const index_t downs = down_rows(method_), linears = index_t(names_.size());
    tensor<T> units(shape{downs, linears * downs}, T(0));
    for (index_t i = 0; i < downs * linears; ++i) units[i % downs * linears * downs + i] = T(1);
    const tensor<std::int32_t> one_text(shape{downs, 1}, 0);
    adapter_context<B, T> context;
    context.batch.instances = t.template input<std::int32_t>(one_text.matrix());
    context.linears = names_;
    if (intuitive) context.batch.intuition = t.template input<T>(options.intuition);
    var<T> x = t.template input<T>(std::as_const(units).matrix());
    if constexpr (requires { method.prepare(t, x, int(linears), own, context); })
      x = method.prepare(t, x, int(linears), own, context);
    return t.read(method.gates(t, x, int(linears), own, context));
  }
  M without_router() const {
    try {
      return traits::without_router(method_);
    } catch (const value_error& e) {
      throw value_error(text(names_.front(), ": ", e.what()));
    }
  }
  /// U of a linear as the update has it, [out, rank].
  tensor<T> scaled_up(std::size_t part) const {
    tensor<T> out = up_[part]->read();
    if constexpr (traits::scales_up) {
      const tensor<T> b = up_scales_[part]->read();
      for (index_t i = 0; i < out.size(); ++i) out[i] *= b[i / method_.update_rank()];
    }
    return out;
  }

  /// A matrix on the tape: a parameter, or a constant if it is not trained.
  var<T> on(tape<B>& t, param<B, T>& p, bool trained) const {
    if (trained) return t.use(p);
    return t.constant(p.value);
  }
  var<T> products_matrix(tape<B>& t) { return on(t, *down_, traits::trains_down); }
  /// U of all linears of the group.
  std::vector<var<T>> up_projections(tape<B>& t) {
    std::vector<var<T>> out;
    for (std::size_t p = 0; p < up_.size(); ++p) {
      out.push_back(on(t, *up_[p], traits::trains_up));
      if constexpr (traits::scales_up)
        if (up_[p]->size()) out.back() = ops::multiply(t, out.back(), t.use(*up_scales_[p]));
    }
    return out;
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
    const var<T> down = products_matrix(t);
    const index_t routers = index_t(names_.size()) * method_.router_rows();
    if (router_) {
      const auto of = [&](index_t first, index_t count) { return bias ? ops::columns(t, bias, first, count) : bias; };
      const var<T> parts[] = {ops::linear(t, kept, down, of(0, down.rows)),
                              ops::linear(t, x, t.use(*router_), of(down.rows, routers))};
      return ops::concat_columns<B, T>(t, parts);
    }
    const var<T> both = ops::linear(t, kept, down, bias);
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
  std::vector<std::unique_ptr<param<B, T>>> own_;
  std::unique_ptr<param<B, T>> router_;                  ///< null: its rows are below those of V
  std::vector<std::unique_ptr<param<B, T>>> up_scales_;  ///< [out, 1] as U; none without
  [[no_unique_address]] std::conditional_t<method_traits<M>::learns_magnitudes, row_magnitudes<B, T>, no_magnitudes>
      magnitudes_;
};

}  // namespace mor1e::peft
