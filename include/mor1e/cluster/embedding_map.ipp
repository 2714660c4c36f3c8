// Definitions of cluster/embedding_map.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "mor1e/cluster/embedding_map.hpp"
#include "mor1e/core/error.hpp"

namespace mor1e::cluster {

namespace detail {

inline void check_points(const char* what, view<const float> points) {
  require<shape_error>(points.cols >= 1, what, ": points [", points.rows, ", ", points.cols, "] have no columns");
  require<value_error>(points.rows >= 2, what, ": ", points.rows, " points; there must be two at least");
  for (index_t i = 0; i < points.rows; ++i)
    for (index_t j = 0; j < points.cols; ++j)
      require<value_error>(std::isfinite(points(i, j)), what, ": row ", i, " has a NaN or an infinity");
}

inline double dot(const double* a, const double* b, index_t n) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (index_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

/// A symmetric matrix as Q T Q^t, T tridiagonal.
struct tridiagonal {
  std::vector<double> diagonal, beside;  ///< beside[k] joins k and k + 1
  tensor<double> reflections;            ///< row k: unit v of I - 2 v v^t, zero up to column k; Q is their product
};

/// Takes the upper triangle for the whole, and overwrites it.
inline tridiagonal make_tridiagonal(tensor<double> a) {
  const index_t d = a.extents()[0];
  tridiagonal out{std::vector<double>(d), std::vector<double>(d, 0.0), tensor<double>(shape{d, d}, 0.0)};
  for (index_t i = 0; i < d; ++i)
    for (index_t j = 0; j < i; ++j) a(i, j) = a(j, i);
  std::vector<double> w(d, 0.0);
  for (index_t k = 0; k < d; ++k) {
    out.diagonal[k] = a(k, k);
    if (k + 1 == d) break;
    const index_t rest = d - k - 1;
    const double* x = &a(k, k + 1);
    double* v = &out.reflections(k, k + 1);
    const double length = std::sqrt(dot(x, x, rest));
    // Away from x, so that nothing cancels.
    const double target = x[0] > 0 ? -length : length;
    out.beside[k] = target;
    if (length == 0 || rest == 1) {
      out.beside[k] = x[0];
      continue;
    }
    std::copy_n(x, rest, v);
    v[0] -= target;
    const double norm = std::sqrt(dot(v, v, rest));
    for (index_t i = 0; i < rest; ++i) v[i] /= norm;
    // (I - 2vv^t) A (I - 2vv^t) = A - v w^t - w v^t with w = 2 A v - 2 (v^t A v) v.
    for (index_t i = 0; i < rest; ++i) w[i] = 2 * dot(&a(k + 1 + i, k + 1), v, rest);
    const double along = dot(w.data(), v, rest);
    for (index_t i = 0; i < rest; ++i) w[i] -= along * v[i];
    for (index_t i = 0; i < rest; ++i) {
      double* row = &a(k + 1 + i, k + 1);
      const double vi = v[i], wi = w[i];
#pragma omp simd
      for (index_t j = 0; j < rest; ++j) row[j] -= vi * w[j] + wi * v[j];
    }
  }
  return out;
}

/// A rotation of the coordinates k and k + 1.
struct rotation {
  index_t k;
  double c, s;
};

/// Makes T diagonal, step by step; what it turned, in order.
inline std::vector<rotation> diagonalise(std::vector<double>& t, std::vector<double>& e) {
  const index_t d = index_t(t.size());
  double scale = 0;
  for (index_t k = 0; k < d; ++k) scale = std::max({scale, std::abs(t[k]), std::abs(e[k])});
  const double negligible = std::numeric_limits<double>::epsilon() * scale;
  std::vector<rotation> out;
  int steps = 0;
  for (index_t high = d - 1; high > 0;) {
    if (std::abs(e[high - 1]) <= negligible) {
      --high;
      steps = 0;
      continue;
    }
    index_t low = high - 1;
    while (low > 0 && std::abs(e[low - 1]) > negligible) --low;
    require<value_error>(++steps < 200, "principal components: an eigenvalue of ", d, " did not converge");
    // Wilkinson's shift: the eigenvalue of the last two by two that is nearer to its corner.
    const double half = (t[high - 1] - t[high]) / 2, square = e[high - 1] * e[high - 1];
    const double shift = t[high] - square / (half + std::copysign(std::hypot(half, e[high - 1]), half));
    double x = t[low] - shift, z = e[low];
    for (index_t k = low; k < high; ++k) {
      const double r = std::hypot(x, z), c = r > 0 ? x / r : 1, s = r > 0 ? z / r : 0;
      if (k > low) e[k - 1] = r;
      const double a = t[k], b = e[k], g = t[k + 1];
      t[k] = c * c * a + 2 * c * s * b + s * s * g;
      t[k + 1] = s * s * a - 2 * c * s * b + c * c * g;
      e[k] = c * s * (g - a) + (c * c - s * s) * b;
      if (k + 1 < high) {
        x = e[k];
        z = s * e[k + 1];
        e[k + 1] *= c;
      }
      out.push_back({k, c, s});
    }
  }
  return out;
}

struct eigenpairs {
  std::vector<double> values;  ///< the largest, in falling order
  tensor<double> vectors;      ///< [count, d], rows of unit length whose largest entry is positive
};

/// The `count` largest eigenvalues of a symmetric matrix [d, d], of which the upper triangle is read.
inline eigenpairs largest_eigenpairs(tensor<double> matrix, index_t count) {
  const index_t d = matrix.extents()[0];
  tridiagonal t = make_tridiagonal(std::move(matrix));
  const std::vector<rotation> turned = diagonalise(t.diagonal, t.beside);
  std::vector<index_t> order(d, 0);
  for (index_t i = 0; i < d; ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](index_t a, index_t b) { return t.diagonal[a] > t.diagonal[b]; });
  eigenpairs out{{}, tensor<double>(shape{count, d}, 0.0)};
  for (index_t n = 0; n < count; ++n) {
    double* v = &out.vectors(n, 0);
    out.values.push_back(t.diagonal[order[n]]);
    v[order[n]] = 1;
    // All that was done, undone for this one vector: no d by d matrix of vectors is needed.
    for (auto r = turned.rbegin(); r != turned.rend(); ++r) {
      const double upper = v[r->k], lower = v[r->k + 1];
      v[r->k] = r->c * upper - r->s * lower;
      v[r->k + 1] = r->s * upper + r->c * lower;
    }
    for (index_t k = d - 1; k >= 0; --k) {
      const double* u = &t.reflections(k, 0);
      const double along = 2 * dot(u, v, d);
      for (index_t i = 0; along != 0 && i < d; ++i) v[i] -= along * u[i];
    }
    const double* largest = std::max_element(v, v + d, [](double a, double b) { return std::abs(a) < std::abs(b); });
    const double sign = *largest < 0 ? -1 : 1, length = std::sqrt(dot(v, v, d));
    for (index_t i = 0; i < d; ++i) v[i] *= sign / length;
  }
  return out;
}

/// Squared distances of point i to all, as differences: what lies close must not cancel.
inline void squared_distances(view<const float> points, index_t i, double* out) {
  const float* from = points.row(i);
  for (index_t j = 0; j < points.rows; ++j) {
    const float* to = points.row(j);
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (index_t c = 0; c < points.cols; ++c) {
      const double difference = double(from[c]) - double(to[c]);
      sum += difference * difference;
    }
    out[j] = sum;
  }
}

/// Turns row i of squared distances into probabilities of the entropy wanted, in nats, by halving the range of b.
/// `distance` is room for n numbers.
inline void make_neighbours(double* row, index_t n, index_t i, double entropy, double* distance) {
  double nearest = std::numeric_limits<double>::infinity(), farthest = 0;
  for (index_t j = 0; j < n; ++j)
    if (j != i) nearest = std::min(nearest, row[j]), farthest = std::max(farthest, row[j]);
  // In units in which the farthest is 1 further than the nearest, the size of b does not depend on that of the points.
  const double unit = farthest > nearest ? farthest - nearest : 1;
  for (index_t j = 0; j < n; ++j) distance[j] = (row[j] - nearest) / unit;
  double low = 0, high = std::numeric_limits<double>::infinity(), b = 1;
  for (int halving = 0; halving < 200; ++halving) {
    double sum = 0, weighted = 0;
    for (index_t j = 0; j < n; ++j) {
      row[j] = j == i ? 0 : std::exp(-b * distance[j]);
      sum += row[j];
      weighted += row[j] * distance[j];
    }
    for (index_t j = 0; j < n; ++j) row[j] /= sum;
    const double found = std::log(sum) + b * weighted / sum;
    if (std::abs(found - entropy) < 1e-10 || b > 1e12) return;
    (found > entropy ? low : high) = b;
    b = std::isinf(high) ? 2 * b : low + (high - low) / 2;
  }
}

/// The descent of t-SNE: where the points are, how they move, and what pulls them.
class tsne_descent {
 public:
  tsne_descent(thread_pool& threads, tensor<double> p, const tensor<double>& start)
      : threads_(threads), p_(std::move(p)), n_(p_.extents()[0]) {
    for (int axis = 0; axis < 2; ++axis) {
      y_[axis].resize(n_);
      for (index_t i = 0; i < n_; ++i) y_[axis][i] = start[2 * i + axis];
      for (auto* each : {&attraction_[axis], &repulsion_[axis], &motion_[axis]}) each->assign(n_, 0.0);
      gain_[axis].assign(n_, 1.0);
    }
    weight_.resize(n_);
  }

