// What a run is: its data, its method, how it goes about it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "mor1e/data/example.hpp"
#include "mor1e/data/suite.hpp"
#include "mor1e/models/toy.hpp"
#include "mor1e/peft/registration.hpp"
#include "mor1e/text/prompt.hpp"
#include "mor1e/train/checkpoint.hpp"
#include "mor1e/train/settings.hpp"

namespace mor1e::train {

/// What is trained on and scored.
struct data_settings {
  std::string model = {};       ///< folder, .gguf file, short name or "toy"
  std::string data = {};        ///< folder with <task>/train.jsonl, or "suite" or "suite-hard", generated
  std::string tasks = {};       ///< "a,b": only these
  std::string unseen = {};      ///< "a,b": of these, the tasks that are scored and not trained on
  std::string eval_data = {};   ///< folder whose tasks are scored in place of those of `data`
  std::string task_types = {};  ///< "a,b": those of type 1, see `set_types`
  std::string wording = {};     ///< name of a template; the rows' own unless given
  std::string answer = {};      ///< letter or text; the rows' own unless given
  index_t max_length = 2048;    ///< tokens of an example
  index_t train_limit = 0;      ///< rows of each task; 0: all
  index_t dev_limit = 0;        ///< rows of each task kept out of the training, to choose hyperparameters by
  index_t eval_limit = 100;     ///< rows of each task that are scored
  bool truncate = false;        ///< cut longer prompts at their left instead of refusing

  texts::prompt_options prompt() const {
    texts::prompt_options out{wording, {}};
    if (!answer.empty()) out.style = answer == "letter" ? data::answer_style::letter : data::answer_style::text;
    return out;
  }
  /// Throws `value_error` for what is wrong in itself.
  void check() const {
    require<value_error>(!model.empty() && !data.empty(), "--model and --data are needed");
    require<value_error>(answer.empty() || answer == "letter" || answer == "text", "--answer ", answer,
                         " is neither letter nor text");
    if (!wording.empty()) texts::find_template(wording);
  }
};

/// Who embeds texts where nobody is named.
inline std::string default_embedder(const data_settings& data) {
  return data.model == models::toy_name ? models::toy_name : "minilm";
}

/// How a run goes about it.
struct run_settings {
  std::string intuition = {};   ///< who embeds; or random, category, none
  std::string control = {};     ///< random or category: in place of the intuition
  std::string categories = {};  ///< "a,b;c": tasks that control category takes for one; each for itself unless given
  std::string prefix = {};      ///< put before every text that is embedded
  std::string similarity = "cosine";
  index_t cluster_sample = 0;  ///< prompts of each task that are clustered; 0: all
  std::string order = {};      ///< shuffled or round-robin over the tasks
  index_t micro_batch = 0;     ///< tokens of one pass; 0: 2048, or the longest example
  std::string memory = {};     ///< "900MB": fit a step into this
  bool recompute = false;
  bool device_graph = false;  ///< a pass of a CUDA device as one launch
  index_t eval_every = 0;     ///< steps; 0: never
  index_t checkpoint_every = 20;

  /// Fills in what follows from the data.
  void settle(const data_settings& data) {
    if (order.empty()) order = data::is_suite(data.data) ? "round-robin" : "shuffled";
    if (intuition.empty()) intuition = default_embedder(data);
  }
};

/// One run of one method.
struct run_request {
  std::string label;  ///< of the method, for people
  peft::adapter_spec spec;
  bool measure_scale = false;              ///< of the update at the start
  std::optional<double> match_scale = {};  ///< what it is to be; the method's own unless given
  bool on_dev = false;                     ///< scored on the rows kept out of the training, not on the evaluation's
  bool score_permuted = true;              ///< also with the intuition dealt to other items
  schedule_settings schedule;
  run_settings how;
  std::uint64_t seed = 0;
  std::filesystem::path out;
  std::filesystem::path log = {};                     ///< `log.jsonl` in `out` unless given
  std::filesystem::path embeddings;                   ///< where embeddings of the prompts are kept
  bool keep_data = true;                              ///< generated rows go into the folder
  nlohmann::json options = nlohmann::json::object();  ///< kept in the folder
  std::string goes_on = "the same command";           ///< what resumes it
  std::optional<run_state> saved = {};                ///< what to go on from
};

/// What a run in this folder goes on from.
inline std::optional<run_state> saved_state(const std::filesystem::path& out) {
  return has_checkpoint(out) ? std::optional(read_run_state(out)) : std::nullopt;
}

/// Where a run keeps the options that it was started with.
inline constexpr const char* options_file = "options.json";

}  // namespace mor1e::train
