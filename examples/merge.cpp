// merge: folds an adapter into its base and writes the result as a Hugging Face folder in fp32, with the tokenizer.
//
//     merge --model smollm2 --adapter run/adapter --out merged
//     merge --model smollm2 --adapter run/adapter --out merged --intuition-of "Question: ..."
//
// Exact for LoRA and DoRA. A mixture weighs its experts anew for every token, so it has no merged weights; with
// --intuition-of it is folded for one text and without its router, and what that changes is printed.
#include "mor1e/peft/merge.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>

#include "adapted_model.hpp"
#include "mor1e/models/batch.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/text/prompt_encoder.hpp"
#include "program.hpp"

using namespace mor1e;
namespace fs = std::filesystem;

namespace {

struct merge_options {
  program::common_options common;
  std::string model, adapter, out, text;
};

template <class B>
void merge(B& device, const merge_options& o) {
  const io::checkpoint base = models::open(o.model);
  require<value_error>(fs::weakly_canonical(o.out) != fs::weakly_canonical(base.path), "--out ", o.out,
                       " is the base itself");
  require<value_error>(!fs::exists(o.out) || fs::is_empty(o.out), o.out, " is there already; give another --out");
  io::require_writable_folder(o.out, true);
  const auto files = models::tokenizer_files(o.model);
  auto adapted = program::load_adapted(device, o.model, o.adapter);
  auto& [set, record] = *adapted.adapter;
  const std::string method = record.spec.method.label();

  // The router must go with the text that the experts are fixed for: without one the merge is exact or refused.
  peft::fold_options<float> options{.drop_router = !o.text.empty()};
  tensor<float> intuition;
  models::padded_batch probe;
  tensor<float> before;
  const auto logits = [&] {
    return models::outputs_of<B, float>(device, *adapted.model, probe, std::as_const(intuition).matrix()).logits;
  };
  if (!o.text.empty()) {
    require<value_error>(adapted.reads_intuition(), "--intuition-of: this ", method, " reads no intuition");
    intuition = program::intuition_of(device, record, o.adapter, o.text);
    options.intuition = std::as_const(intuition).matrix();
    const texts::prompt_encoder encoder(models::open_tokenizer(o.model), adapted.model->vocabulary());
    const auto ids = encoder.encode(o.text, "--intuition-of");
    require<value_error>(!ids.empty() && index_t(ids.size()) <= adapted.model->context(),
                         "--intuition-of: ", ids.size(), " tokens, the context has ", adapted.model->context());
    probe.input_ids = tensor<std::int32_t>(shape{1, index_t(ids.size())});
    std::copy(ids.begin(), ids.end(), probe.input_ids.begin());
    probe.lengths = {index_t(ids.size())};
    before = logits();
  } else {
    require<value_error>(!adapted.reads_intuition(), o.adapter, ": a ", method,
                         " weighs its experts for each text; --intuition-of TEXT folds it for one");
  }

  const peft::merged_adapters<B, float> merged(device, set, options);
  nlohmann::json result = {
      {"model", o.model}, {"adapter", o.adapter}, {"method", method}, {"linears", merged.weights().size()}};
  if (!before.empty()) {
    const tensor<float> after = logits();
    double largest = 0;
    for (index_t i = 0; i < after.size(); ++i) largest = std::max(largest, double(std::abs(after[i] - before[i])));
    result["largest_difference"] = largest;
    program::say(o.common,
                 "folded for one text without the router: its logits differ from the adapter's by at most {:.4g}\n",
                 largest);
  }
  peft::save_merged(o.out, base, merged, files);
  program::say(o.common, "{}: {} linears of {} merged in {}\n", method, merged.weights().size(), o.model, o.out);
  program::write_results(o.common, result);
}

}  // namespace

int main(int argc, char** argv) {
  merge_options options;
  return program::run(
      argc, argv, "merge", "Folds an adapter into its base", options.common,
      [&](CLI::App& app) {
        app.add_option("--model", options.model, "the base: folder, .gguf file, short name or toy")->required();
        app.add_option("--adapter", options.adapter, "folder of the adapter, or of a run")->required();
        app.add_option("--out", options.out, "folder to write")->required();
        app.add_option("--intuition-of", options.text, "fold a mixture for this text, without its router");
      },
      program::on_device(options.common, [&](auto& device) { merge(device, options); }));
}