  void step(double exaggeration, double momentum, double rate) {
    const double total = forces();
    for (int axis = 0; axis < 2; ++axis) {
      double mean = 0;
      for (index_t i = 0; i < n_; ++i) {
        const double gradient = 4 * (exaggeration * attraction_[axis][i] - repulsion_[axis][i] / total);
        double &gain = gain_[axis][i], &motion = motion_[axis][i];
        gain = gradient * motion < 0 ? gain + 0.2 : std::max(0.01, 0.8 * gain);
        motion = momentum * motion - rate * gain * gradient;
        y_[axis][i] += motion;
        mean += y_[axis][i] / double(n_);
      }
      for (double& each : y_[axis]) each -= mean;
    }
  }

  /// Of where the points are now.
  double divergence() {
    const double total = forces();
    double sum = 0;
    for (index_t i = 0; i < n_; ++i)
      for (index_t j = 0; j < n_; ++j) {
        const double x = y_[0][i] - y_[0][j], y = y_[1][i] - y_[1][j], p = p_(i, j);
        if (p > 0) sum += p * std::log(p * total * (1 + x * x + y * y));
      }
    return sum;
  }

  tensor<double> points() const {
    tensor<double> out(shape{n_, 2});
    for (index_t i = 0; i < n_; ++i) out[2 * i] = y_[0][i], out[2 * i + 1] = y_[1][i];
    return out;
  }

