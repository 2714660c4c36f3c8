// Puts a method on a model.
#pragma once

#include <algorithm>
#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/nn/projection_group.hpp"
#include "mor1e/peft/low_rank.hpp"
#include "mor1e/peft/method_members.hpp"
#include "mor1e/peft/targets.hpp"

namespace mor1e::peft {

struct adapter_spec;  // see registration.hpp

/// The adapters of one model. Taken off the model when destroyed.
template <class B, class T>
class adapter_set {
 public:
  adapter_set() = default;
  adapter_set(adapter_set&&) = default;
  adapter_set& operator=(adapter_set&& other) {
    detach();  // what is replaced must not stay on its groups
    groups_ = std::move(other.groups_);
    adapters_ = std::move(other.adapters_);
    attached_with = std::move(other.attached_with);
    return *this;
  }
  ~adapter_set() { detach(); }

  /// Throws `value_error` if the group has an adapter: two would not add up, the first would fall silent.
  void add(nn::projection_group<B, T>& group, std::unique_ptr<stored_adapter<B, T>> a) {
    require<value_error>(!group.attached(), group.parts().front().name, ": has an adapter already; detach it first");
    group.attach(a.get());
    groups_.push_back(&group);
    adapters_.push_back(std::move(a));
  }
  /// The base model alone from here on; the adapters stay, `attach` puts them back.
  void detach() {
    for (std::size_t i = 0; i < groups_.size(); ++i)
      if (groups_[i]->attached() == adapters_[i].get()) groups_[i]->attach(nullptr);
  }
  void attach() {
    for (std::size_t i = 0; i < groups_.size(); ++i) groups_[i]->attach(adapters_[i].get());
  }
  /// Full names of the adapted linears.
  std::vector<std::string> linears() const {
    std::vector<std::string> out;
    for (const auto& a : adapters_)
      for (const std::string& name : a->linears()) out.push_back(name);
    return out;
  }

  /// f(group, adapter) for each
  template <class F>
  void each(F f) {
    for (std::size_t i = 0; i < groups_.size(); ++i) f(*groups_[i], *adapters_[i]);
  }
  std::vector<param<B, T>*> parameters() {
    std::vector<param<B, T>*> out;
    for (auto& a : adapters_)
      for (auto* p : a->parameters()) out.push_back(p);
    return out;
  }
  std::vector<parameter_view<B, T>> views() {
    std::vector<parameter_view<B, T>> out;
    for (auto& a : adapters_)
      for (auto& v : a->views()) out.push_back(std::move(v));
    return out;
  }
  std::vector<gate_parameter<B, T>> gates() {
    std::vector<gate_parameter<B, T>> out;
    for (auto& a : adapters_)
      for (auto& g : a->gates()) out.push_back(std::move(g));
    return out;
  }
  index_t parameter_count() {
    index_t sum = 0;
    for (auto* p : parameters()) sum += p->size();
    return sum;
  }
  /// What a step has to give the adapters.
  method_needs needs() const {
    method_needs out;
    for (const auto& a : adapters_) {
      const method_needs its = a->needs();
      out = {std::max(out.clusters, its.clusters), out.draws || its.draws, out.types || its.types};
    }
    return out;
  }
  bool empty() const { return adapters_.empty(); }

  /// The method of all adapters, if it has a name and fields. Nothing for one that only computes, and for adapters of
  /// several, as patterns of PEFT make them.
  std::optional<any_method> method() const {
    std::optional<any_method> out;
    for (const auto& a : adapters_) {
      const auto its = a->method_by_name();
      if (!its || (out && !(*out == *its))) return {};
      out = its;
    }
    return out;
  }
  /// What `attach` was told.
  struct origin {
    std::vector<std::string> targets;
    std::uint64_t seed = 0;
    target_limits limits;
  };
  origin attached_with = {};

