// Maps of embeddings in the plane, and how far two labellings of the same points agree.
#pragma once

#include <array>
#include <functional>
#include <span>

#include "mor1e/core/config.hpp"
#include "mor1e/core/parallel.hpp"
#include "mor1e/core/tensor.hpp"

namespace mor1e::cluster {

/// Points seen along the two directions in which they vary most.
struct principal_map {
  tensor<double> points;                 ///< [n, 2]
  std::array<double, 2> explained = {};  ///< the share of the variance along each; 0 where there is none
};

/// Principal components of points [n, d] -> [n, 2]: y = (x - mean) V with V [d, 2] the unit eigenvectors of the
/// covariance with the largest eigenvalues, and their eigenvalues over the trace. The largest entry of each vector is
/// positive, which settles the sign. Points of one column have 0 in the second.
/// O(n d^2 + d^3): meant for d up to about 1000. In double.
/// Throws `value_error` for fewer than two points, and for one with a NaN or an infinity (with its row); `shape_error`
/// for points without columns.
/// Source: Golub and Van Loan, "Matrix Computations", 8.3: tridiagonal by reflections, then implicit steps with
/// Wilkinson's shift, which converge however close the eigenvalues lie.
MOR1E_INLINE principal_map principal_components(view<const float> points);

/// Probabilities [n, n] that a point takes another for its neighbour: p(j|i) = exp(-b_i |x_i - x_j|^2) / sum over
/// k != i, p(i|i) = 0, with b_i such that 2^(entropy of row i) is `perplexity`. A row with more nearest neighbours at
/// one distance than that cannot reach it and shares itself among them.
/// Throws `value_error` unless 1 < perplexity < n - 1, and as `principal_components`.
MOR1E_INLINE tensor<double> neighbour_probabilities(thread_pool& threads, view<const float> points, double perplexity);

struct tsne_options {
  double perplexity = 30;  ///< of each point: about how many neighbours count
  int iterations = 750;    ///< in all
  int exaggerated = 250;   ///< of these the first, with the p times `exaggeration` and momentum 0.5, then 0.8
  double exaggeration = 12;
  double learning_rate = 0;  ///< of the gradient below; 0: max(n / 12, 50)
};

struct tsne_map {
  tensor<double> points;  ///< [n, 2], their mean 0
  double divergence = 0;  ///< KL(P || Q), in nats
};

/// Called with the number of iterations done and of all.
using map_progress = std::function<void(int done, int all)>;

/// Exact t-SNE of points [n, d] -> [n, 2]: gradient descent on KL(P || Q) with p_ij = (p(j|i) + p(i|j)) / 2n and
/// q_ij proportional to 1 / (1 + |y_i - y_j|^2), whose gradient is
///     4 sum over j of (p_ij - q_ij) (y_i - y_j) / (1 + |y_i - y_j|^2).
/// Starts from the principal components, the first of deviation 1e-4: nothing is drawn, and the same points give the
/// same map, bit for bit, whatever the number of threads. O(n^2) a step, in memory too: for up to a few thousand
/// points. Throws as `neighbour_probabilities`, and `value_error` for options out of range. Sources: van der Maaten and
/// Hinton, "Visualizing data using t-SNE", JMLR 2008; gains of each coordinate: Jacobs, 1988; exaggeration and rate:
/// Belkina et al., 2019.
MOR1E_INLINE tsne_map tsne(thread_pool& threads, view<const float> points, const tsne_options& options = {},
                           const map_progress& progress = {});

/// Rand index of two labellings of the same items, adjusted for chance: (s - e) / (m - e) with s the pairs that are
/// together in both, e what independent labellings of these cluster sizes would have on average, m the mean of the
/// pairs together in either. 1 for the same partition, about 0 for unrelated ones, below 0 for less than chance.
/// Labels are names: any integers. Throws `value_error` for different lengths, and for no items.
/// Source: Hubert and Arabie, "Comparing partitions", Journal of Classification 1985.
MOR1E_INLINE double adjusted_rand(std::span<const index_t> a, std::span<const index_t> b);

/// Mutual information of two labellings over the arithmetic mean of their entropies, in [0, 1]; 1 where neither splits
/// the items. Not adjusted for chance: more clusters give more. Throws as `adjusted_rand`.
MOR1E_INLINE double normalised_mutual_information(std::span<const index_t> a, std::span<const index_t> b);

}  // namespace mor1e::cluster

#ifndef MOR1E_COMPILED
#include "mor1e/cluster/embedding_map.ipp"
#endif
