#pragma once

#include <algorithm>
#include <array>
#include <utility>

#include <nlohmann/json.hpp>

#include "mor1e/cluster/intuition.hpp"
#include "mor1e/core/rng.hpp"
#include "mor1e/io/integrity.hpp"
#include "mor1e/io/json.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/io/sha256.hpp"

namespace mor1e::cluster {

namespace detail {

/// The fields of an origin, under the names they have in files.
inline constexpr std::array origin_fields{
    std::pair("embedder_hash", &embedding_origin::embedder_hash),
    std::pair("prefix", &embedding_origin::prefix),
    std::pair("data_hash", &embedding_origin::data_hash),
};

inline std::string hash_of(const tensor<float>& values) {
  return io::sha256_of(std::as_bytes(std::span(values.data(), std::size_t(values.size()))));
}

/// object[field], of the type that is asked for and no other.
template <class T>
T field(const nlohmann::json& object, const char* name, std::string_view where) {
  require<io_error>(object.is_object() && object.contains(name), where, ": field '", name, "' is missing");
  const auto& value = object[name];
  if constexpr (std::is_same_v<T, std::string>)
    require<io_error>(value.is_string(), where, ": field '", name, "' is not a string");
  else
    require<io_error>(value.is_number_unsigned() || (value.is_number_integer() && value.get<std::int64_t>() >= 0),
                      where, ": field '", name, "' is not a whole number from 0");
  return value.get<T>();
}

template <class T>
void check_field(const char* name, const T& stated, const T& found, std::string_view where) {
  require<io_error>(stated == found, where, ": field '", name, "' is ", stated, ", the centroids have ", found);
}

/// A random direction: independent normal numbers, scaled.
inline void random_direction(std::uint64_t key, double length, std::span<float> out) {
  rng random(key);
  std::vector<double> values(out.size());
  double square = 0;
  for (double& value : values) {
    value = random.normal();
    square += value * value;
  }
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = float(values[i] * (length / std::sqrt(square)));
}

/// The stream of an example: FNV-1a of its id, under the seed.
inline std::uint64_t stream_of(std::string_view id, std::uint64_t seed) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char byte : id) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  return stream_key(seed, hash);
}

}  // namespace detail

MOR1E_INLINE std::string_view name_of(similarity kind) { return kind == similarity::cosine ? "cosine" : "dot"; }

MOR1E_INLINE similarity similarity_named(std::string_view name) {
  for (const similarity kind : {similarity::cosine, similarity::dot})
    if (name == name_of(kind)) return kind;
  throw value_error(text("similarity '", name, "' is neither 'cosine' nor 'dot'"));
}

MOR1E_INLINE void check_origin(const embedding_origin& found, const embedding_origin& expected,
                               std::string_view where) {
  for (const auto& [name, member] : detail::origin_fields)
    require<value_error>(found.*member == expected.*member, where, ": made with another ", name, ": '", found.*member,
                         "', now '", expected.*member, "'");
}

MOR1E_INLINE nlohmann::json to_json(const intuition_source& source) {
  nlohmann::json object = {{"embedder", source.embedder},
                           {"clusters", source.centroids.extents().rows()},
                           {"width", source.centroids.extents().cols()},
                           {"centroids_hash", detail::hash_of(source.centroids)},
                           {"seed", source.seed},
                           {"similarity", name_of(source.kind)}};
  for (const auto& [name, member] : detail::origin_fields) object[name] = source.origin.*member;
  return object;
}

MOR1E_INLINE intuition_source intuition_from_json(const nlohmann::json& object, tensor<float> centroids,
                                                  std::string_view where) {
  using detail::field;
  intuition_source source;
  source.embedder = field<std::string>(object, "embedder", where);
  for (const auto& [name, member] : detail::origin_fields)
    source.origin.*member = field<std::string>(object, name, where);
  source.seed = field<std::uint64_t>(object, "seed", where);
  const auto kind = field<std::string>(object, "similarity", where);
  try {
    source.kind = similarity_named(kind);
  } catch (const value_error& e) {
    throw io_error(text(where, ": ", e.what()));
  }
  require<io_error>(centroids.extents().rank() == 2, where, ": centroids ", centroids.extents(), " are not a matrix");
  detail::check_field("clusters", field<std::uint64_t>(object, "clusters", where),
                      std::uint64_t(centroids.extents()[0]), where);
  detail::check_field("width", field<std::uint64_t>(object, "width", where), std::uint64_t(centroids.extents()[1]),
                      where);
  detail::check_field("centroids_hash", field<std::string>(object, "centroids_hash", where), detail::hash_of(centroids),
                      where);
  source.centroids = std::move(centroids);
  return source;
}

