// Weights of rank-1 experts, applied to their products.
#pragma once

#include <cmath>
#include <cstdint>

#include "mor1e/backend/cpu/row_loops.hpp"
#include "mor1e/backend/rank1_gates.hpp"
#include "mor1e/core/math.hpp"

namespace mor1e::backend {

namespace detail {

/// The scalars of one part, as the loops use them.
template <class T>
struct part_scalars {
  T token, intuition, output;  // c_token t, c_intuition (1 - t), o
  T token_slope = 0, output_slope = 0;

  part_scalars(const rank1_gates_shape& s, view<const T> a, view<const T> b, int part)
      : token(T(s.c_token)), intuition(s.intuition ? T(s.c_intuition) : T(0)), output(1) {
    if (!s.learned_gates) return;
    const auto sigmoid = [](T v) { return 1 / (1 + std::exp(-v)); };
    const T x = T(gate_sharpness) * a[part], y = T(gate_sharpness) * b[part];
    // 1 - sigmoid(x) as sigmoid(-x): the difference is 0 in float from x = 17 on.
    token *= sigmoid(x), intuition *= sigmoid(-x), output = sigmoid(y);
    token_slope = T(gate_sharpness) * sigmoid(x) * sigmoid(-x);
    output_slope = T(gate_sharpness) * sigmoid(y) * sigmoid(-y);
  }
};

/// e_j = exp(logit_j - max), in blocks of the caller's; returns 1 / sum e.
template <class T>
T unnormalised_softmax(const T* logits, index_t n, T* e) {
  T largest = logits[0], sum = 0;
#pragma omp simd reduction(max : largest)
  for (index_t j = 0; j < n; ++j) largest = logits[j] > largest ? logits[j] : largest;
#pragma omp simd reduction(+ : sum)
  for (index_t j = 0; j < n; ++j) {
    e[j] = math::exp(logits[j] - largest);
    sum += e[j];
  }
  return 1 / sum;
}

/// c_token t softmax(logits) + c_intuition (1 - t) I of one token and part; `intuition_row` null: without the second
/// term.
template <class T>
void rank1_weight_row(const rank1_gates_shape& s, const part_scalars<T>& c, const T* logits, const T* intuition_row,
                      T* to) {
  if (s.router) {
    // The result's own row holds the exponentials until they are used.
    const T scale = unnormalised_softmax(logits, s.experts, to) * c.token;
#pragma omp simd
    for (index_t j = 0; j < s.experts; ++j) to[j] *= scale;
  } else {
    for (index_t j = 0; j < s.experts; ++j) to[j] = 0;
  }
  if (intuition_row) {
#pragma omp simd
    for (index_t j = 0; j < s.experts; ++j) to[j] += c.intuition * intuition_row[j];
  }
}

/// The intuition that part of token i reads; null: none.
template <class T>
const T* intuition_row_of(const rank1_gates_shape& s, view<const T> intuition, view<const std::int32_t> instances,
                          index_t i, int part) {
  return s.intuition && instances[i] >= 0 ? intuition.row(instances[i]) + s.intuition_column(part) : nullptr;
}

}  // namespace detail

/// g_pj = o_p w_pj x_pj, x = [products of all parts | logits of all parts]; see rank1_gates_shape.
template <class T>
void rank1_gates_forward(cpu& device, const rank1_gates_shape& s, view<const T> x, view<const T> intuition,
                         view<const std::int32_t> instances, view<const T> a, view<const T> b, view<T> g) {
  const index_t n = s.experts;
  parallel_rows(device, x.rows, 4 * x.cols, [&](index_t begin, index_t end) {
    for (int part = 0; part < s.parts; ++part) {
      const detail::part_scalars<T> c(s, a, b, part);
      for (index_t i = begin; i < end; ++i) {
        const T* products = x.row(i) + s.products(part);
        T* to = g.row(i) + s.products(part);
        detail::rank1_weight_row(s, c, x.row(i) + s.logits(part),
                                 detail::intuition_row_of(s, intuition, instances, i, part), to);
#pragma omp simd
        for (index_t j = 0; j < n; ++j) to[j] *= c.output * products[j];
      }
    }
  });
}

/// w_j = o_p w_pj of one part p: what `rank1_gates_forward` multiplies the products with.
template <class T>
void rank1_weights(cpu& device, const rank1_gates_shape& s, int part, view<const T> x, view<const T> intuition,
                   view<const std::int32_t> instances, view<const T> a, view<const T> b, view<T> w) {
  const detail::part_scalars<T> c(s, a, b, part);
  parallel_rows(device, x.rows, 4 * w.cols, [&](index_t begin, index_t end) {
    for (index_t i = begin; i < end; ++i) {
      T* to = w.row(i);
      detail::rank1_weight_row(s, c, x.row(i) + s.logits(part),
                               detail::intuition_row_of(s, intuition, instances, i, part), to);
#pragma omp simd
      for (index_t j = 0; j < s.experts; ++j) to[j] *= c.output;
    }
  });
}

/// Gradients of x, and of intuition, a and b where their views are not empty (added to what is there). Threads share
/// the rows for dx; the sums over rows are taken part by part, so they do not depend on the number of threads.
template <class T>
void rank1_gates_backward(cpu& device, const rank1_gates_shape& s, view<const T> x, view<const T> intuition,
                          view<const std::int32_t> instances, view<const T> a, view<const T> b, view<const T> dg,
                          T beta, view<T> dx, view<T> dintuition, view<T> da, view<T> db) {
  const index_t n = s.experts;
  constexpr index_t width = 64;
  if (!dx.empty())
    parallel_rows(device, x.rows, 6 * x.cols, [&](index_t begin, index_t end) {
      for (int part = 0; part < s.parts; ++part) {
        const detail::part_scalars<T> c(s, a, b, part);
        for (index_t i = begin; i < end; ++i) {
          const T *products = x.row(i) + s.products(part), *d = dg.row(i) + s.products(part);
          const T* logits = x.row(i) + s.logits(part);
          const T* intuition_row = detail::intuition_row_of(s, intuition, instances, i, part);
          T* dproducts = dx.row(i) + s.products(part);
          T* dlogits = dx.row(i) + s.logits(part);
          T largest = 0, sum = 0, dot = 0;
          if (s.router) {
            largest = logits[0];
#pragma omp simd reduction(max : largest)
            for (index_t j = 0; j < n; ++j) largest = logits[j] > largest ? logits[j] : largest;
              // sum of e, and of e d x: the dot product of the softmax's backward up to its factor.
#pragma omp simd reduction(+ : sum, dot)
            for (index_t j = 0; j < n; ++j) {
              const T e = math::exp(logits[j] - largest);
              sum += e;
              dot += e * d[j] * products[j];
            }
          }
          const T inverse = s.router ? 1 / sum : T(0);
          const T mean = dot * inverse;
          for (index_t from = 0; from < n; from += width) {
            const index_t count = std::min(width, n - from);
            const T *d_here = d + from, *products_here = products + from;
            T p[width] = {};
            if (s.router) {
              write_row(p, count, T(0),
                        [=, l = logits + from](index_t j) { return math::exp(l[j] - largest) * inverse; });
              write_row(dlogits + from, count, beta, [=, p = &p[0], scale = c.output * c.token](index_t j) {
                return p[j] * scale * (d_here[j] * products_here[j] - mean);
              });
            }
            const auto write_products = [&](const auto& weight) {
              write_row(dproducts + from, count, beta,
                        [=, output = c.output](index_t j) { return d_here[j] * output * weight(j); });
            };
            const auto routed = [p = &p[0], token = c.token](index_t j) { return token * p[j]; };
            if (intuition_row)
              write_products([=, row = intuition_row + from, scale = c.intuition](index_t j) {
                return routed(j) + scale * row[j];
              });
            else
              write_products(routed);
          }
        }
      }
    });
  const bool scalars = s.learned_gates && (!da.empty() || !db.empty());
  if (!scalars && dintuition.empty()) return;
  parallel_for(device.threads(), s.parts, 1, [&](index_t first, index_t last) {
    for (index_t part = first; part < last; ++part) {
      const detail::part_scalars<T> c(s, a, b, int(part));
      double sum_a = 0, sum_b = 0;
      for (index_t i = 0; i < x.rows && scalars; ++i) {
        const T *products = x.row(i) + s.products(int(part)), *d = dg.row(i) + s.products(int(part));
        const T* logits = x.row(i) + s.logits(int(part));
        const T* intuition_row = detail::intuition_row_of(s, intuition, instances, i, int(part));
        T largest = 0, sum = 0, routed = 0, by_intuition = 0;
        if (s.router) {
          largest = logits[0];
#pragma omp simd reduction(max : largest)
          for (index_t j = 0; j < n; ++j) largest = logits[j] > largest ? logits[j] : largest;
#pragma omp simd reduction(+ : sum, routed)
          for (index_t j = 0; j < n; ++j) {
            const T e = math::exp(logits[j] - largest);
            sum += e;
            routed += e * d[j] * products[j];
          }
          routed /= sum;
        }
        if (intuition_row) {
#pragma omp simd reduction(+ : by_intuition)
          for (index_t j = 0; j < n; ++j) by_intuition += intuition_row[j] * d[j] * products[j];
        }
        sum_a += double(T(s.c_token) * routed - T(s.c_intuition) * by_intuition);
        sum_b += double(c.token * routed + c.intuition * by_intuition);
      }
      if (scalars && !da.empty()) da[part] += T(sum_a) * c.output * c.token_slope;
      if (scalars && !db.empty()) db[part] += T(sum_b) * c.output_slope;
    }
  });
  if (dintuition.empty() || !s.intuition) return;
  for (int part = 0; part < s.parts; ++part) {
    const detail::part_scalars<T> c(s, a, b, part);
    for (index_t i = 0; i < x.rows; ++i) {
      if (instances[i] < 0) continue;
      const T *products = x.row(i) + s.products(part), *d = dg.row(i) + s.products(part);
      T* to = dintuition.row(instances[i]) + s.intuition_column(part);
#pragma omp simd
      for (index_t j = 0; j < n; ++j) to[j] += d[j] * products[j] * c.output * c.intuition;
    }
  }
}

}  // namespace mor1e::backend
