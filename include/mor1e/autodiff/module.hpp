// Modules: what has parameters.
#pragma once

#include <iterator>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "mor1e/autodiff/param.hpp"
#include "mor1e/core/error.hpp"

namespace mor1e {

namespace detail {
template <class List>
struct list_of_parameters : std::false_type {};
template <class B, class T>
struct list_of_parameters<std::vector<param<B, T>*>> : std::true_type {
  using device = B;
  using element = T;
};
}  // namespace detail

/// A layer, a network, a set of adapters: anything whose `parameters()` is a std::vector<param<B, T>*>. That list is
/// all that optimisers and files ask of it. It holds what is trained, each under a name of its own, and stays right
/// when the module is moved.
template <class M>
concept Module = requires(M& module) {
  requires detail::list_of_parameters<std::remove_cvref_t<decltype(module.parameters())>>::value;
};

/// A module, or the list of what to train of it.
template <class M>
concept Trainable = Module<M> || detail::list_of_parameters<std::remove_cvref_t<M>>::value;

namespace detail {
template <class Part>
auto parameters_in(Part& part) {
  if constexpr (list_of_parameters<std::remove_const_t<Part>>::value) {
    return std::remove_const_t<Part>(part);
  } else if constexpr (Module<Part>) {
    return part.parameters();
  } else if constexpr (requires { *part; }) {
    return parameters_in(*part);
  } else {
    std::remove_cvref_t<decltype(parameters_in(*std::begin(part)))> all;
    for (auto& each : part) {
      const auto more = parameters_in(each);
      all.insert(all.end(), more.begin(), more.end());
    }
    return all;
  }
}
}  // namespace detail

/// The parameters of all parts, one after the other: what a module of modules returns from its `parameters()`. A part
/// is a module, a list of parameters, a pointer to a part, or a container of parts.
template <class First, class... More>
auto parameters_of(First&& first, More&&... more) {
  auto all = detail::parameters_in(first);
  [[maybe_unused]] const auto append = [&](const auto& others) { all.insert(all.end(), others.begin(), others.end()); };
  (append(detail::parameters_in(more)), ...);
  return all;
}

/// B and T of the parameters of a module or a list.
template <Trainable M>
using device_type = typename detail::list_of_parameters<decltype(parameters_of(std::declval<M&>()))>::device;
template <Trainable M>
using element_type = typename detail::list_of_parameters<decltype(parameters_of(std::declval<M&>()))>::element;

/// Where the parameters are. Throws `value_error` for an empty list.
template <class B, class T>
B& device_of(const std::vector<param<B, T>*>& parameters) {
  require<value_error>(!parameters.empty(), "there is no parameter to train");
  return parameters.front()->device();
}

/// Before the next sweep: gradients add up until they are cleared. One call of the device for all.
template <Trainable M>
void clear_gradients(M&& of) {
  using B = device_type<M>;
  using gradient = view_of<B, element_type<M>>;
  const auto parameters = parameters_of(of);
  if (parameters.empty()) return;
  std::vector<gradient> gradients;
  for (auto* p : parameters) gradients.push_back(p->gradient.matrix());
  clear_tensors(device_of(parameters), std::span<const gradient>(gradients));
}

}  // namespace mor1e