 private:
  /// Both sums of the gradient, row by row, and the sum of all 1 / (1 + |y_i - y_j|^2) over i != j. Rows are added in
  /// their order: who computed them does not matter.
  double forces() {
    const double *xs = y_[0].data(), *ys = y_[1].data();
    parallel_for(threads_, n_, 16, [&](index_t begin, index_t end) {
      for (index_t i = begin; i < end; ++i) {
        const double *p = &p_(i, 0), xi = xs[i], yi = ys[i];
        double pull_x = 0, pull_y = 0, push_x = 0, push_y = 0, weight = 0;
#pragma omp simd reduction(+ : pull_x, pull_y, push_x, push_y, weight)
        for (index_t j = 0; j < n_; ++j) {
          const double x = xi - xs[j], y = yi - ys[j], q = 1 / (1 + x * x + y * y), pull = p[j] * q, push = q * q;
          pull_x += pull * x, pull_y += pull * y, push_x += push * x, push_y += push * y;
          weight += q;
        }
        attraction_[0][i] = pull_x, attraction_[1][i] = pull_y, repulsion_[0][i] = push_x, repulsion_[1][i] = push_y;
        weight_[i] = weight - 1;  // itself
      }
    });
    double total = 0;
    for (const double each : weight_) total += each;
    return total;
  }

  thread_pool& threads_;
  tensor<double> p_;  // [n, n]
  index_t n_;
  std::vector<double> y_[2], attraction_[2], repulsion_[2], motion_[2], gain_[2], weight_;
};

/// How often each pair of labels occurs, and each label of either side.
struct contingency {
  std::map<std::pair<index_t, index_t>, double> both;
  std::map<index_t, double> a, b;
  double items = 0;

