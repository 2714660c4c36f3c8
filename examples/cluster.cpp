// cluster: k-means over embeddings.
//
//     cluster --input E.safetensors --k 32 --out C.safetensors
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "mor1e/cluster/kmeans.hpp"
#include "mor1e/io/safetensors.hpp"
#include "program.hpp"

using namespace mor1e;

namespace {

struct cluster_options {
  program::common_options common;
  std::string input, out;
  cluster::kmeans_options kmeans;
};

void add_options(CLI::App& app, cluster_options& options) {
  const CLI::Range positive(1, 1 << 30);
  app.add_option("--input", options.input, "safetensors file: `embeddings` [n, d], or its only matrix of floats")
      ->required();
  app.add_option("--k", options.kmeans.clusters, "number of clusters")->required()->check(positive);
  app.add_option("--out", options.out, "safetensors file to write: `centroids` [k, d] F32, `labels` [n] I64")
      ->required();
  app.add_option("--restarts", options.kmeans.restarts, "seedings to try; the least inertia wins")
      ->check(positive)
      ->capture_default_str();
  app.add_option("--max-iterations", options.kmeans.max_iterations, "limit of each run")
      ->check(positive)
      ->capture_default_str();
}

bool is_float_matrix(const io::safetensors_entry& entry) {
  const bool is_float =
      entry.type == dtype::f64 || entry.type == dtype::f32 || entry.type == dtype::f16 || entry.type == dtype::bf16;
  return is_float && entry.extents.rank() == 2;
}

/// The tensor `embeddings`, or the only matrix of floats.
const io::safetensors_entry& find_embeddings(const io::safetensors_file& file) {
  const std::string path = file.path().string();
  if (const auto* entry = file.find("embeddings")) {
    require<value_error>(is_float_matrix(*entry), path, ": tensor 'embeddings' ", name_of(entry->type), " ",
                         entry->extents, " is not a matrix of floats");
    return *entry;
  }
  std::vector<const io::safetensors_entry*> matrices;
  std::string names;
  for (const auto& entry : file.entries()) {
    if (!is_float_matrix(entry)) continue;
    names += (matrices.empty() ? "'" : ", '") + entry.name + "'";
    matrices.push_back(&entry);
  }
  require<value_error>(!matrices.empty(), path, ": no tensor 'embeddings', and no other matrix of floats");
  require<value_error>(matrices.size() == 1, path, ": no tensor 'embeddings', and several matrices of floats: ", names);
  return *matrices[0];
}

template <class T, class B>
void run_as(B& device, const cluster_options& options, const io::safetensors_file& file,
            const io::safetensors_entry& entry) {
  tensor<T> points(entry.extents);
  file.read(entry, points.data());

  const auto start = std::chrono::steady_clock::now();
  const auto result = cluster::kmeans<T>(device, points, options.kmeans);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  tensor<float> centroids(result.centroids.extents());
  std::copy(result.centroids.begin(), result.centroids.end(), centroids.begin());
  const std::vector tensors{io::stored("centroids", centroids), io::stored("labels", result.labels)};
  // 17 digits: the text gives the same double back.
  const std::map<std::string, std::string> metadata = {
      {"inertia", fmt::format("{:.17g}", result.inertia)},   {"iterations", std::to_string(result.iterations)},
      {"converged", result.converged ? "true" : "false"},    {"seed", std::to_string(options.kmeans.seed)},
      {"restarts", std::to_string(options.kmeans.restarts)}, {"clusters", std::to_string(options.kmeans.clusters)}};
  io::write_safetensors(options.out, tensors, metadata);

  program::log_file log(options.common);
  nlohmann::json restarts;
  for (const auto& run : result.restarts) {
    restarts.push_back({{"inertia", run.inertia}, {"iterations", run.iterations}, {"converged", run.converged}});
    log.write(restarts.back());
  }
  std::vector<index_t> sizes(std::size_t(options.kmeans.clusters));
  for (const auto label : result.labels) ++sizes[std::size_t(label)];
  program::write_results(options.common, {{"points", entry.extents[0]},
                                          {"width", entry.extents[1]},
                                          {"clusters", options.kmeans.clusters},
                                          {"seed", options.kmeans.seed},
                                          {"inertia", result.inertia},
                                          {"iterations", result.iterations},
                                          {"converged", result.converged},
                                          {"sizes", sizes},
                                          {"restarts", restarts},
                                          {"seconds", seconds}});
  program::say(options.common,
               "{} points of width {} in {} clusters: inertia {:.6g} after {} iterations{}{}, {:.2f} s\n",
               entry.extents[0], entry.extents[1], options.kmeans.clusters, result.inertia, result.iterations,
               result.converged ? "" : " (not converged)",
               result.empty ? fmt::format(", {} clusters are empty", result.empty) : "", seconds);
}

}  // namespace

int main(int argc, char** argv) {
  cluster_options options;
  return program::run(
      argc, argv, "cluster", "K-means over embeddings: k-means++ seeding, Lloyd's iteration", options.common,
      [&](CLI::App& app) { add_options(app, options); }, program::on_device(options.common, [&](auto& device) {
        options.kmeans.seed = options.common.seed;
        io::require_writable_file(options.out);
        const io::safetensors_file file(options.input);
        const auto& entry = find_embeddings(file);
        entry.type == dtype::f64 ? run_as<double>(device.host(), options, file, entry)
                                 : run_as<float>(device.host(), options, file, entry);
      }));
}
