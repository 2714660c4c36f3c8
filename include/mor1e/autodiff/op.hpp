// What an op is: the vocabulary its file is written in.
//
//   struct name {
//     static constexpr const char* label = "name";
//     struct attributes { ... };                                          // trivially copyable
//     static signature shape(const attributes&, operands in);             // throws shape_error
//     template <class B, class T> static void forward(call<B, T>, const attributes&);
//     template <class B, class T> static void backward(call<B, T>, const attributes&);   // or: no_gradient = "why"
//     static cost work(const attributes&, operands in, bool backward);
//     static std::vector<op_case<name>> cases();                          // what tests and benchmarks run
//   };
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "mor1e/autodiff/call.hpp"
#include "mor1e/autodiff/indices.hpp"
#include "mor1e/autodiff/var.hpp"

namespace mor1e {

/// The operands an op is applied to.
using operands = std::span<const operand>;

/// The size of a value an op asks for, of the op's own element type.
struct slot_size {
  index_t rows = 0;
  index_t cols = 0;
};

/// Bit of input k in `signature::backward_reads`; output k is bit `inputs + k`.
constexpr std::uint64_t reads(int operand) { return std::uint64_t(1) << operand; }

/// What an op makes of its operands, and what its backward needs.
struct signature {
  std::vector<slot_size> outputs;
  std::vector<slot_size> saved = {};  ///< written by forward, read by backward
  std::vector<slot_size> forward_scratch = {};
  std::vector<slot_size> backward_scratch = {};
  std::uint64_t backward_reads = 0;       ///< operands whose values backward reads: `reads(k) | ...`
  bool cheap = false;                     ///< recomputing beats keeping (row kernels, not GEMMs)
  int in_place = -1;                      ///< forward may write output 0 over this input
  std::uint64_t passes_gradient = 0;      ///< inputs whose gradient is that of output 0, unchanged: `reads(k) | ...`
  std::vector<index_range> indices = {};  ///< int32 inputs that name rows or columns, and which there are
};

/// An input of a test case: reals drawn from [low, high], or the given integers.
struct case_input {
  index_t rows = 1;
  index_t cols = 1;
  double low = -1;
  double high = 1;
  bool gradient = true;
  bool frozen = false;                      ///< handed to the op as a frozen weight
  std::vector<std::int32_t> integers = {};  ///< an int32 input when not empty
};

/// One configuration of an op for the generated tests and benchmarks.
template <class Op>
struct op_case {
  std::string name;
  typename Op::attributes attributes = {};
  std::vector<case_input> inputs = {};
  double gradient_tolerance = 1e-6;  ///< relative, double against central differences
  double parity_tolerance = 1e-5;    ///< relative to the largest element, float against the reference
  bool benchmark = false;            ///< too large to test, measured instead
  bool must_throw = false;           ///< shapes that the op has to refuse
};

/// No attributes.
struct no_attributes {};

/// An op as `apply` needs it.
template <class Op>
concept Operation = std::is_trivially_copyable_v<typename Op::attributes> &&
    requires(const typename Op::attributes& a, operands in) {
  { Op::label } -> std::convertible_to<const char*>;
  { Op::shape(a, in) } -> std::same_as<signature>;
};

/// An op with test cases.
template <class Op>
concept HasCases = Operation<Op> && requires {
  Op::cases();
};

/// An op that states why it has no gradient.
template <class Op>
concept WithoutGradient = requires {
  { Op::no_gradient } -> std::convertible_to<const char*>;
};

namespace ops {

/// Throws a shape_error "op: rule: name [rows r, cols c], ..." unless `holds`.
template <class... Parts>
void check(bool holds, const char* op, const Parts&... parts) {
  if (!holds) throw shape_error(text(op, ": ", parts...));
}

/// "x [tokens 8, in 512]"
inline std::string describe(const char* name, const operand& o, const char* row_axis = "rows",
                            const char* col_axis = "cols") {
  return text(name, " [", row_axis, " ", o.rows, ", ", col_axis, " ", o.cols, "]");
}

}  // namespace ops
}  // namespace mor1e