MOR1E_INLINE void write_intuition(const std::filesystem::path& path, const intuition_source& source) {
  const std::array tensors{io::stored("centroids", source.centroids)};
  std::string object;
  try {
    object = to_json(source).dump();
  } catch (const nlohmann::json::exception&) {
    throw io_error(text(path.string(), ": cannot write: a field of the intuition is not UTF-8"));
  }
  io::write_safetensors(path, tensors, {{"intuition", object}});
}

MOR1E_INLINE intuition_source read_intuition(const std::filesystem::path& path) {
  const io::safetensors_file file(path);
  const auto found = file.metadata().find("intuition");
  require<io_error>(found != file.metadata().end(), path.string(), ": no metadata 'intuition'");
  const auto object = io::parse_json(found->second, path.string() + ": metadata 'intuition'");
  return intuition_from_json(object, file.read<float>("centroids"), path.string());
}

MOR1E_INLINE void write_embeddings(const std::filesystem::path& path, const embedding_origin& origin,
                                   const tensor<float>& embeddings) {
  std::map<std::string, std::string> metadata;
  for (const auto& [name, member] : detail::origin_fields) metadata[name] = origin.*member;
  const std::array tensors{io::stored("embeddings", embeddings)};
  io::require_finite(tensors, path.string());
  io::write_safetensors(path, tensors, io::sealed(metadata, tensors));
}

MOR1E_INLINE tensor<float> read_embeddings(const std::filesystem::path& path, const embedding_origin& origin) {
  const io::safetensors_file file(path);
  embedding_origin stored;
  for (const auto& [name, member] : detail::origin_fields) {
    const auto found = file.metadata().find(name);
    require<io_error>(found != file.metadata().end(), path.string(), ": no metadata '", name, "'");
    stored.*member = found->second;
  }
  check_origin(stored, origin, path.string());
  require<io_error>(io::check_seal(file, "it can be removed"), path.string(), ": no metadata 'sha256'");
  require<io_error>(file.at("embeddings").extents.rank() == 2, path.string(), ": tensor 'embeddings' ",
                    file.at("embeddings").extents, " is not a matrix");
  return file.read<float>("embeddings");
}

MOR1E_INLINE tensor<float> category_intuition(std::span<const index_t> categories, index_t clusters) {
  require<value_error>(clusters >= 1, "category intuition: ", clusters, " clusters; there must be one at least");
  tensor<float> out({index_t(categories.size()), clusters});
  for (index_t i = 0; i < index_t(categories.size()); ++i) {
    require<value_error>(categories[i] >= 0, "category intuition: category ", categories[i], " of example ", i,
                         " is negative");
    for (index_t j = 0; j < clusters; ++j) {
      const double angle = double(categories[i]) / std::pow(10000.0, double(j - j % 2) / double(clusters));
      out[i * clusters + j] = float(j % 2 ? std::cos(angle) : std::sin(angle));
    }
  }
  return out;
}

MOR1E_INLINE tensor<float> random_intuition(std::span<const std::string> ids, view<const float> like,
                                            std::uint64_t seed) {
  require<shape_error>(index_t(ids.size()) == like.rows, "random intuition: ", ids.size(), " ids, ", like.rows,
                       " rows to take the length of");
  tensor<float> out({like.rows, like.cols});
  for (index_t i = 0; i < like.rows; ++i) {
    double square = 0;
    for (index_t j = 0; j < like.cols; ++j) square += double(like(i, j)) * double(like(i, j));
    detail::random_direction(detail::stream_of(ids[i], seed), std::sqrt(square),
                             {out.data() + i * like.cols, std::size_t(like.cols)});
  }
  return out;
}

MOR1E_INLINE tensor<float> random_intuition(std::span<const std::string> ids, index_t clusters, std::uint64_t seed) {
  require<value_error>(clusters >= 1, "random intuition: ", clusters, " clusters; there must be one at least");
  tensor<float> out({index_t(ids.size()), clusters});
  for (index_t i = 0; i < index_t(ids.size()); ++i)
    detail::random_direction(detail::stream_of(ids[i], seed), 1, {out.data() + i * clusters, std::size_t(clusters)});
  return out;
}

}  // namespace mor1e::cluster
