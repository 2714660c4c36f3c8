// embed: sentences as vectors of unit length, and the prompts of data as sentences.
//
//     embed --model minilm --input S.json --out E.safetensors
//     embed --prompts-of DATA --texts-out E.json          # for another embedder, whose vectors finetune then reads
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "mor1e/data/data_folder.hpp"
#include "mor1e/data/task_file.hpp"
#include "mor1e/io/integrity.hpp"
#include "mor1e/io/sha256.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/train/intuition.hpp"
#include "program.hpp"
#include "progress.hpp"

using namespace mor1e;
namespace fs = std::filesystem;

namespace {

struct embed_options {
  program::common_options common;
  std::string model, input, out, prefix, data, tasks, wording, answer, texts_out;
  models::embedding_options embedding;
};

void add_options(CLI::App& app, embed_options& options) {
  app.add_option("--model", options.model, "folder of a BERT, short name, toy, or a file this program has written");
  app.add_option("--input", options.input, "JSON file: a list of strings");
  app.add_option("--prompts-of", options.data,
                 "instead: the prompts of a data folder's rows (<task>/train.jsonl, <task>/eval.jsonl), each once, as "
                 "finetune and evaluate embed them");
  app.add_option("--tasks", options.tasks, "a,b: only these tasks");
  app.add_option("--template", options.wording, texts::template_names() + "; the rows' own unless given");
  app.add_option("--answer", options.answer, "letter or text; the rows' own unless given");
  app.add_option("--texts-out", options.texts_out, "JSON file to write: the prompts");
  app.add_option("--out", options.out,
                 "safetensors file to write: `embeddings` [n, d], rows of unit length. With the list of its texts "
                 "beside it as .json it is an embedder: finetune --intuition E.safetensors");
  app.add_option("--prefix", options.prefix, "put before every string, such as \"clustering: \"");
  app.add_option("--max-length", options.embedding.max_length, "tokens a string is cut to; 0: what the model says")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--tokens", options.embedding.tokens, "tokens of a batch")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

void check_options(const embed_options& o) {
  require<value_error>(o.input.empty() != o.data.empty(), "one of --input and --prompts-of is required");
  require<value_error>(o.data.empty() == o.texts_out.empty(), "--prompts-of and --texts-out go together");
  require<value_error>(!o.data.empty() || (o.tasks.empty() && o.wording.empty() && o.answer.empty()),
                       "--tasks, --template and --answer are of --prompts-of");
  require<value_error>(o.model.empty() == o.out.empty(), "--model and --out go together");
  require<value_error>(!o.data.empty() || !o.out.empty(),
                       "--out is required: the strings of --input are there already");
  require<value_error>(o.answer.empty() || o.answer == "letter" || o.answer == "text", "--answer ", o.answer,
                       " is neither letter nor text");
  if (!o.wording.empty()) texts::find_template(o.wording);
}

/// The prompts of all rows, in their order, each once.
std::vector<std::string> prompts_of(const embed_options& o) {
  texts::prompt_options wording{o.wording, {}};
  if (!o.answer.empty()) wording.style = o.answer == "letter" ? data::answer_style::letter : data::answer_style::text;
  std::vector<std::string> out;
  std::unordered_set<std::string> met;
  for (const std::string& task : data::select_tasks(data::tasks_in(o.data), o.tasks))
    for (const char* name : {"train.jsonl", "eval.jsonl"})
      if (const fs::path file = fs::path(o.data) / task / name; fs::exists(file))
        for (std::string& prompt : train::prompts_of(data::read_task_file(file), wording))
          if (met.insert(prompt).second) out.push_back(std::move(prompt));
  return out;
}

template <class B>
void run(B& device, const embed_options& options) {
  check_options(options);
  for (const std::string& file : {options.out, options.texts_out})
    if (!file.empty()) io::require_writable_file(file);
  std::vector<std::string> sentences = options.data.empty() ? io::read_strings(options.input) : prompts_of(options);
  if (options.out.empty()) {
    io::write_json(options.texts_out, sentences);
    program::write_results(options.common, {{"sentences", sentences.size()}});
    return program::say(options.common, "{} sentences in {}\n", sentences.size(), options.texts_out);
  }

  // Before the work: what is no file cannot be read again.
  std::string list_hash = options.texts_out.empty() ? io::sha256_of_file(options.input) : "";
  const auto embedder = models::load_sentence_embedder(device, options.model, options.embedding);
  const auto start = std::chrono::steady_clock::now();
  tensor<float> embeddings;
  {
    program::progress_line line("embed", "sentences", options.common.quiet);
    embeddings = train::embed_with_prefix(*embedder, sentences, options.prefix,
                                          [&](std::size_t done, std::size_t all) { line.update(done, all); });
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  if (!options.texts_out.empty()) {
    io::write_json(options.texts_out, sentences);
    list_hash = io::sha256_of_file(options.texts_out);
  }
  const std::map<std::string, std::string> metadata = {{"embedder", embedder->id()},
                                                       {"embedder_hash", embedder->hash()},
                                                       {"prefix", options.prefix},
                                                       {"data_hash", list_hash}};
  const std::vector tensors{io::stored("embeddings", embeddings)};
  io::require_finite(tensors, options.out);
  io::write_safetensors(options.out, tensors, io::sealed(metadata, tensors));
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
      [&](CLI::App& app) { add_options(app, options); },
      program::on_device(options.common, [&](auto& device) { run(device, options); }));
}
