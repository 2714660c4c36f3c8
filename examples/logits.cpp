// logits: what a model makes of given tokens.
//
//     logits --model M [--adapter DIR] --input X.safetensors --out Y.safetensors
#include <chrono>
#include <string>
#include <vector>

#include "adapted_model.hpp"
#include "program.hpp"

using namespace mor1e;

namespace {

struct logits_options {
  program::common_options common;
  std::string model, adapter, input, out;
};

void add_options(CLI::App& app, logits_options& options) {
  app.add_option("--model", options.model, "folder, .gguf file, short name or toy; a decoder or an encoder")
      ->required();
  app.add_option("--adapter", options.adapter, "folder of an adapter or of a run, for a decoder");
  app.add_option(
         "--input", options.input,
         "safetensors file: `input_ids` [, `attention_mask`, padding on any side] [, `labels`] [sequences, length] "
         "[, `intuition` [sequences, clusters]]")
      ->required();
  app.add_option("--out", options.out,
                 "safetensors file to write: `logits`, `hidden.0` ... `hidden.final`, `loss`; of an encoder "
                 "`last_hidden_state`, `mean`, `embedding`. Rows of padding are 0")
      ->required();
}

/// `intuition`, one row for each sequence, if the adapter reads one.
template <class B>
tensor<float> read_intuition(const program::adapted_model<B>& base, const io::safetensors_file& input,
                             const models::padded_batch& batch) {
  if (!base.reads_intuition()) return {};
  require<value_error>(input.find("intuition") != nullptr, batch.where,
                       ": no tensor 'intuition', which the adapter reads");
  tensor<float> values = input.read<float>("intuition");
  require<value_error>(values.extents().rank() == 2 && values.extents()[0] == batch.sequences(), batch.where,
                       ": tensor 'intuition' has shape ", values.extents(), ", not [", batch.sequences(),
                       ", clusters]");
  return values;
}

template <class B>
nlohmann::json run_decoder(B& device, const logits_options& options, const io::safetensors_file& input,
                           const models::padded_batch& batch) {
  const auto base = program::load_adapted(device, options.model, options.adapter);
  const tensor<float> intuition = read_intuition(base, input, batch);
  const auto outputs = models::outputs_of<B, float>(device, *base.model, batch, intuition);
  std::vector<io::stored_tensor> tensors{io::stored("logits", outputs.logits),
                                         io::stored("hidden.final", outputs.hidden_final)};
  for (std::size_t i = 0; i < outputs.hidden.size(); ++i)
    tensors.push_back(io::stored(text("hidden.", i), outputs.hidden[i]));
  tensor<float> loss(shape{1});
  if (outputs.loss) {
    loss[0] = float(*outputs.loss);
    tensors.push_back(io::stored("loss", loss));
  }
  io::write_safetensors(options.out, tensors);
  return outputs.loss ? nlohmann::json{{"loss", *outputs.loss}} : nlohmann::json::object();
}

template <class B>
nlohmann::json run_encoder(B& device, const logits_options& options, const models::padded_batch& batch) {
  require<value_error>(options.adapter.empty(), "--adapter: ", options.model, " is an encoder");
  const auto outputs = models::outputs_of(device, *models::load_encoder<B, float>(device, options.model), batch);
  const std::vector tensors{io::stored("last_hidden_state", outputs.last_hidden_state),
                            io::stored("mean", outputs.mean), io::stored("embedding", outputs.embedding)};
  io::write_safetensors(options.out, tensors);
  return nlohmann::json::object();
}

template <class B>
void run(B& device, const logits_options& options) {
  io::require_writable_file(options.out);
  const io::safetensors_file input(options.input);
  const auto batch = models::read_padded_batch(input);
  const auto start = std::chrono::steady_clock::now();
  nlohmann::json results = models::is_encoder(options.model) ? run_encoder(device, options, batch)
                                                             : run_decoder(device, options, input, batch);

  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  index_t tokens = 0;
  for (const index_t length : batch.lengths) tokens += length;
  results.update(
      {{"model", options.model}, {"sequences", batch.sequences()}, {"tokens", tokens}, {"seconds", seconds}});
  program::log_file(options.common).write(results);
  program::write_results(options.common, results);
  program::say(options.common, "{} tokens in {} sequences{}, {:.2f} s\n", tokens, batch.sequences(),
               results.contains("loss") ? fmt::format(", loss {:.6f}", results["loss"].get<double>()) : "", seconds);
}

}  // namespace

int main(int argc, char** argv) {
  logits_options options;
  return program::run(
      argc, argv, "logits", "Logits, hidden states and loss of a model for given tokens", options.common,
      [&](CLI::App& app) { add_options(app, options); },
      program::on_device(options.common, [&](auto& device) { run(device, options); }));
}
