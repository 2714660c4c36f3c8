// tokenize: texts to token ids and back.
//
//     tokenize --model M --input S.json --out T.json
#include <string>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/models/open.hpp"
#include "program.hpp"

using namespace mor1e;

namespace {

struct tokenize_options {
  program::common_options common;
  std::string model, input, out;
};

void add_options(CLI::App& app, tokenize_options& options) {
  app.add_option("--model", options.model, "folder, .gguf file, short name or toy")->required();
  app.add_option("--input", options.input, "JSON file: a list of strings")->required();
  app.add_option("--out", options.out,
                 "JSON file to write: for each string `ids`, `raw` (without the tokens that the tokenizer adds), "
                 "`decoded` (of ids)")
      ->required();
}

void run(const tokenize_options& options) {
  io::require_writable_file(options.out);
  const auto tokenizer = models::open_tokenizer(options.model);
  program::log_file log(options.common);
  nlohmann::json list = nlohmann::json::array();
  std::size_t tokens = 0;
  for (const std::string& string : io::read_strings(options.input)) {
    const auto ids = tokenizer.encode(string);
    tokens += ids.size();
    list.push_back({{"ids", ids}, {"raw", tokenizer.encode(string, false)}, {"decoded", tokenizer.decode(ids)}});
    log.write(list.back());
  }
  io::write_json(options.out, list);
  program::write_results(options.common, {{"model", options.model}, {"strings", list.size()}, {"tokens", tokens}});
  program::say(options.common, "{} tokens in {} strings\n", tokens, list.size());
}

}  // namespace

int main(int argc, char** argv) {
  tokenize_options options;
  return program::run(
      argc, argv, "tokenize", "Texts to token ids and back", options.common,
      [&](CLI::App& app) { add_options(app, options); }, [&] { run(options); });
}
