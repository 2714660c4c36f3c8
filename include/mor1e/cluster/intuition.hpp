// Intuition: how similar an instance is to each cluster of the training data; and its controls.
//
// Source: Intuition-MoR1E, algorithm 2 and table 1.
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json_fwd.hpp>

#include "mor1e/backend/concept.hpp"
#include "mor1e/core/config.hpp"
#include "mor1e/core/tensor.hpp"

namespace mor1e::cluster {

enum class similarity { cosine, dot };

/// "cosine", "dot"
MOR1E_INLINE std::string_view name_of(similarity kind);
/// The reverse. Throws `value_error` naming what is allowed.
MOR1E_INLINE similarity similarity_named(std::string_view name);

/// The rows of x [n, d] divided by their lengths, which are taken in double; zero rows stay zero.
template <class T>
tensor<T> unit_rows(view<const T> x) {
  tensor<T> unit({x.rows, x.cols});
  for (index_t i = 0; i < x.rows; ++i) {
    double square = 0;
    for (index_t c = 0; c < x.cols; ++c) square += double(x(i, c)) * double(x(i, c));
    const double length = std::sqrt(square);
    for (index_t c = 0; c < x.cols; ++c) unit[i * x.cols + c] = square == 0 ? T(0) : T(double(x(i, c)) / length);
  }
  return unit;
}

/// Similarity of embeddings [n, d] to centroids [k, d], both in host memory -> [n, k]: x.c / (|x| |c|), 0 where either
/// is a zero vector, or x.c. Cosines may be negative; nothing is clamped. Throws `shape_error` when the widths differ.
template <class T, class B>
requires HasHost<B> tensor<T> intuition(B& device, view<const T> embeddings, view<const T> centroids,
                                        similarity kind = similarity::cosine) {
  require<shape_error>(embeddings.cols == centroids.cols, "intuition: widths differ: embeddings [", embeddings.rows,
                       ", ", embeddings.cols, "], centroids [", centroids.rows, ", ", centroids.cols, "]");
  tensor<T> unit_embeddings, unit_centroids;
  if (kind == similarity::cosine) {
    unit_embeddings = unit_rows(embeddings), unit_centroids = unit_rows(centroids);
    embeddings = std::as_const(unit_embeddings), centroids = std::as_const(unit_centroids);
  }
  tensor<T> out({embeddings.rows, centroids.rows});
  gemm(device.host(), backend::transpose::no, backend::transpose::yes, T(1), embeddings, centroids, T(0), out.matrix());
  return out;
}

/// The same of tensors, which may be mutable.
template <class T, class B>
tensor<T> intuition(B& device, const tensor<T>& embeddings, const tensor<T>& centroids,
                    similarity kind = similarity::cosine) {
  return intuition(device, embeddings.matrix(), centroids.matrix(), kind);
}

/// What embeddings depend on. Two runs share embeddings only if all three hashes and texts agree.
struct embedding_origin {
  std::string embedder_hash;  ///< of the embedder's weights
  std::string prefix;         ///< put before every text ("clustering: ")
  std::string data_hash;      ///< of the texts

  friend bool operator==(const embedding_origin&, const embedding_origin&) = default;
};

/// Throws `value_error` beginning with `where` and naming the first field in which `found` is not what is `expected`.
MOR1E_INLINE void check_origin(const embedding_origin& found, const embedding_origin& expected, std::string_view where);

/// Everything needed to compute the intuition of a new text: the centroids, and what they were made from.
struct intuition_source {
  std::string embedder;  ///< short name, folder or repository of the embedder
  embedding_origin origin;
  std::uint64_t seed = 0;  ///< of the clustering
  similarity kind = similarity::cosine;
  tensor<float> centroids;  ///< [clusters, width]
};

/// All fields but the centroids, for these their shape (`clusters`, `width`) and their hash.
MOR1E_INLINE nlohmann::json to_json(const intuition_source& source);
/// The reverse, with centroids that were stored apart. Throws `io_error` beginning with `where` and naming the field
/// that is missing, of another type, or does not fit the centroids.
MOR1E_INLINE intuition_source intuition_from_json(const nlohmann::json& object, tensor<float> centroids,
                                                  std::string_view where);

/// A safetensors file with the tensor `centroids` F32 [clusters, width] and the metadata text `intuition`, the JSON
/// object.
MOR1E_INLINE void write_intuition(const std::filesystem::path& path, const intuition_source& source);
/// Throws `io_error` naming file and field.
MOR1E_INLINE intuition_source read_intuition(const std::filesystem::path& path);

/// A cache of embeddings F32 [n, d], bound to what they depend on, with a digest. Throws `io_error` also for one that
/// is not finite.
MOR1E_INLINE void write_embeddings(const std::filesystem::path& path, const embedding_origin& origin,
                                   const tensor<float>& embeddings);
/// The embeddings of the file, if they are of this origin. Throws `value_error` naming the field that differs, and
/// `io_error` for a file that is no such cache or not as it was written.
MOR1E_INLINE tensor<float> read_embeddings(const std::filesystem::path& path, const embedding_origin& origin);

/// A control: the sinusoidal code of each instance's task category, [n, k]. Column 2i of category c is
/// sin(c / 10000^(2i/k)), column 2i + 1 the cosine. Throws `value_error` for a negative category or k < 1.
MOR1E_INLINE tensor<float> category_intuition(std::span<const index_t> categories, index_t clusters);

/// A control: a random direction for each example id, [n, k], with the length of row i of `like` [n, k]. It depends on
/// (seed, id) alone: not on the order of the examples, nor on the others. Throws `shape_error` unless `like` has a row
/// for each id.
MOR1E_INLINE tensor<float> random_intuition(std::span<const std::string> ids, view<const float> like,
                                            std::uint64_t seed);
/// The same, with unit length.
MOR1E_INLINE tensor<float> random_intuition(std::span<const std::string> ids, index_t clusters, std::uint64_t seed);

}  // namespace mor1e::cluster

#ifndef MOR1E_COMPILED
#include "mor1e/cluster/intuition.ipp"
#endif
