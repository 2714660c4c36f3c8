// Methods attached by what a program was asked for or a folder says; and a program's own among them.
#pragma once

#include <utility>
#include <vector>

#include "mor1e/peft/adapter_spec.hpp"
#include "mor1e/peft/attach.hpp"
#include "mor1e/peft/registry.hpp"

namespace mor1e::peft {

namespace detail {

/// How a method that is not the library's is attached.
template <class B, class T>
struct attacher {
  std::type_index type;
  adapter_set<B, T> (*attach)(const std::vector<nn::projection_group<B, T>*>&, const adapter_spec&);
};
template <class B, class T>
std::vector<attacher<B, T>>& attachers() {
  static std::vector<attacher<B, T>> all;
  return all;
}

}  // namespace detail

/// A back end and an element type.
template <class B, class T>
struct on {
  template <class M>
  static void add() {
    detail::attachers<B, T>().push_back(
        {typeid(M), [](const std::vector<nn::projection_group<B, T>*>& groups, const adapter_spec& spec) {
           return attach(groups, spec.method.template as<M>(), spec.seed, spec.targets, spec.limits);
         }});
  }
};

/// Makes M known to programs and folders, and to `attach` on the pairs `On`. One object at namespace scope:
/// `const mor1e::registered<my_method> known;` (which is on<cpu, float>). Throws as `add_known_method`.
template <class M, class... On>
struct registration {
  registration() {
    static_assert(HasLabel<M>, "a method that is known by name needs `static constexpr const char* label`");
    static_assert(HasFields<M>, "a method that is known by name needs `template <class F> void fields(F f)`");
    static_assert(std::equality_comparable<M>, "a method that is known by name needs operator==");
    add_known_method(presets_of<M>());
    (On::template add<M>(), ...);
  }
};

// Not inline: the compiled library holds the instantiation of all its methods for the standard back end, and a program
// that uses them compiles none of it.

/// Puts the method of `spec` on the groups. Throws as the other `attach`, and `value_error` for a method that is not
/// registered for this back end and element type.
template <class B, class T>
adapter_set<B, T> attach(const std::vector<nn::projection_group<B, T>*>& groups, const adapter_spec& spec) {
  adapter_set<B, T> out;
  const bool ours = built_in_methods::visit(
      spec.method, [&](const auto& method) { out = attach(groups, method, spec.seed, spec.targets, spec.limits); });
  if (ours) return out;
  for (const detail::attacher<B, T>& other : detail::attachers<B, T>())
    if (other.type == spec.method.type()) return other.attach(groups, spec);
  throw value_error(text("method '", spec.method.label(),
                         "' is not registered for this back end and element type, see registration"));
}
/// The same for a model.
template <Adaptable Model>
auto attach(Model& model, const adapter_spec& spec) {
  return attach(model.groups(), spec);
}

}  // namespace mor1e::peft
