// Transformer blocks.
#pragma once

#include <type_traits>

#include "mor1e/autodiff/module.hpp"
#include "mor1e/nn/step_context.hpp"
#include "mor1e/ops/add.hpp"

namespace mor1e::nn {

/// a = x + attention(norm(x)); y = a + mlp(norm(a))
template <class Norm, class Attention, class Mlp>
struct pre_norm_block {
  Norm input_norm;
  Attention attention;
  Norm mlp_norm;
  Mlp mlp;

  template <class B, class T>
  var<T> forward(tape<B>& t, var<T> x, std::type_identity_t<var<T>> table, step_context<B, T>& step) const {
    const var<T> a = ops::add(t, x, attention.forward(t, input_norm.forward(t, x), table, step));
    return ops::add(t, a, mlp.forward(t, mlp_norm.forward(t, a), step));
  }
  auto parameters() const { return parameters_of(input_norm, attention, mlp_norm, mlp); }
};
template <class Norm, class Attention, class Mlp>
pre_norm_block(Norm, Attention, Norm, Mlp) -> pre_norm_block<Norm, Attention, Mlp>;

/// a = norm(x + attention(x)); y = norm(a + mlp(a))
template <class Norm, class Attention, class Mlp>
struct post_norm_block {
  Attention attention;
  Norm attention_norm;
  Mlp mlp;
  Norm mlp_norm;

  template <class B, class T>
  var<T> forward(tape<B>& t, var<T> x, std::type_identity_t<var<T>> table, step_context<B, T>& step) const {
    const var<T> a = attention_norm.forward(t, ops::add(t, x, attention.forward(t, x, table, step)));
    return mlp_norm.forward(t, ops::add(t, a, mlp.forward(t, a, step)));
  }
  auto parameters() const { return parameters_of(attention, attention_norm, mlp, mlp_norm); }
};
template <class Norm, class Attention, class Mlp>
post_norm_block(Attention, Norm, Mlp, Norm) -> post_norm_block<Norm, Attention, Mlp>;

/// n = norm(x); y = x + attention(n) + mlp(n)
template <class Norm, class Attention, class Mlp>
struct parallel_block {
  Norm input_norm;
  Attention attention;
  Mlp mlp;

  template <class B, class T>
  var<T> forward(tape<B>& t, var<T> x, std::type_identity_t<var<T>> table, step_context<B, T>& step) const {
    const var<T> n = input_norm.forward(t, x);
    return ops::add(t, ops::add(t, x, attention.forward(t, n, table, step)), mlp.forward(t, n, step));
  }
  auto parameters() const { return parameters_of(input_norm, attention, mlp); }
};
template <class Norm, class Attention, class Mlp>
parallel_block(Norm, Attention, Mlp) -> parallel_block<Norm, Attention, Mlp>;

}  // namespace mor1e::nn
