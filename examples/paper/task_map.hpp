// How far k-means of the embeddings of tasks agrees with how people sort the tasks, and maps of them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "mor1e/cluster/embedding_map.hpp"
#include "mor1e/cluster/kmeans.hpp"
#include "mor1e/core/rng.hpp"
#include "progress.hpp"

namespace mor1e::program {

/// Tasks, their categories and the prompts, with the task of each.
struct prompt_set {
  std::vector<std::string> tasks, categories;  ///< names
  std::vector<index_t> category_of;            ///< of each task
  std::vector<std::string> prompts;
  std::vector<index_t> task;  ///< of each prompt

  index_t size() const { return index_t(prompts.size()); }
  /// Of each prompt, what its task has.
  std::vector<index_t> labels(const std::vector<index_t>& categories_of_tasks) const {
    std::vector<index_t> out;
    for (const index_t each : task) out.push_back(categories_of_tasks[each]);
    return out;
  }
  /// The number of a task; as many as there are for one that is not there.
  index_t number_of(std::string_view name) const { return std::find(tasks.begin(), tasks.end(), name) - tasks.begin(); }
};

/// Cosines [tasks, tasks] of the tasks' centroids: the means of their prompts' embeddings at unit length.
inline tensor<double> cosines_of(const prompt_set& set, view<const float> embeddings) {
  const index_t n = index_t(set.tasks.size()), d = embeddings.cols;
  const auto length = [&](const auto* x) { return std::sqrt(std::inner_product(x, x + d, x, 0.0)); };
  tensor<double> centroids(shape{n, d}, 0.0), out(shape{n, n});
  for (index_t i = 0; i < set.size(); ++i) {
    const float* row = embeddings.row(i);
    const double own = length(row);
    for (index_t c = 0; own > 0 && c < d; ++c) centroids(set.task[i], c) += double(row[c]) / own;
  }
  for (index_t a = 0; a < n; ++a)
    for (index_t b = 0; b < n; ++b) {
      const double *x = &centroids(a, 0), *y = &centroids(b, 0), both = length(x) * length(y);
      out(a, b) = both > 0 ? std::inner_product(x, x + d, y, 0.0) / both : 0;
    }
  return out;
}

/// Mean cosine of pairs of tasks of one category, and of different ones; not a number where there is no pair.
inline std::pair<double, double> within_and_between(const tensor<double>& cosines,
                                                    const std::vector<index_t>& category_of) {
  double sum[2] = {}, count[2] = {};
  for (index_t a = 0; a < index_t(category_of.size()); ++a)
    for (index_t b = 0; b < a; ++b) {
      const int side = category_of[a] != category_of[b];
      sum[side] += cosines(a, b), ++count[side];
    }
  return {sum[0] / count[0], sum[1] / count[1]};
}

/// How far k-means agrees with a sorting of the prompts, and how far with the same labels shuffled.
struct agreement {
  index_t clusters;
  std::string with;
  double rand, information, shuffled_information;
};

/// How the paper's categories do beside as large ones of tasks drawn by lot.
struct lot {
  int drawn = 1000;
  double mean_rand = 0, rand_as_good = 0, mean_gap = 0, gap_as_good = 0;  ///< shares of those drawn
};

struct findings {
  std::vector<index_t> cluster;  ///< of each prompt, of --clusters
  cluster::principal_map pca;
  cluster::tsne_map tsne;
  double perplexity = 0;
  std::vector<agreement> agreements;
  tensor<double> cosines;
  double within = 0, between = 0;
  lot by_lot;
};

namespace detail {

template <class T>
void shuffle(std::vector<T>& values, rng& random) {
  for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random.below(i)]);
}

}  // namespace detail

/// Everything that figure2 says of embeddings [prompts, d]: clusters, maps, agreements.
template <class B>
findings look(B& device, const prompt_set& set, view<const float> embeddings, index_t clusters, std::uint64_t seed,
              bool quiet) {
  findings out;
  rng random(stream_key(seed, 0xF162));
  const auto clusters_of = [&](index_t k) {
    const auto found = cluster::kmeans<float>(device, embeddings, {.clusters = k, .seed = seed, .restarts = 10});
    return std::vector<index_t>(found.labels.begin(), found.labels.end());
  };
  const auto compare = [&](index_t k, const std::vector<index_t>& found, const char* with,
                           std::vector<index_t> labels) {
    agreement a{k, with, cluster::adjusted_rand(found, labels), cluster::normalised_mutual_information(found, labels),
                0};
    for (int time = 0; time < 20; ++time) {
      detail::shuffle(labels, random);
      a.shuffled_information += cluster::normalised_mutual_information(found, labels) / 20;
    }
    out.agreements.push_back(a);
  };
  const index_t categories = index_t(set.categories.size()), tasks = index_t(set.tasks.size());
  const std::vector<index_t> by_category = set.labels(set.category_of), sorted = clusters_of(categories);
  compare(categories, sorted, "categories", by_category);
  compare(tasks, clusters_of(tasks), "tasks", set.task);
  out.cluster = clusters_of(clusters);
  compare(clusters, out.cluster, "categories", by_category);
  compare(clusters, out.cluster, "tasks", set.task);

  out.cosines = cosines_of(set, embeddings);
  std::tie(out.within, out.between) = within_and_between(out.cosines, set.category_of);
  std::vector<index_t> drawn = set.category_of;
  lot& l = out.by_lot;
  for (int time = 0; time < l.drawn; ++time) {
    detail::shuffle(drawn, random);
    const double rand = cluster::adjusted_rand(sorted, set.labels(drawn));
    const auto [within, between] = within_and_between(out.cosines, drawn);
    l.mean_rand += rand, l.mean_gap += within - between;
    // The categories under other names are as good as themselves, but for rounding.
    l.rand_as_good += rand >= out.agreements.front().rand - 1e-12;
    l.gap_as_good += within - between >= out.within - out.between - 1e-12;
  }
  for (double* each : {&l.mean_rand, &l.mean_gap, &l.rand_as_good, &l.gap_as_good}) *each /= l.drawn;

  out.pca = cluster::principal_components(embeddings);
  out.perplexity = std::min(30.0, double(set.size() - 1) / 3);
  progress_line line("t-SNE", "iterations", quiet);
  out.tsne = cluster::tsne(device.host().threads(), embeddings, {.perplexity = out.perplexity},
                           [&](int done, int all) { line.update(std::size_t(done), std::size_t(all)); });
  return out;
}

}  // namespace mor1e::program
