// embed: sentences as vectors of unit length.
//
//     embed --model minilm --input S.json --out E.safetensors
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "mor1e/io/sha256.hpp"
#include "mor1e/mor1e.hpp"
#include "program.hpp"
#include "progress.hpp"
#include "text_list.hpp"

using namespace mor1e;

namespace {

struct embed_options {
  program::common_options common;
  std::string model, input, out, prefix;
  models::embedding_options embedding;
};

void add_options(CLI::App& app, embed_options& options) {
  app.add_option("--model", options.model, "folder of a BERT, short name, or toy")->required();
  app.add_option("--input", options.input, "JSON file: a list of strings")->required();
  app.add_option("--out", options.out, "safetensors file to write: `embeddings` [n, d], rows of unit length")
      ->required();
  app.add_option("--prefix", options.prefix, "put before every string, such as \"clustering: \"");
  app.add_option("--max-length", options.embedding.max_length, "tokens a string is cut to; 0: what the model says")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--tokens", options.embedding.tokens, "tokens of a batch")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

void run(const embed_options& options) {
  cpu device(options.common.threads);
  std::vector<std::string> sentences = program::read_strings(options.input);
  for (std::string& sentence : sentences) sentence.insert(0, options.prefix);
  const auto embedder = models::load_sentence_embedder(device, options.model, options.embedding);

  const auto start = std::chrono::steady_clock::now();
  tensor<float> embeddings;
  {
    program::progress_line line("embed", "sentences", options.common.quiet);
    embeddings = embedder->embed(sentences, [&](std::size_t done, std::size_t all) { line.update(done, all); });
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  const std::map<std::string, std::string> metadata = {{"embedder", embedder->id()},
                                                       {"embedder_hash", embedder->hash()},
                                                       {"prefix", options.prefix},
                                                       {"data_hash", io::sha256_of_file(options.input)}};
  const std::vector tensors{io::stored("embeddings", embeddings)};
  io::write_safetensors(options.out, tensors, metadata);
  nlohmann::json results(metadata);
  results.update({{"sentences", sentences.size()}, {"width", embedder->dimension()}, {"seconds", seconds}});
  program::log_file(options.common).write(results);
  program::write_results(options.common, results);
  program::say(options.common, "{} sentences of {} numbers, {:.2f} s ({:.1f}/s)\n", sentences.size(),
               embedder->dimension(), seconds, double(sentences.size()) / seconds);
}

}  // namespace

int main(int argc, char** argv) {
  embed_options options;
  return program::run(
      argc, argv, "embed", "Sentences as vectors of unit length", options.common,
      [&](CLI::App& app) { add_options(app, options); }, [&] { run(options); });
}
