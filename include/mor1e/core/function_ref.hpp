// A reference to something callable: what a function takes that need not be compiled once per argument.
#pragma once

#include <concepts>
#include <type_traits>
#include <utility>

namespace mor1e {

template <class Signature>
class function_ref;

/// Calls the function object it was made from, which must outlive it. Owns nothing and allocates nothing.
template <class Result, class... Arguments>
class function_ref<Result(Arguments...)> {
 public:
  template <class F>
  requires(!std::same_as<std::remove_cv_t<F>, function_ref> && std::is_invocable_r_v<Result, const F&, Arguments...>)
      function_ref(const F& f)
      : of_(&f), call_([](const void* of, Arguments... arguments) -> Result {
          return (*static_cast<const F*>(of))(std::forward<Arguments>(arguments)...);
        }) {}

  Result operator()(Arguments... arguments) const { return call_(of_, std::forward<Arguments>(arguments)...); }

 private:
  const void* of_;
  Result (*call_)(const void*, Arguments...);
};

}  // namespace mor1e
