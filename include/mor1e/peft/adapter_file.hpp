// Adapter folders: adapter_config.json and adapter_model.safetensors, as PEFT lays them out.
#pragma once

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/integrity.hpp"
#include "mor1e/io/json.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/peft/adapter_spec.hpp"
#include "mor1e/peft/attach.hpp"
#include "mor1e/peft/lora_patterns.hpp"
#include "mor1e/peft/registration.hpp"

namespace mor1e::peft {

/// Writes a folder, whole or not at all: the parameters under PEFT's names ("base_model.model." + module path +
/// ".lora_A.weight", ...), and all of `record`. Names the linears in `target_modules` when they were not named.
/// The metadata of the tensors holds a digest over these and the settings. Throws `value_error` for a record of another
/// method than the adapters', and for a method that reads an intuition if the record holds none, `io_error` if it
/// cannot write or a value is not finite.
template <class B, class T>
void save_adapter(const std::filesystem::path& folder, adapter_set<B, T>& set, const adapter_record& record);

/// The same of what was attached, for a method that has a name and reads no intuition.
template <class B, class T>
void save_adapter(const std::filesystem::path& folder, adapter_set<B, T>& set) {
  const auto method = set.method();
  require<value_error>(method.has_value(), folder.string(),
                       ": the adapters' method has no label and fields to be found by; see peft/any_method.hpp");
  save_adapter(folder, set,
               {.spec = {*method, set.attached_with.targets, set.attached_with.seed, set.attached_with.limits}});
}

/// An adapter on a model, and what its folder holds besides.
template <class B, class T>
struct loaded_adapter {
  adapter_set<B, T> set;
  adapter_record record;
};

/// Attaches the adapter of a folder, ours or PEFT's. A LoRA whose linears differ in rank or alpha becomes the one of
/// the largest rank and of scale 1 that computes the same: A and B with rows and columns of zeros, B times its scale.
/// Throws `io_error` for an option we do not compute, for a folder that is not as its digest says (one without is
/// taken), and naming the tensor for one that is missing, not expected, of another shape or not finite; the model is
/// then as before. Whether base model and `record.base_sha256` agree is for the caller to check: groups know no files.
template <class B, class T>
loaded_adapter<B, T> load_adapter(const std::vector<nn::projection_group<B, T>*>& groups,
                                  const std::filesystem::path& folder);

/// The same for a model.
template <Adaptable Model>
auto load_adapter(Model& model, const std::filesystem::path& folder) {
  return load_adapter(model.groups(), folder);
}

namespace detail {

inline constexpr const char* config_file = "adapter_config.json";
inline constexpr const char* tensor_file = "adapter_model.safetensors";
inline constexpr const char* name_prefix = "base_model.model.";
inline constexpr const char* centroids_name = "intuition.centroids";

/// The last names of linears, sorted: what PEFT lists under target_modules.
inline std::vector<std::string> last_names(const std::vector<std::string>& paths) {
  std::vector<std::string> out;
  for (const std::string& path : paths) out.push_back(path.substr(path.rfind('.') + 1));
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

/// "base_model.model." + path + ".lora_A.weight" -> path
inline std::string_view linear_of(std::string_view name) {
  name.remove_suffix(std::min(name.size(), std::string_view(".lora_A.weight").size()));
  if (name.starts_with(name_prefix)) name.remove_prefix(std::string_view(name_prefix).size());
  return name;
}

/// Takes the names that mean no linear here and have no tensors out of `targets`, unless all do: what PEFT finds
/// nowhere it passes over.
template <class B, class T>
void drop_absent(std::vector<std::string>& targets, const std::vector<nn::projection_group<B, T>*>& groups,
                 const io::safetensors_file& file) {
  std::vector<std::string> there;
  for (const auto* group : groups)
    for (const auto& part : group->parts()) there.push_back(part.name);
  for (const auto& entry : file.entries())
    if (const std::size_t end = entry.name.find(".lora_");
        end != entry.name.npos && entry.name.starts_with(name_prefix))
      there.push_back(
          entry.name.substr(std::string_view(name_prefix).size(), end - std::string_view(name_prefix).size()));
  std::vector<std::string> met;
  for (const std::string& target : targets)
    if (std::any_of(there.begin(), there.end(), [&](const std::string& path) { return means(target, path); }))
      met.push_back(target);
  if (!met.empty()) targets = std::move(met);
}

/// What the digest of an adapter covers besides its tensors: all that is computed with. Not where its embedder lies and
/// which it is, for that is found by its own hash.
inline std::string digested_settings(const adapter_record& record) {
  nlohmann::json intuition = record.spec.method.needs().clusters > 0 ? record.intuition : nlohmann::json();
  if (intuition.is_object())
    for (const char* key : {"embedder", "embedder_hash"}) intuition.erase(key);
  return nlohmann::json::array({to_json(record.spec), intuition, record.extras})
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// "lora {"r":8,...}"
inline std::string in_words(const any_method& method) {
  return text(method.label(), " ", to_json(adapter_spec{.method = method}).dump());
}

/// The matrix times `factor` in the upper left corner of `to`, which is zero elsewhere.
template <class T>
void place(const tensor<T>& matrix, double factor, view<T> to) {
  const index_t cols = matrix.extents()[1];
  std::fill_n(to.data, to.size(), T(0));
  for (index_t i = 0; i < matrix.size(); ++i) to(i / cols, i % cols) = T(double(matrix[i]) * factor);
}

}  // namespace detail

template <class B, class T>
void save_adapter(const std::filesystem::path& folder, adapter_set<B, T>& set, const adapter_record& record) {
  if (const auto attached = set.method(); attached && !(*attached == record.spec.method))
    throw value_error(text(folder.string(), ": the record is of ", detail::in_words(record.spec.method),
                           ", the adapters are of ", detail::in_words(*attached)));
  require<value_error>(record.spec.method.needs().clusters == 0 || record.intuition.is_object(), folder.string(),
                       ": this mixture reads an intuition, and the record does not say which");
  nlohmann::json config = config_of(record);
  adapter_record read_back{.spec = record.spec, .intuition = record.intuition, .extras = record.extras};
  if (record.spec.targets.empty())
    config["target_modules"] = read_back.spec.targets = detail::last_names(set.linears());
  std::vector<tensor<T>> values;
  std::vector<io::stored_tensor> tensors;
  for (const auto& v : set.views()) {
    values.push_back(v.read());
    tensors.push_back({detail::name_prefix + v.name, dtype_of<T>, v.extents, values.back().data()});
  }
  if (!record.centroids.empty()) tensors.push_back(io::stored(detail::centroids_name, record.centroids));
  io::require_finite(tensors, folder.string());
  io::atomic_folder out(folder);
  io::write_json(out.path() / detail::config_file, config);
  io::write_safetensors(out.path() / detail::tensor_file, tensors,
                        io::sealed(metadata_of(record), tensors, detail::digested_settings(read_back)));
  out.commit();
}

template <class B, class T>
loaded_adapter<B, T> load_adapter(const std::vector<nn::projection_group<B, T>*>& groups,
                                  const std::filesystem::path& folder) {
  const std::filesystem::path config_path = folder / detail::config_file;
  const std::string written = io::read_text(config_path);
  nlohmann::json config = io::parse_json(written, config_path.string());
  const lora_patterns patterns = take_patterns(config, written, config_path.string());
  const io::safetensors_file file(folder / detail::tensor_file);
  const std::string where = file.path().string();
  loaded_adapter<B, T> out;
  out.record = record_of(config, file.metadata(), config_path.string());
  const std::string settings = detail::digested_settings(out.record);  // before the patterns enter it
  any_method& method = out.record.spec.method;
  const target_limits& limits = out.record.spec.limits;
  detail::drop_absent(out.record.spec.targets, groups, file);
  std::optional<lora> common;  // where linears differ, what holds for those that no pattern names
  if (!patterns.empty())
    common = lora{.rank = value_of<int>(method, "r"),
                  .alpha = value_of<double>(method, "lora_alpha"),
                  .rank_stabilised = value_of<bool>(method, "use_rslora")};
  // Before a parameter is allocated by what the configuration says.
  const index_t rows = method.down_rows();
  index_t most = 1;
  for (const auto& entry : file.entries()) {
    if (!entry.name.ends_with(".lora_A.weight")) continue;
    const index_t own = common ? patterns.of(detail::linear_of(entry.name), *common).rank : rows;
    require<io_error>(entry.extents[0] == own, where, ": tensor '", entry.name, "' has shape ", entry.extents,
                      ", the configuration asks for ", own, " rows");
    most = std::max(most, own);
  }
  if (common) {
    method.set("r", int(most));
    method.set("lora_alpha", double(most));
    method.set("use_rslora", false);
  }
  try {
    out.set = attach(groups, out.record.spec);
  } catch (const value_error& e) {
    throw io_error(text(config_path.string(), ": ", e.what()));
  }

  std::vector<std::string> known;
  for (auto& v : out.set.views()) {
    const std::string name = detail::name_prefix + v.name;
    require<io_error>(limits.excluded_expression.empty() || file.find(name), config_path.string(),
                      ": 'exclude_modules' is the regular expression ", io::brief(limits.excluded_expression),
                      "; only a list of names, or one that excludes nothing, is supported");
    const io::safetensors_entry& entry = file.at(name);
    shape wanted = v.extents;
    double factor = 1;
    const bool matrix = wanted.rank() == 2;
    if (common && matrix) {
      const lora own = patterns.of(detail::linear_of(name), *common);
      const bool up = name.ends_with(".lora_B.weight");
      wanted = up ? shape{wanted[0], own.rank} : shape{own.rank, wanted[1]};
      if (up) factor = own.scale();
    }
    require<io_error>(entry.extents == wanted, where, ": tensor '", name, "' has shape ", entry.extents,
                      ", the configuration asks for ", wanted);
    tensor<T> values(v.extents);
    if (common && matrix)
      detail::place(file.read<T>(name), factor, values.matrix());
    else
      file.read(entry, values.data());
    v.write(values);
    known.push_back(name);
  }
  if (config.contains("intuition_centroids")) {
    out.record.centroids = file.read<float>(detail::centroids_name);
    const shape& found = out.record.centroids.extents();
    require<io_error>(config.at("intuition_centroids") == nlohmann::json{found[0], found[1]}, where, ": tensor '",
                      detail::centroids_name, "' has shape ", found, ", the configuration says ",
                      io::brief(config.at("intuition_centroids")));
    known.push_back(detail::centroids_name);
  }
  std::sort(known.begin(), known.end());
  for (const auto& entry : file.entries())
    require<io_error>(std::binary_search(known.begin(), known.end(), entry.name), where, ": tensor '", entry.name,
                      "' is not expected");
  const std::vector<io::stored_tensor> tensors = io::tensors_of(file);
  io::require_finite(tensors, where);
  io::check_seal(file, text("restore it and ", detail::config_file, " from a copy, or train again"), settings);
  return out;
}

}  // namespace mor1e::peft
