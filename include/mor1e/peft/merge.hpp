// Adapters folded into the weights of their base.
#pragma once

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/io/checkpoint.hpp"
#include "mor1e/io/integrity.hpp"
#include "mor1e/io/model_folder.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/peft/attach.hpp"

namespace mor1e::peft {

/// The weights of a model with its adapters' updates in them, in the place of its own and without the adapters:
///   W' = W + s U A;  DoRA: m (W + s U A) / |W + s U A|;  MoR1E, mix: W + s U G^T A for one intuition, without the
///   router
/// The originals are kept, so `unmerge` (or the end of this object) restores the base bit for bit. Must not outlive
/// model and adapters.
template <class B, class T>
class merged_adapters {
 public:
  /// Throws `value_error`, and leaves all as it was, for an update that no fixed weight holds.
  merged_adapters(B& device, adapter_set<B, T>& set, const fold_options<T>& options = {})
      : device_(&device), set_(&set) {
    set.each([&](auto& group, auto& adapter) {
      for (folded_linear<T>& linear : adapter.fold(device, group, options))
        held_.push_back(
            {&group, linear.part, nn::weight<B, T>(typename B::template frozen<T>(device, std::move(linear.weight)))});
    });
    swap();
    set.detach();
  }
  merged_adapters(const merged_adapters&) = delete;
  merged_adapters& operator=(const merged_adapters&) = delete;
  ~merged_adapters() { unmerge(); }

  B& device() const { return *device_; }
  /// The weights that were there before, and the adapters on them.
  void unmerge() {
    if (!set_) return;
    swap();
    std::exchange(set_, nullptr)->attach();
    held_.clear();
  }

  /// The weights of the adapted linears, under the names a checkpoint has them ("<module path>.weight"). While merged.
  std::map<std::string, const nn::weight<B, T>*> weights() const {
    std::map<std::string, const nn::weight<B, T>*> out;
    for (const held& h : held_) {
      const auto& part = h.group->parts()[h.part];
      out[part.name + ".weight"] = &part.w;
    }
    return out;
  }

 private:
  struct held {
    nn::projection_group<B, T>* group;
    std::size_t part;
    nn::weight<B, T> other;  ///< the merged one, and while that is in use the original
  };
  void swap() {
    for (held& h : held_) h.other = h.group->exchange(h.part, std::move(h.other));
  }

  B* device_;
  adapter_set<B, T>* set_;
  std::vector<held> held_;
};

/// Writes `base` as a Hugging Face folder in fp32 with the merged weights in place of its own: config.json,
/// model.safetensors, and `others` by name (see `models::tokenizer_files`). Whole or not at all. Throws `io_error`,
/// naming the tensor for a value that is not finite.
template <class B>
void save_merged(const std::filesystem::path& folder, const io::checkpoint& base,
                 const merged_adapters<B, float>& merged, const std::map<std::string, std::string>& others = {}) {
  const auto weights = merged.weights();
  std::vector<tensor<float>> loaded;
  std::vector<io::stored_tensor> tensors;
  std::size_t met = 0;
  for (const std::string& name : base.weights->names()) {
    const shape extents = base.weights->extents(name);
    const float* at = base.weights->mapped_f32(name);
    if (const auto of = weights.find(name); of != weights.end() && ++met) {
      loaded.push_back(read_frozen(merged.device(), of->second->values()));
      at = loaded.back().data();
    } else if (!at) {
      loaded.push_back(base.weights->load<float>(name));
      at = loaded.back().data();
    }
    tensors.push_back({name, dtype::f32, extents, at});
  }
  require<io_error>(met == weights.size(), base.path.string(), ": ", weights.size() - met,
                    " of the adapted linears are no tensor of their own in this file");

  io::require_finite(tensors, text(folder.string(), ": not written: of the merged model"));

  nlohmann::json config = base.config;
  config.erase("dtype");
  config["torch_dtype"] = "float32";
  if (!config.contains("architectures") && config.value("model_type", "") == "llama")
    config["architectures"] = {"LlamaForCausalLM"};
  io::write_model_folder(folder, config, tensors, others);
}

}  // namespace mor1e::peft