 private:
  std::vector<nn::projection_group<B, T>*> groups_;
  std::vector<std::unique_ptr<stored_adapter<B, T>>> adapters_;
};

/// A model that says what can be adapted.
template <class Model>
concept Adaptable = requires(Model& model) {
  model.groups();
};

namespace detail {

template <class B, class T>
const std::vector<nn::projection_group<B, T>*>& groups_of(const std::vector<nn::projection_group<B, T>*>& groups) {
  return groups;
}
template <Adaptable Model>
auto groups_of(Model& model) {
  return model.groups();
}

template <class B, class T, class M>
adapter_set<B, T> attach_to(const std::vector<nn::projection_group<B, T>*>& groups, const M& method, std::uint64_t seed,
                            const std::vector<std::string>& targets, const target_limits& limits) {
  static_assert(check_method_members<M, B, T>());
  adapter_set<B, T> set;
  set.attached_with = {targets, seed, limits};
  std::vector<bool> met(targets.size(), false);
  std::vector<std::vector<bool>> targeted;
  index_t inputs = 0;
  for (const auto* group : groups) {
    targeted.emplace_back();
    for (const auto& part : group->parts()) {
      for (std::size_t i = 0; i < targets.size(); ++i)
        if (means(targets[i], part.name)) met[i] = true;
      const bool hit = is_targeted(part.name, targets, limits);
      targeted.back().push_back(hit);
      if (hit) inputs += group->inputs();
    }
  }
  method_traits<M>::check(method, inputs);
  for (std::size_t g = 0; g < groups.size(); ++g)
    if (std::find(targeted[g].begin(), targeted[g].end(), true) != targeted[g].end())
      set.add(*groups[g],
              std::make_unique<low_rank_adapter<B, T, M>>(*groups[g], targeted[g], method, stream_key(seed, g), seed));
  for (std::size_t i = 0; i < targets.size(); ++i)
    require<value_error>(met[i], "targets: no linear of the model is called '", targets[i], "'");
  require<value_error>(!set.empty() || limits == target_limits{},
                       "targets: 'layers_to_transform' and 'exclude_modules' leave no linear of the model");
  return set;
}

/// The groups of a model, or a vector of them.
template <class Where>
concept HasGroups = requires(Where& where) {
  detail::groups_of(where);
};
template <HasGroups Where>
using group_of = std::remove_cvref_t<decltype(*groups_of(std::declval<Where&>()).front())>;
template <class M, class Group>
inline constexpr bool fits_group = false;
template <class M, class B, class T>
inline constexpr bool fits_group<M, nn::projection_group<B, T>> = HasGates<M, B, T>;

}  // namespace detail

/// Attaches `method` to a model, or to groups of linears: to those linears whose path is one of `targets` or ends in
/// one ("q_proj", "self_attn.q_proj", ...); empty: all linears of all groups, that is every linear but the head; and
/// within `limits`. Throws `value_error` for a target that no linear has, for limits that leave none, and for a group
/// that has an adapter.
template <detail::HasGroups Where, class M>
requires(!std::same_as<M, adapter_spec>) auto attach(Where&& where, const M& method, std::uint64_t seed = 0,
                                                     const std::vector<std::string>& targets = {},
                                                     const target_limits& limits = {}) {
  // One by one and in this very function: so the compiler's first lines say what is wrong.
  static_assert(HasUpdateRank<M>, "a method needs `int update_rank() const`");
  static_assert(HasRouterRows<M>, "a method needs `int router_rows() const`");
  static_assert(HasScale<M>, "a method needs `double scale() const`");
  static_assert(HasOwnParameters<M>, "a method needs `std::vector<own_parameter> own_parameters() const`");
  static_assert(detail::fits_group<M, detail::group_of<Where>>,
                "a method needs `var<T> gates(tape<B>&, var<T> x, int linears, std::span<const var<T>> own, "
                "peft::adapter_context<B, T>&) const`");
  return detail::attach_to(detail::groups_of(where), method, seed, targets, limits);
}

}  // namespace mor1e::peft
