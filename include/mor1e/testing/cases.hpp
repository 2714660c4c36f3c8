// Runs the cases of an op: one forward and backward on a back end, from seeded inputs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/core/rng.hpp"

namespace mor1e::testing {

/// The real inputs of a case in double, and the cotangent of its output.
struct drawn_case {
  std::vector<tensor<double>> inputs;
  std::uint64_t cotangent_key = 0;
};

template <class Op>
drawn_case draw(const op_case<Op>& c, std::uint64_t seed = 1) {
  drawn_case out;
  for (std::size_t k = 0; k < c.inputs.size(); ++k) {
    const case_input& in = c.inputs[k];
    tensor<double> values(shape{in.rows, in.cols});
    const std::uint64_t key = stream_key(seed, k);
    for (index_t i = 0; i < values.size(); ++i)
      values[i] = in.integers.empty() ? in.low + (in.high - in.low) * uniform<double>(key, i) : double(in.integers[i]);
    out.inputs.push_back(std::move(values));
  }
  out.cotangent_key = stream_key(seed, 1000);
  return out;
}

/// What one run of a case gives, in double: output 0 and the gradient of each input (empty if it has none).
struct case_result {
  tensor<double> output;
  std::vector<tensor<double>> gradients;
};

template <class T>
tensor<double> widen(const tensor<T>& values) {
  tensor<double> out(values.extents());
  for (index_t i = 0; i < values.size(); ++i) out[i] = double(values[i]);
  return out;
}
template <class T>
tensor<T> narrow(const tensor<double>& values) {
  tensor<T> out(values.extents());
  for (index_t i = 0; i < values.size(); ++i) out[i] = T(values[i]);
  return out;
}

/// Puts the inputs of a case on a tape. Frozen weights live in `held`.
template <class T, class Op, class B>
std::vector<operand> place(tape<B>& t, const op_case<Op>& c, const drawn_case& drawn, bool watched,
                           std::vector<std::unique_ptr<typename B::template frozen<T>>>& held) {
  std::vector<operand> in;
  for (std::size_t k = 0; k < c.inputs.size(); ++k) {
    const case_input& spec = c.inputs[k];
    if (spec.frozen) {
      held.push_back(std::make_unique<typename B::template frozen<T>>(t.device(), narrow<T>(drawn.inputs[k])));
      in.push_back(t.frozen(*held.back()));
    } else if (!spec.integers.empty()) {
      const tensor<std::int32_t> values = narrow<std::int32_t>(drawn.inputs[k]);
      in.push_back(t.template input<std::int32_t>(values.matrix()));
    } else {
      const tensor<T> values = narrow<T>(drawn.inputs[k]);
      in.push_back(t.template input<T>(values.matrix(), watched && spec.gradient));
    }
  }
  return in;
}

/// Forward, and backward from a random cotangent (an all-ones one cannot see a wrong softmax).
template <class Op, class T, class B>
case_result run_case(B& device, const op_case<Op>& c, const drawn_case& drawn, bool with_backward) {
  tape<B> t(device, with_backward ? recording::gradients : recording::forward);
  std::vector<std::unique_ptr<typename B::template frozen<T>>> held;
  const std::vector<operand> in = place<T>(t, c, drawn, with_backward, held);
  const var<T> y = t.template apply<Op, T>(c.attributes, in);
  t.keep(y);
  case_result out;
  if (with_backward) {
    tensor<T> cotangent(shape{y.rows, y.cols});
    for (index_t i = 0; i < cotangent.size(); ++i) cotangent[i] = T(uniform<double>(drawn.cotangent_key, i) * 2 - 1);
    t.backward(y, std::as_const(cotangent).matrix());
    for (std::size_t k = 0; k < in.size(); ++k) {
      const bool wanted = c.inputs[k].gradient && !c.inputs[k].frozen && c.inputs[k].integers.empty();
      out.gradients.push_back(wanted ? widen(t.gradient(var<T>{in[k].id, in[k].rows, in[k].cols, in[k].graph}))
                                     : tensor<double>());
    }
  }
  out.output = widen(t.read(y));
  return out;
}

}  // namespace mor1e::testing
