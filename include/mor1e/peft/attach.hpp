// Puts a method on a model.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/nn/projection_group.hpp"
#include "mor1e/peft/low_rank.hpp"
#include "mor1e/peft/targets.hpp"

namespace mor1e::peft {

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
  std::vector<std::string> linears() {
    std::vector<std::string> out;
    for (const auto& v : views())
      if (const std::string end = ".lora_A.weight"; v.name.ends_with(end))
        out.push_back(v.name.substr(0, v.name.size() - end.size()));
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
  index_t parameter_count() {
    index_t sum = 0;
    for (auto* p : parameters()) sum += p->size();
    return sum;
  }
  bool empty() const { return adapters_.empty(); }

 private:
  std::vector<nn::projection_group<B, T>*> groups_;
  std::vector<std::unique_ptr<stored_adapter<B, T>>> adapters_;
};

/// Attaches `method` to the linears whose path is one of `targets` or ends in one ("q_proj", "self_attn.q_proj", ...);
/// empty: all linears of all groups, that is every linear but the head; and within `limits`. Throws `value_error` for a
/// target that no linear has, for limits that leave none, and for a group that has an adapter.
template <class B, class T, Method M>
adapter_set<B, T> attach(const std::vector<nn::projection_group<B, T>*>& groups, const M& method,
                         std::uint64_t seed = 0, const std::vector<std::string>& targets = {},
                         const target_limits& limits = {}) {
  adapter_set<B, T> set;
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
  if constexpr (requires { method.admit(inputs); }) method.admit(inputs);
  for (std::size_t g = 0; g < groups.size(); ++g)
    if (std::find(targeted[g].begin(), targeted[g].end(), true) != targeted[g].end())
      set.add(*groups[g],
              std::make_unique<low_rank_adapter<B, T, M>>(*groups[g], targeted[g], method, stream_key(seed, g)));
  for (std::size_t i = 0; i < targets.size(); ++i)
    require<value_error>(met[i], "targets: no linear of the model is called '", targets[i], "'");
  require<value_error>(!set.empty() || limits == target_limits{},
                       "targets: 'layers_to_transform' and 'exclude_modules' leave no linear of the model");
  return set;
}
/// A model that says what can be adapted.
template <class Model>
concept Adaptable = requires(Model& model) {
  model.groups();
};

/// The same for a model.
template <Adaptable Model, Method M>
auto attach(Model& model, const M& method, std::uint64_t seed = 0, const std::vector<std::string>& targets = {}) {
  return attach(model.groups(), method, seed, targets);
}

}  // namespace mor1e::peft
