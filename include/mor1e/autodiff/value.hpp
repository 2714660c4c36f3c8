// A value that knows its tape, so that formulas read as formulas.
//
//   value x = input(t, data), w = use(t, weights);
//   const auto loss = mean(square(matmul(x, w) - y));
//   backward(loss);
#pragma once

#include "mor1e/autodiff/tape.hpp"

namespace mor1e {

namespace ops {
/// Makes the functions of `ops` found for values without naming the namespace.
struct on_values {};
}  // namespace ops

/// A matrix [rows, cols] of T on a tape of device B: a `var` with its tape, copied freely. Every op of general use
/// takes it in the place of tape and var. One that outlives its tape is refused.
template <class B, class T>
class value : public ops::on_values {
 public:
  value(mor1e::tape<B>& t, mor1e::var<T> v) : anchor_(t.anchor()), var_(v) {}

  /// Throws a value_error if the tape is gone.
  mor1e::tape<B>& tape() const {
    require<value_error>(anchor_->at != nullptr, "a value of a tape that is gone");
    return *anchor_->at;
  }
  mor1e::var<T> var() const { return var_; }
  operator mor1e::var<T>() const { return var_; }
  index_t rows() const { return var_.rows; }
  index_t cols() const { return var_.cols; }

  /// A copy in host memory.
  tensor<T> read() const { return tape().read(var_); }
  /// The same of a value [1, 1].
  T read_scalar() const { return tape().read_scalar(var_); }
  /// d loss / d this, of a watched input, after `backward`.
  tensor<T> gradient() const { return tape().gradient(var_); }

 private:
  std::shared_ptr<const tape_anchor<B>> anchor_;
  mor1e::var<T> var_;
};

/// The value of a var, so that `on(x.tape(), exp(x.tape(), x.var()))` needs no types.
template <class B, class T>
value<B, T> on(tape<B>& t, var<T> v) {
  return {t, v};
}

/// Host values as an input. Watched: its gradient is kept.
template <class B, class T>
value<B, T> input(tape<B>& t, const tensor<T>& values, bool watched = false) {
  return {t, t.input(values, watched)};
}
/// An input [rows, cols] that is filled later, by `fill` on the tape or the plan: `input<float>(t, 32, 2)`.
template <class T, class B>
value<B, T> input(tape<B>& t, index_t rows, index_t cols, bool watched = false) {
  return {t, t.template input<T>(rows, cols, watched)};
}
/// A parameter: `backward` adds to its gradient.
template <class B, class T>
value<B, T> use(tape<B>& t, param<B, T>& p) {
  return {t, t.use(p)};
}
/// The sweep from a loss [1, 1].
template <class B, class T>
void backward(value<B, T> loss) {
  loss.tape().backward(loss.var());
}

/// The tape of two operands. Throws a value_error if they are on different ones.
template <class B, class T>
tape<B>& tape_of(const value<B, T>& a, const value<B, T>& b) {
  require<value_error>(&a.tape() == &b.tape(), "two values of different tapes in one op");
  return a.tape();
}

}  // namespace mor1e
