// Weights of rank-1 experts, applied to their products.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "mor1e/backend/rank1_gates.hpp"
#include "mor1e/backend/reference/device.hpp"

namespace mor1e::backend {

namespace detail {

/// The scalars of one part: c_token t, c_intuition (1 - t), o, and t (1 - t), o (1 - o) for the backward.
template <class T>
struct gate_scalars {
  T token, intuition, output, token_slope, output_slope;

  gate_scalars(const rank1_gates_shape& s, view<const T> a, view<const T> b, int part) {
    token = T(s.c_token), intuition = T(s.c_intuition), output = 1, token_slope = output_slope = 0;
    if (!s.learned_gates) return;
    // 1 - sigmoid(v) as sigmoid(-v): the difference is 0 in float from v = 17 on.
    const auto sigmoid = [](T v) { return 1 / (1 + std::exp(-v)); };
    const T x = T(gate_sharpness) * a[part], y = T(gate_sharpness) * b[part];
    token *= sigmoid(x), intuition *= sigmoid(-x), output = sigmoid(y);
    token_slope = T(gate_sharpness) * sigmoid(x) * sigmoid(-x);
    output_slope = T(gate_sharpness) * sigmoid(y) * sigmoid(-y);
  }
};

}  // namespace detail

/// g_pj = o_p w_pj x_pj, x = [products of all parts | logits of all parts]; see rank1_gates_shape.
template <class T>
void rank1_gates_forward(reference&, const rank1_gates_shape& s, view<const T> x, view<const T> intuition,
                         view<const std::int32_t> instances, view<const T> a, view<const T> b, view<T> g) {
  std::vector<T> p(s.experts);
  for (index_t i = 0; i < x.rows; ++i)
    for (int part = 0; part < s.parts; ++part) {
      const detail::gate_scalars<T> c(s, a, b, part);
      T sum = 0;
      if (s.router) {
        T largest = x(i, s.logits(part));
        for (int j = 0; j < s.experts; ++j) largest = std::max(largest, x(i, s.logits(part) + j));
        for (int j = 0; j < s.experts; ++j) sum += p[j] = std::exp(x(i, s.logits(part) + j) - largest);
      }
      for (int j = 0; j < s.experts; ++j) {
        T w = s.router ? c.token * p[j] / sum : T(0);
        if (s.intuition && instances[i] >= 0) w += c.intuition * intuition(instances[i], s.intuition_column(part) + j);
        g(i, s.products(part) + j) = c.output * w * x(i, s.products(part) + j);
      }
    }
}

/// w_j = o_p w_pj of one part p: what `rank1_gates_forward` multiplies the products with.
template <class T>
void rank1_weights(reference&, const rank1_gates_shape& s, int part, view<const T> x, view<const T> intuition,
                   view<const std::int32_t> instances, view<const T> a, view<const T> b, view<T> w) {
  const detail::gate_scalars<T> c(s, a, b, part);
  for (index_t i = 0; i < x.rows; ++i) {
    T largest = s.router ? x(i, s.logits(part)) : T(0), sum = 0;
    for (int j = 0; s.router && j < s.experts; ++j) largest = std::max(largest, x(i, s.logits(part) + j));
    for (int j = 0; s.router && j < s.experts; ++j) sum += std::exp(x(i, s.logits(part) + j) - largest);
    for (int j = 0; j < s.experts; ++j) {
      T weight = s.router ? c.token * std::exp(x(i, s.logits(part) + j) - largest) / sum : T(0);
      if (s.intuition && instances[i] >= 0)
        weight += c.intuition * intuition(instances[i], s.intuition_column(part) + j);
      w(i, j) = c.output * weight;
    }
  }
}

/// Gradients of x, and of intuition, a and b where their views are not empty (added to what is there).
template <class T>
void rank1_gates_backward(reference&, const rank1_gates_shape& s, view<const T> x, view<const T> intuition,
                          view<const std::int32_t> instances, view<const T> a, view<const T> b, view<const T> dg,
                          T beta, view<T> dx, view<T> dintuition, view<T> da, view<T> db) {
  std::vector<T> p(s.experts), dp(s.experts);
  for (index_t i = 0; i < x.rows; ++i)
    for (int part = 0; part < s.parts; ++part) {
      const detail::gate_scalars<T> c(s, a, b, part);
      T sum = 0, dot = 0;
      if (s.router) {
        T largest = x(i, s.logits(part));
        for (int j = 0; j < s.experts; ++j) largest = std::max(largest, x(i, s.logits(part) + j));
        for (int j = 0; j < s.experts; ++j) sum += p[j] = std::exp(x(i, s.logits(part) + j) - largest);
        for (int j = 0; j < s.experts; ++j) p[j] /= sum;
      }
      const auto put = [&](T& to, T value) { to = value + (beta == T(0) ? T(0) : beta * to); };
      for (int j = 0; j < s.experts; ++j) {
        const T product = x(i, s.products(part) + j), d = dg(i, s.products(part) + j);
        const T intuition_value =
            s.intuition && instances[i] >= 0 ? intuition(instances[i], s.intuition_column(part) + j) : T(0);
        const T w = (s.router ? c.token * p[j] : T(0)) + c.intuition * intuition_value;
        const T dw = d * c.output * product;  // d loss / d w_j
        if (!dx.empty()) put(dx(i, s.products(part) + j), d * c.output * w);
        if (!dintuition.empty() && s.intuition && instances[i] >= 0)
          dintuition(instances[i], s.intuition_column(part) + j) += dw * c.intuition;
        if (s.learned_gates) {
          if (!da.empty())
            da[part] +=
                dw * c.token_slope * ((s.router ? T(s.c_token) * p[j] : T(0)) - T(s.c_intuition) * intuition_value);
          if (!db.empty()) db[part] += d * w * product * c.output_slope;
        }
        if (s.router) dot += (dp[j] = dw * c.token) * p[j];
      }
      if (s.router && !dx.empty())
        for (int j = 0; j < s.experts; ++j) put(dx(i, s.logits(part) + j), p[j] * (dp[j] - dot));
    }
}

}  // namespace mor1e::backend