  contingency(const char* what, std::span<const index_t> left, std::span<const index_t> right)
      : items(double(left.size())) {
    require<value_error>(left.size() == right.size(), what, ": ", left.size(), " labels against ", right.size());
    require<value_error>(!left.empty(), what, ": no items");
    for (std::size_t i = 0; i < left.size(); ++i) ++both[{left[i], right[i]}], ++a[left[i]], ++b[right[i]];
  }
};

template <class Counts>
double pairs_in(const Counts& counts) {
  double sum = 0;
  for (const auto& [label, count] : counts) sum += count * (count - 1) / 2;
  return sum;
}

inline double entropy_of(const std::map<index_t, double>& counts, double items) {
  double sum = 0;
  for (const auto& [label, count] : counts) sum -= count / items * std::log(count / items);
  return sum;
}

}  // namespace detail

MOR1E_INLINE principal_map principal_components(view<const float> points) {
  detail::check_points("principal components", points);
  const index_t n = points.rows, d = points.cols, count = std::min<index_t>(2, d);
  std::vector<double> mean(d, 0.0);
  tensor<double> centred(shape{n, d}), scatter(shape{d, d}, 0.0);
  for (index_t i = 0; i < n; ++i)
    for (index_t j = 0; j < d; ++j) mean[j] += double(points(i, j));
  for (double& each : mean) each /= double(n);  // at the end: the mean of equal points is exactly theirs
  for (index_t i = 0; i < n; ++i) {
    double* row = &centred(i, 0);
    for (index_t j = 0; j < d; ++j) row[j] = double(points(i, j)) - mean[j];
    for (index_t j = 0; j < d; ++j) {
      double* to = &scatter(j, 0);
      const double factor = row[j];
#pragma omp simd
      for (index_t k = j; k < d; ++k) to[k] += factor * row[k];
    }
  }
  double trace = 0;  // n - 1 times the variance; the n - 1 is in the eigenvalues too, and leaves the shares
  for (index_t j = 0; j < d; ++j) trace += scatter(j, j);
  const detail::eigenpairs found = detail::largest_eigenpairs(std::move(scatter), count);
  principal_map out{tensor<double>(shape{n, 2}, 0.0), {}};
  for (index_t axis = 0; axis < count; ++axis) {
    // A variance of 0 comes out as rounding, of either sign.
    out.explained[axis] = trace > 0 ? std::max(0.0, found.values[axis] / trace) : 0;
    for (index_t i = 0; i < n; ++i) out.points(i, axis) = detail::dot(&centred(i, 0), &found.vectors(axis, 0), d);
  }
  return out;
}

MOR1E_INLINE tensor<double> neighbour_probabilities(thread_pool& threads, view<const float> points, double perplexity) {
  detail::check_points("t-SNE", points);
  const index_t n = points.rows;
  require<value_error>(perplexity > 1 && perplexity < double(n - 1), "t-SNE: a perplexity of ", perplexity, " among ",
                       n, " points; it must be above 1 and below their number less one");
  tensor<double> out(shape{n, n}), scratch(shape{threads.size(), n});
  parallel_tasks(threads, n, [&](index_t i, int thread) {
    detail::squared_distances(points, i, &out(i, 0));
    detail::make_neighbours(&out(i, 0), n, i, std::log(perplexity), &scratch(thread, 0));
  });
  return out;
}

MOR1E_INLINE tsne_map tsne(thread_pool& threads, view<const float> points, const tsne_options& options,
                           const map_progress& progress) {
  require<value_error>(options.iterations >= 1 && options.exaggerated >= 0, "t-SNE: ", options.iterations,
                       " iterations, ", options.exaggerated, " of them exaggerated");
  require<value_error>(options.exaggeration >= 1 && options.learning_rate >= 0 && std::isfinite(options.exaggeration) &&
                           std::isfinite(options.learning_rate),
                       "t-SNE: an exaggeration of ", options.exaggeration, ", a learning rate of ",
                       options.learning_rate);
  tensor<double> p = neighbour_probabilities(threads, points, options.perplexity);
  const index_t n = points.rows;
  for (index_t i = 0; i < n; ++i)
    for (index_t j = 0; j < i; ++j) p(i, j) = p(j, i) = (p(i, j) + p(j, i)) / double(2 * n);
  tensor<double> start = principal_components(points).points;
  double square = 0;
  for (index_t i = 0; i < n; ++i) square += start(i, 0) * start(i, 0) / double(n);
  if (square > 0)  // else all points are one, and stay one
    for (double& each : start) each *= 1e-4 / std::sqrt(square);

  detail::tsne_descent descent(threads, std::move(p), start);
  const double rate = options.learning_rate > 0 ? options.learning_rate : std::max(double(n) / 12, 50.0);
  for (int done = 0; done < options.iterations; ++done) {
    const bool early = done < options.exaggerated;
    descent.step(early ? options.exaggeration : 1, early ? 0.5 : 0.8, rate);
    if (progress) progress(done + 1, options.iterations);
  }
  return {descent.points(), descent.divergence()};
}

MOR1E_INLINE double adjusted_rand(std::span<const index_t> a, std::span<const index_t> b) {
  const detail::contingency table("adjusted Rand index", a, b);
  const double together = detail::pairs_in(table.both), in_a = detail::pairs_in(table.a),
               in_b = detail::pairs_in(table.b), all = table.items * (table.items - 1) / 2;
  // The same partition; among these are the two for which chance leaves nothing: one cluster, and all apart.
  if (together == in_a && together == in_b) return 1;
  const double expected = in_a * in_b / all;
  return (together - expected) / ((in_a + in_b) / 2 - expected);
}

MOR1E_INLINE double normalised_mutual_information(std::span<const index_t> a, std::span<const index_t> b) {
  const detail::contingency table("mutual information", a, b);
  if (table.a.size() == 1 && table.b.size() == 1) return 1;
  double shared = 0;
  for (const auto& [labels, count] : table.both)
    shared +=
        count / table.items * std::log(count * table.items / (table.a.at(labels.first) * table.b.at(labels.second)));
  const double mean = (detail::entropy_of(table.a, table.items) + detail::entropy_of(table.b, table.items)) / 2;
  return std::clamp(shared / mean, 0.0, 1.0);
}

}  // namespace mor1e::cluster
