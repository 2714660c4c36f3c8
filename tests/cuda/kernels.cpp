// The primitives on shapes that the cases of ops, which are small, do not reach: several blocks, rows of every length
// that a kernel treats in its own way, rows with gaps, addresses that no vector access may use, and memory of NaN where
// beta is 0.
#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/backend/cuda.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/ops/divide.hpp"
#include "mor1e/ops/mse_loss.hpp"
#include "mor1e/ops/silu.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/random.hpp"

using namespace mor1e;
using backend::transpose;

namespace {

/// Where a matrix lies in a larger one: `left` columns from its edge, `right` columns before the next row.
struct place {
  index_t left = 0, right = 0;
};

struct size {
  index_t rows, cols;
};

/// One warp a row, four, sixteen; what registers hold and more; no multiple of a pack; several parts of the rows.
const std::vector<size> sizes = {{1, 1},    {7, 64},    {70, 100}, {33, 576}, {3, 2050},
                                 {2, 9000}, {1500, 36}, {0, 8},    {300, 1},  {1, 70'001}};
const std::vector<place> places = {{0, 0}, {4, 4}, {1, 2}};

/// A matrix on a device, as a part of a larger one whose other elements must stay as they are.
template <class B, class T>
class framed {
 public:
  framed(B& device, size s, place p, const tensor<float>& values)
      : where_(p), extents_(s), all_(device, shape{s.rows, p.left + s.cols + p.right}, T(edge)) {
    tensor<T> whole = all_.read();
    for (index_t i = 0; i < s.rows; ++i)
      for (index_t j = 0; j < s.cols; ++j) whole(i, p.left + j) = T(values(i, j));
    all_.write(whole);
  }
  view_of<B, T> view() { return all_.matrix().col_range(where_.left, extents_.cols); }
  view_of<B, const T> read_only() { return view(); }
  tensor<T> read() {
    const tensor<T> whole = all_.read();
    tensor<T> out(shape{extents_.rows, extents_.cols});
    bool untouched = true;
    for (index_t i = 0; i < extents_.rows; ++i)
      for (index_t j = 0; j < whole.extents().cols(); ++j)
        if (where_.left <= j && j < where_.left + extents_.cols)
          out(i, j - where_.left) = whole(i, j);
        else
          untouched = untouched && whole(i, j) == edge;
    CHECK(untouched);
    return out;
  }

 private:
  static constexpr float edge = 12345;
  place where_;
  size extents_;
  array<B, T> all_;
};

std::uint64_t next_key = 0;
tensor<float> drawn(size s) { return testing::random<float>(shape{s.rows, s.cols}, ++next_key); }
tensor<float> nans(size s) { return tensor<float>(shape{s.rows, s.cols}, std::numeric_limits<float>::quiet_NaN()); }

/// A number of the element type of a view.
template <class View>
auto number(View y, double value) {
  return std::remove_cvref_t<decltype(*y.address())>(value);
}

/// An array of one value, of the element type of a view, on its device.
template <class B, class View>
auto constant(B& device, View y, shape extents, double value) {
  using T = decltype(number(y, value));
  return array<B, T>(device, extents, T(value));
}

template <class B, class T>
view_of<B, const T> read_only(const array<B, T>& x) {
  return x.matrix();
}

/// Runs a primitive in float on CUDA and in double as the reference does, so that what they differ by is our rounding.
/// run(device, inputs, output): the output begins as `old`.
template <class Run>
void agree(const std::string& name, const std::vector<tensor<float>>& inputs, place p, const tensor<float>& old,
           const Run& run, double tolerance = 1e-5) {
  const auto on = [&]<class T>(auto& device, T) {
    using B = std::remove_reference_t<decltype(device)>;
    std::vector<framed<B, T>> in;
    for (const auto& x : inputs) in.emplace_back(device, size{x.extents()[0], x.extents()[1]}, p, x);
    framed<B, T> out(device, {old.extents()[0], old.extents()[1]}, p, old);
    std::vector<view_of<B, const T>> views;
    for (auto& x : in) views.push_back(x.read_only());
    run(device, views, out.view());
    return out.read();
  };
  cuda device({.host_threads = 1});
  reference oracle;
  tensor<float> ours = on(device, 0.0f);
  tensor<double> expected = on(oracle, 0.0);
  for (index_t i = 0; i < expected.size(); ++i)
    if (std::isnan(expected[i]) && std::isnan(ours[i])) expected[i] = ours[i] = 0;
  CAPTURE(name);
  CAPTURE(old.extents().str());
  CAPTURE(inputs.empty() ? std::string() : inputs[0].extents().str());
  CAPTURE(p.left);
  CHECK(testing::violation(ours.data(), expected.data(), expected.size(), {.mtol = tolerance}) == "");
}

/// f(size, place, beta, what the output holds before) over all of them.
template <class F>
void over_shapes(const F& f) {
  for (const size s : sizes)
    for (const place p : places)
      for (const float beta : {0.0f, 0.5f}) f(s, p, beta, beta == 0.0f ? nans(s) : drawn(s));
}

}  // namespace

TEST_CASE("cuda: maps and gates of any shape") {
  over_shapes([](size s, place p, float beta, tensor<float> old) {
    std::vector<tensor<float>> in;
    for (int k = 0; k < 2; ++k) in.push_back(drawn(s));
    agree("map_forward", in, p, old, [](auto& d, auto& x, auto y) { map_forward(d, ops::silu_op(), x[0], y); });
    agree("map_backward", in, p, old,
          [=](auto& d, auto& x, auto y) { map_backward(d, ops::silu_op(), x[0], x[1], number(y, beta), y); });
    agree("axpby", in, p, old, [=](auto& d, auto& x, auto y) { axpby(d, number(y, 0.7), x[0], number(y, beta), y); });
    agree("multiply", in, p, old, [=](auto& d, auto& x, auto y) { multiply(d, x[0], x[1], number(y, beta), y); });
    agree("rescale", in, p, old, [=](auto& d, auto&, auto y) { rescale(d, number(y, beta), y); });
    agree("fill", in, p, old, [](auto& d, auto&, auto y) { fill(d, number(y, 3.0), y); });
    std::vector<tensor<float>> wide;
    wide.push_back(drawn({s.rows, 2 * s.cols}));
    agree("gated_forward", wide, p, old, [](auto& d, auto& x, auto y) { gated_forward(d, ops::silu_op(), x[0], y); });
    const size both{s.rows, 2 * s.cols};
    wide.push_back(drawn(s));
    agree("gated_backward", wide, p, beta == 0.0f ? nans(both) : drawn(both),
          [=](auto& d, auto& x, auto y) { gated_backward(d, ops::silu_op(), x[0], x[1], number(y, beta), y); });
  });
}

TEST_CASE("cuda: functions of two matrices, repeated and summed") {
  over_shapes([](size s, place p, float beta, tensor<float> old) {
    for (const size of : {s, size{1, s.cols}, size{s.rows, 1}, size{1, 1}}) {
      if (of.rows > 0 && s.rows == 0) continue;
      std::vector<tensor<float>> in;
      in.push_back(drawn(s));
      in.push_back(testing::random<float>(shape{of.rows, of.cols}, ++next_key, 0.5, 2));
      in.push_back(drawn(s));
      agree("zip_forward", in, p, old,
            [=](auto& d, auto& x, auto y) { zip_forward(d, ops::divide_op(), x[0], x[1], number(y, beta), y); });
      // By the second operand, in the shape that it has.
      const place to = of.cols == 1 ? place{} : p;  // a column of results is contiguous
      agree("zip_backward", in, to, beta == 0.0f ? nans(of) : drawn(of), [=](auto& d, auto& x, auto y) {
        zip_backward(d, ops::zip_derivative<ops::divide_op, 1>(), x[0], x[1], x[2], number(y, beta), y);
      });
      agree("select", in, p, old, [=](auto& d, auto& x, auto y) { select(d, x[0], x[1], x[2], y); });
      if (of.rows == s.rows && of.cols == s.cols) continue;
      std::vector<tensor<float>> value;
      value.push_back(in[1].clone());
      agree("broadcast", value, p, old, [=](auto& d, auto& x, auto y) { broadcast(d, x[0], number(y, beta), y); });
    }
  });
}

TEST_CASE("cuda: sums, and the largest element") {
  over_shapes([](size s, place p, float beta, tensor<float> old) {
    std::vector<tensor<float>> in;
    for (int k = 0; k < 2; ++k) in.push_back(testing::random<float>(shape{s.rows, s.cols}, ++next_key, -0.2, 1));
    const auto result = [&](size of) { return beta == 0.0f ? nans(of) : drawn(of); };
    agree("sum", in, p, result({1, 1}), [=](auto& d, auto& x, auto y) { sum(d, x[0], number(y, beta), y); });
    agree("dot", in, p, result({1, 1}), [=](auto& d, auto& x, auto y) { dot(d, x[0], x[1], number(y, beta), y); });
    agree("zip_sum", in, p, result({1, 1}),
          [=](auto& d, auto& x, auto y) { zip_sum(d, ops::mse_loss_op(), number(y, 0.3), x[0], x[1], y); });
    agree("column_sums", in, p, result({1, s.cols}),
          [=](auto& d, auto& x, auto y) { column_sums(d, x[0], number(y, beta), y); });
    if (s.cols == 1 || p.left == 0)
      agree("row_sums", in, {}, result({1, s.rows}), [=](auto& d, auto& x, auto y) { row_sums(d, x[0], y); });
    if (s.rows == 0) return;
    in.push_back(drawn({1, 1}));
    for (const float sign : {1.0f, -1.0f})
      for (const size of : {size{1, 1}, size{1, s.cols}, size{s.rows, 1}}) {
        if (of.rows > 1 && p.left > 0) continue;  // a column of results is contiguous
        agree(
            "largest", in, p, result(of), [=](auto& d, auto& x, auto y) { largest(d, number(y, sign), x[0], y); }, 0);
        agree("largest_backward", in, p, old, [=](auto& d, auto& x, auto y) {
          auto best = constant(d, y, shape{of.rows, of.cols}, 0), dy = constant(d, y, shape{of.rows, of.cols}, 2);
          largest(d, number(y, sign), x[0], best.matrix());
          largest_backward(d, x[0], read_only(best), read_only(dy), number(y, beta), y);
          d.finish();
        });
      }
  });
}

TEST_CASE("cuda: the largest element where some are NaN, and the first of equals") {
  tensor<float> x = drawn({90, 300});
  x(40, 17) = std::numeric_limits<float>::quiet_NaN();
  x(70, 5) = x(20, 5) = 7;
  x(31, 200) = x(31, 100) = 9;
  std::vector<tensor<float>> in;
  in.push_back(x.clone());
  for (const size of : {size{1, 1}, size{1, 300}, size{90, 1}}) {
    agree(
        "largest", in, {}, nans(of), [](auto& d, auto& x, auto y) { largest(d, number(y, 1.0), x[0], y); }, 0);
    agree("largest_backward", in, {}, nans({90, 300}), [=](auto& d, auto& x, auto y) {
      auto best = constant(d, y, shape{of.rows, of.cols}, 0), dy = constant(d, y, shape{of.rows, of.cols}, 2);
      largest(d, number(y, 1.0), x[0], best.matrix());
      largest_backward(d, x[0], read_only(best), read_only(dy), number(y, 0.0), y);
      d.finish();
    });
  }
}

TEST_CASE("cuda: softmax and norms of rows of any length") {
  over_shapes([](size s, place p, float beta, tensor<float> old) {
    if (s.rows * s.cols == 0) return;
    std::vector<tensor<float>> in;
    in.push_back(testing::random<float>(shape{s.rows, s.cols}, ++next_key, -5, 5));
    in.push_back(drawn(s));
    const auto column = [s](auto& d, auto y) { return constant(d, y, shape{1, s.rows}, 0.4); };
    const auto row = [s](auto& d, auto y, double value) { return constant(d, y, shape{1, s.cols}, value); };
    agree("softmax_forward", in, p, old, [](auto& d, auto& x, auto y) { softmax_forward(d, x[0], y); });
    agree("softmax_backward", in, p, old,
          [=](auto& d, auto& x, auto y) { softmax_backward(d, x[1], x[0], number(y, beta), y); });
    agree("log_softmax_forward", in, p, old, [](auto& d, auto& x, auto y) { log_softmax_forward(d, x[0], y); });
    agree("log_softmax_backward", in, p, old,
          [=](auto& d, auto& x, auto y) { log_softmax_backward(d, x[1], x[0], number(y, beta), y); });
    agree("log_sum_exp_forward", in, {}, nans({1, s.rows}),
          [](auto& d, auto& x, auto y) { log_sum_exp_forward(d, x[0], y); });
    agree("rms_norm_forward", in, p, old, [&](auto& d, auto& x, auto y) {
      auto w = row(d, y, 0.8), rstd = column(d, y);
      rms_norm_forward(d, x[0], read_only(w), number(y, 1e-5), number(y, 1.0), y, rstd.matrix());
      d.finish();
    });
    agree("rms_norm_backward", in, p, old, [&](auto& d, auto& x, auto y) {
      auto w = row(d, y, 0.8), rstd = column(d, y);
      rms_norm_backward(d, x[0], read_only(w), number(y, 1.0), read_only(rstd), x[1], number(y, beta), y);
      d.finish();
    });
    agree("layer_norm_forward", in, p, old, [&](auto& d, auto& x, auto y) {
      auto w = row(d, y, 0.8), b = row(d, y, 0.1), mean = column(d, y), rstd = column(d, y);
      layer_norm_forward(d, x[0], read_only(w), read_only(b), number(y, 1e-5), y, mean.matrix(), rstd.matrix());
      d.finish();
    });
    agree("layer_norm_backward", in, p, old, [&](auto& d, auto& x, auto y) {
      auto w = row(d, y, 0.8), mean = column(d, y), rstd = column(d, y);
      layer_norm_backward(d, x[0], read_only(w), read_only(mean), read_only(rstd), x[1], number(y, beta), y);
      d.finish();
    });
    agree("rms_norm_weight_gradient", in, p, beta == 0.0f ? nans({1, s.cols}) : drawn({1, s.cols}),
          [&](auto& d, auto& x, auto y) {
            auto rstd = column(d, y);
            rms_norm_weight_gradient(d, x[0], read_only(rstd), x[1], number(y, beta), y);
            d.finish();
          });
    agree("normalise_rows_forward", in, p, old, [&](auto& d, auto& x, auto y) {
      auto r = column(d, y);
      normalise_rows_forward(d, x[0], number(y, 1e-6), y, r.matrix());
      d.finish();
    });
    agree("normalise_rows_backward", in, p, old, [&](auto& d, auto& x, auto y) {
      auto r = column(d, y);
      normalise_rows_backward(d, x[1], read_only(r), number(y, 1e-6), x[0], number(y, beta), y);
      d.finish();
    });
  });
}

TEST_CASE("cuda: rows gathered and scattered, in order and with many of one index") {
  for (const place p : places)
    for (const size s : {size{700, 20}, size{40, 1030}, size{3, 1}})
      for (const float beta : {0.0f, 1.0f, 0.5f}) {
        const size table{37, s.cols};
        std::vector<std::int32_t> numbers;
        for (index_t i = 0; i < s.rows; ++i) numbers.push_back(std::int32_t(i % 3 == 0 ? 5 : (i * 7) % 39 - 2));
        for (auto& n : numbers) n = n > 36 ? -1 : n;
        const tensor<std::int32_t> index(shape{1, s.rows}, std::span<const std::int32_t>(numbers));
        std::vector<tensor<float>> in;
        in.push_back(drawn(table));
        agree("gather_rows", in, p, nans(s), [&](auto& d, auto& x, auto y) {
          const array<std::remove_reference_t<decltype(d)>, std::int32_t> of(d, index);
          gather_rows(d, number(y, 0.5), x[0], of.matrix(), y);
          d.finish();
        });
        std::vector<tensor<float>> rows;
        rows.push_back(drawn(s));
        // In the order of the rows, as the reference: the same bits but for fused multiply-adds.
        agree("scatter_rows", rows, p, beta == 0.0f ? nans(table) : drawn(table), [&](auto& d, auto& x, auto y) {
          const array<std::remove_reference_t<decltype(d)>, std::int32_t> of(d, index);
          scatter_rows(d, number(y, 0.5), x[0], of.matrix(), number(y, beta), y);
          d.finish();
        });
      }
}

TEST_CASE("cuda: an index that names no row is NaN, not memory of another") {
  cuda device({.host_threads = 1});
  const array<cuda, float> table(device, shape{4, 8}, 1.0f);
  array<cuda, float> y(device, shape{3, 8}, 0.0f), dx(device, shape{4, 8}, 0.0f);
  const array<cuda, std::int32_t> index(device, tensor<std::int32_t>({1, 3}, {3, 4, -1}));
  gather_rows(device, 2.0f, table.matrix(), index.matrix(), y.matrix());
  const tensor<float> there = y.read();
  CHECK(there(0, 7) == 2.0f);
  CHECK(std::isnan(there(1, 0)));
  CHECK(there(2, 0) == 0.0f);
  scatter_rows(device, 1.0f, std::as_const(y).matrix(), index.matrix(), 0.0f, dx.matrix());
  CHECK(dx.read()(3, 0) == 2.0f);
  CHECK(dx.read()(2, 0) == 0.0f);
}

TEST_CASE("cuda: means of segments, empty, overlapping, and outside") {
  for (const size s : {size{50, 8}, size{300, 130}, size{20, 3}}) {
    const auto n = std::int32_t(s.rows);
    const tensor<std::int32_t> ranges{{0, n, 0}, {3, 3, 0}, {2, 9, 0}, {5, n, 0}};
    std::vector<tensor<float>> in, gradients;
    in.push_back(drawn(s));
    gradients.push_back(drawn({4, s.cols}));
    agree("segment_mean_forward", in, {}, nans({4, s.cols}), [&](auto& d, auto& x, auto y) {
      const array<std::remove_reference_t<decltype(d)>, std::int32_t> of(d, ranges);
      segment_mean_forward(d, x[0], of.matrix(), y);
      d.finish();
    });
    for (const float beta : {0.0f, 1.0f})
      agree("segment_mean_backward", gradients, {}, beta == 0.0f ? nans(s) : drawn(s), [&](auto& d, auto& x, auto y) {
        const array<std::remove_reference_t<decltype(d)>, std::int32_t> of(d, ranges);
        segment_mean_backward(d, of.matrix(), x[0], number(y, beta), y);
        d.finish();
      });
  }
}

TEST_CASE("cuda: products and transposes, with gaps between rows") {
  for (const place p : places)
    for (const float beta : {0.0f, 0.5f}) {
      const index_t m = 37, n = 70, k = 45;
      for (const transpose ta : {transpose::no, transpose::yes})
        for (const transpose tb : {transpose::no, transpose::yes}) {
          std::vector<tensor<float>> in;
          in.push_back(drawn(ta == transpose::no ? size{m, k} : size{k, m}));
          in.push_back(drawn(tb == transpose::no ? size{k, n} : size{n, k}));
          agree("gemm", in, p, beta == 0.0f ? nans({m, n}) : drawn({m, n}),
                [=](auto& d, auto& x, auto y) { gemm(d, ta, tb, number(y, 0.7), x[0], x[1], number(y, beta), y); });
          std::vector<tensor<float>> blocks;
          blocks.push_back(drawn(ta == transpose::no ? size{3 * m, k} : size{3 * k, m}));
          blocks.push_back(drawn(tb == transpose::no ? size{3 * k, n} : size{3 * n, k}));
          agree("batched_gemm", blocks, p, beta == 0.0f ? nans({3 * m, n}) : drawn({3 * m, n}),
                [=](auto& d, auto& x, auto y) {
                  batched_gemm(d, 3, ta, tb, number(y, 0.7), x[0], x[1], number(y, beta), y);
                });
        }
      std::vector<tensor<float>> in;
      in.push_back(drawn({n, m}));
      agree(
          "transposed", in, p, beta == 0.0f ? nans({m, n}) : drawn({m, n}),
          [=](auto& d, auto& x, auto y) { transposed(d, x[0], number(y, beta), y); }, beta == 0.0f ? 0 : 1e-7);
      std::vector<tensor<float>> none;
      none.push_back(drawn({m, 0}));
      none.push_back(drawn({0, n}));
      agree("gemm of nothing", none, p, beta == 0.0f ? nans({m, n}) : drawn({m, n}), [=](auto& d, auto& x, auto y) {
        gemm(d, transpose::no, transpose::no, number(y, 1.0), x[0], x[1], number(y, beta), y);
      });
    }
}
