// The runs of a matrix on disk: what is done is found again, by whoever asks for the same.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "experiments/matrix_options.hpp"
#include "experiments/run_record.hpp"
#include "mor1e/core/split.hpp"
#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/json.hpp"
#include "mor1e/io/sha256.hpp"
#include "mor1e/train/run_folder.hpp"
#include "program.hpp"

namespace mor1e::program {

/// One cell of a matrix.
struct planned_run {
  const contestant* of = nullptr;
  std::string model;
  std::uint64_t seed = 0;
  double learning_rate = 0;
  bool on_dev = false;  ///< to choose the learning rate by
};

/// A model, data or embedder wherever it lies: other machines have other folders. What it holds is checked by its hash.
inline std::string name_in(const std::string& path) {
  return std::filesystem::path(path + "/").parent_path().filename();
}

/// A contestant without its learning rate, which is the run's, and without the folder of its embedder.
inline std::string recipe_of(const contestant& c) {
  std::string out;
  for (const std::string& part : split(c.recipe, '+')) {
    if (part.starts_with("lr=")) continue;
    const std::size_t path = part.starts_with("intuition=") ? part.find('=') + 1 : part.size();
    out += (out.empty() ? "" : "+") + part.substr(0, path) + (path < part.size() ? name_in(part.substr(path)) : "");
  }
  return out;
}

/// What a run was asked for, without its seed: two matrices that ask the same share it.
inline nlohmann::json asked_of(const matrix_options& o, const planned_run& run) {
  const train::schedule_settings s = o.schedule.settings();
  const train::run_settings& how = o.run;
  const contestant& c = *run.of;
  const std::string& kind = c.control.empty() ? c.intuition : c.control;
  nlohmann::json out = {
      {"model", name_in(run.model)},
      {"contestant", recipe_of(c)},
      {"data", {name_in(o.data.data), o.data.tasks, o.data.unseen, name_in(o.data.eval_data), o.data.task_types}},
      {"wording", {o.data.wording, o.data.answer, o.data.max_length, o.data.truncate}},
      {"limits", {o.data.train_limit, o.data.dev_limit, o.data.eval_limit}},
      {"intuition",
       {name_in(how.intuition), kind == "category" ? how.categories : "", how.prefix, how.similarity,
        how.cluster_sample}},
      {"order", how.order},
      {"schedule", {s.batch, run.learning_rate, s.warmup, s.clip, s.weight_decay, s.epochs, s.steps}},
      {"own", {o.own_scale, o.own_parameters}},
      {"products", o.common.device.products},
      {"dev", run.on_dev}};
  if (data::is_suite(o.data.data)) out["rows_by"] = o.common.seed;  // the first: all runs of a matrix share their rows
  return out;
}

/// OUT/runs/CONTESTANT-DIGEST/seedN holds a run, and run.json there what became of it. The folder is the ledger: what
/// has a run.json is done.
class run_store {
 public:
  explicit run_store(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path folder_of(const matrix_options& o, const planned_run& run) const {
    std::string name = recipe_of(*run.of);
    for (char& c : name)
      if (!std::isalnum(static_cast<unsigned char>(c)) && std::string("+-=._").find(c) == std::string::npos) c = '_';
    return folder_ / "runs" / (name + "-" + digest(asked_of(o, run))) / text("seed", run.seed);
  }
  /// Embeddings of the training's prompts: runs on the same rows share them.
  std::filesystem::path embeddings_of(const matrix_options& o, const contestant& c) const {
    return folder_ / "embeddings" /
           (digest({name_in(o.data.data), o.data.tasks, o.data.unseen, c.unseen, o.data.train_limit, o.data.dev_limit,
                    name_in(c.intuition), o.run.prefix, o.data.wording, o.data.answer}) +
            ".safetensors");
  }

  static bool is_done(const std::filesystem::path& folder) {
    std::error_code none;
    return std::filesystem::exists(folder / "run.json", none);
  }
  /// Throws `io_error` for what is no run, `value_error` for one with other settings; where only what does not change
  /// a result much differs (threads, library), that is `advice`.
  static run_record read(const std::filesystem::path& folder, const nlohmann::json& settings, std::string& advice) {
    const auto [record, own_settings] = read(folder);
    advice = train::check_settings(own_settings, settings, folder.string());
    return record;
  }
  /// The last thing a run writes.
  static void write(const std::filesystem::path& folder, const nlohmann::json& settings, const run_record& record) {
    io::write_json(folder / "run.json", {{"settings", settings}, {"record", record}});
    for (const char* left : {"checkpoint", "checkpoint.previous"})  // nothing is left to go on with
      std::filesystem::remove_all(folder / left);
  }

  /// Throws `io_error` for a folder of "a,b" without runs.
  static void check_from(const std::string& folders) {
    for (const std::string& from : split(folders))
      require<io_error>(!from.empty() && std::filesystem::is_directory(std::filesystem::path(from) / "runs"),
                        "--from: ", in_quotes(from), " holds no runs");
  }
  /// Takes over finished runs of other folders, as "a,b", that are not here yet; how many.
  index_t take_from(const std::string& folders) const {
    namespace fs = std::filesystem;
    index_t taken = 0;
    for (const std::string& from : split(folders)) {
      for (const auto& kind : fs::directory_iterator(fs::path(from) / "runs"))
        for (const fs::path& seed : seeds_in(kind.path())) {
          const fs::path here = folder_ / "runs" / kind.path().filename() / seed.filename();
          if (!is_done(seed) || is_done(here)) continue;
          read(seed);
          const fs::path arriving = here.string() + ".arriving";
          fs::remove_all(arriving), fs::create_directories(arriving.parent_path());
          fs::copy(seed, arriving, fs::copy_options::recursive);
          fs::remove_all(here), fs::rename(arriving, here);
          ++taken;
        }
    }
    return taken;
  }

 private:
  /// A run's record and its settings.
  static std::pair<run_record, nlohmann::json> read(const std::filesystem::path& folder) {
    const std::filesystem::path file = folder / "run.json";
    const nlohmann::json kept = io::read_json(file);
    require<io_error>(kept.is_object() && kept.contains("settings") && kept.contains("record"), file.string(),
                      ": is no run's");
    try {
      return {kept["record"].get<run_record>(), kept["settings"]};
    } catch (const nlohmann::json::exception& e) {
      throw io_error(text(file.string(), ": ", e.what()));
    }
  }
  /// Whatever else lies there is none of ours.
  static std::vector<std::filesystem::path> seeds_in(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> out;
    if (!std::filesystem::is_directory(folder)) return out;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string name = entry.path().filename();
      if (name.starts_with("seed") && name.find_first_not_of("0123456789", 4) == name.npos) out.push_back(entry.path());
    }
    return out;
  }
  static std::string digest(const nlohmann::json& of) {
    const std::string all = of.dump();
    return io::sha256_of(std::as_bytes(std::span(all.data(), all.size()))).substr(0, 8);
  }

  std::filesystem::path folder_;
};

}  // namespace mor1e::program
