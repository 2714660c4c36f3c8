// How large what each expert adds to a linear is.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "mor1e/core/tensor.hpp"
#include "mor1e/core/view.hpp"
#include "mor1e/peft/method.hpp"

namespace mor1e::peft {

/// |scale sum_k u_k v_k^T|, the Frobenius norm, for each expert over its terms k: no [out, in] matrix is made, as
/// |sum_k u_k v_k^T|^2 = sum_{k, l} (u_k . u_l) (v_k . v_l).       up [out, slots], down [products, in] -> [experts]
template <class T>
std::vector<double> term_norms(std::span<const expert_term> terms, view<const T> up, view<const T> down, double scale) {
  int experts = 0;
  for (const expert_term& k : terms) experts = std::max(experts, k.expert + 1);
  tensor<T> columns(shape{up.cols, up.rows});  // of U, each in one piece
  for (index_t i = 0; i < up.rows; ++i)
    for (index_t j = 0; j < up.cols; ++j) columns[j * up.rows + i] = up(i, j);
  const auto product = [](const T* x, const T* y, index_t n) {
    double sum = 0;
    for (index_t i = 0; i < n; ++i) sum += double(x[i]) * double(y[i]);
    return sum;
  };
  std::vector<double> out(std::size_t(experts), 0.0);
  for (std::size_t k = 0; k < terms.size(); ++k)
    for (std::size_t l = 0; l <= k; ++l)
      if (const auto& a = terms[k], &b = terms[l]; a.expert == b.expert)
        out[std::size_t(a.expert)] += (k == l ? 1 : 2) *
                                      product(&columns[a.slot * up.rows], &columns[b.slot * up.rows], up.rows) *
                                      product(down.row(a.product), down.row(b.product), down.cols);
  for (double& norm : out) norm = std::abs(scale) * std::sqrt(std::max(0.0, norm));
  return out;
}

}  // namespace mor1e::peft
