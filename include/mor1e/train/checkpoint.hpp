// The state of a run: enough to go on bit for bit.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/core/config.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/optim/adam.hpp"
#include "mor1e/train/trainer.hpp"

namespace mor1e::train {

/// What a run reports at its end, over all the processes it took.
struct run_totals {
  double first_loss = 0, last_loss = 0;
  std::int64_t tokens = 0;
  double seconds = 0;
};

/// Where a run stands. Everything random in a run is a function of its seed and of these positions.
struct run_state {
  std::int64_t step = 0;              ///< optimiser steps done
  std::int64_t sampler_position = 0;  ///< examples drawn
  std::uint64_t log_bytes = 0;        ///< length of the log when the state was saved
  run_totals totals = {};
  /// What must not differ on resume: options, data, model, thread count.
  nlohmann::json settings = nlohmann::json::object();

  std::filesystem::path read_from = {};  ///< the folder it was read from
  std::string passed_over = {};          ///< what is wrong with the newer one, if it was read from the previous
};

/// True if `folder` holds a checkpoint, be it damaged.
bool has_checkpoint(const std::filesystem::path& folder);

/// Throws `value_error` naming the first fields of `settings` ("method.r") in which a run to be resumed differs from
/// the one saved at `where`, with both values. Fields under "advice" may differ, though the resumed run is then not
/// bit-exact: they are returned as "was run with ...; now ...", empty if none does.
std::string check_settings(const nlohmann::json& saved, const nlohmann::json& now, const std::string& where);

/// The state saved in a folder, before anything is built from it: of `checkpoint` or, if that is damaged, of
/// `checkpoint.previous`. Damaged is what is not, bit for bit, as it was written. Throws `io_error` naming what is
/// damaged if neither is whole.
run_state read_run_state(const std::filesystem::path& folder);

namespace detail {
void write_checkpoint(const std::filesystem::path& folder, const run_state& state,
                      const std::vector<io::stored_tensor>& tensors);
}  // namespace detail

/// Writes folder/checkpoint as a whole or not at all: parameters, both moments, the state. The one before becomes
/// folder/checkpoint.previous once the new one was read again and found whole. Throws `io_error`, also for a tensor
/// that is not finite.
template <class B, class T>
void save_checkpoint(const std::filesystem::path& folder, trainer<B, T>& run, run_state& state) {
  std::vector<io::stored_tensor> tensors;
  std::vector<tensor<T>> values;
  const auto add = [&](const std::string& name, tensor<T> of) {
    values.push_back(std::move(of));
    tensors.push_back({name, dtype_of<T>, values.back().extents(), values.back().data()});
  };
  std::vector<optim::adam_moments<T>> moments = run.optimizer().moments();
  for (std::size_t i = 0; i < run.parameters().size(); ++i) {
    const param<B, T>& p = *run.parameters()[i];
    add("value." + p.name, p.read());
    add("first." + p.name, std::move(moments[i].first));
    add("second." + p.name, std::move(moments[i].second));
  }
  require<error>(run.optimizer().steps() == state.step, "checkpoint: the state is of step ", state.step,
                 ", the optimiser has done ", run.optimizer().steps());
  detail::write_checkpoint(folder, state, tensors);
  state.passed_over.clear();  // the damaged one is gone
}

/// Puts parameters and moments back. Throws `io_error` naming file and tensor for what is missing or of another shape.
template <class B, class T>
run_state load_checkpoint(const std::filesystem::path& folder, trainer<B, T>& run) {
  run_state state = read_run_state(folder);
  const io::safetensors_file file(state.read_from / "state.safetensors");
  std::vector<optim::adam_moments<T>> moments;
  for (param<B, T>* p : run.parameters()) {
    const auto read = [&](const std::string& name) {
      const io::safetensors_entry& entry = file.at(name);
      require<io_error>(entry.extents == p->extents() && entry.type == dtype_of<T>, file.path().string(), ": tensor '",
                        name, "' is ", name_of(entry.type), " ", entry.extents, ", the run has ", name_of(dtype_of<T>),
                        " ", p->extents());
      tensor<T> values(p->extents());
      file.read(entry, values.data());
      return values;
    };
    p->write(read("value." + p->name));
    moments.push_back({read("first." + p->name), read("second." + p->name)});
  }
  run.optimizer().restore(state.step, std::move(moments));
  return state;
}

}  // namespace mor1e::train

#ifndef MOR1E_COMPILED
#include "mor1e/train/checkpoint.ipp"
#endif
