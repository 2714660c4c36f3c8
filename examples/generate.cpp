// generate: continues a text.
//
//     generate --model smollm2 --prompt "The capital of France is"
#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "adapted_model.hpp"
#include "mor1e/models/generation_config.hpp"
#include "mor1e/text/prompt.hpp"
#include "mor1e/text/prompt_encoder.hpp"
#include "mor1e/text/stream_decoder.hpp"
#include "program.hpp"

using namespace mor1e;

namespace {

struct generate_options {
  program::common_options common;
  std::string model, adapter, prompt;
  int tokens = 128;
  bool chat = false;
  models::sampling_options sampling;
};

void add_options(CLI::App& app, generate_options& options) {
  app.add_option("--model", options.model, "folder, .gguf file, short name or toy")->required();
  app.add_option("--adapter", options.adapter, "folder of an adapter, or of a run");
  app.add_option("--prompt", options.prompt, "the text to go on from")->required();
  app.add_option("--tokens", options.tokens, "at most so many")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--temperature", options.sampling.temperature, "0: always the most probable token")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--top-k", options.sampling.top_k, "draw from the k most probable tokens; 0: from all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--top-p", options.sampling.top_p, "draw from the fewest tokens with this probability")
      ->check(CLI::Range(1e-9, 1.0))
      ->capture_default_str();
  app.add_flag("--chat", options.chat, "the prompt is what a user says, to a model that knows the ChatML turns");
}

/// One turn of a conversation, up to where the model answers.
std::string chat_prompt(const texts::tokenizer& tokenizer, const std::string& message) {
  const texts::prompt_template& chat = texts::find_template("chatml");
  texts::check_markers(chat, tokenizer, "--chat");
  return std::string(chat.turn) + message + std::string(chat.answer_turn);
}

template <class B>
void run(B& device, const generate_options& options) {
  const auto base = program::load_adapted(device, options.model, options.adapter);
  const auto tokenizer = models::open_tokenizer(options.model);
  const auto ends = models::end_tokens(models::open(options.model), tokenizer);
  const auto prompt = texts::prompt_encoder(tokenizer, base.model->vocabulary())
                          .encode(options.chat ? chat_prompt(tokenizer, options.prompt) : options.prompt, "--prompt");
  require<value_error>(!prompt.empty(), "--prompt: is empty");
  const index_t context = base.model->context(), length = index_t(prompt.size());
  require<value_error>(length < context, "--prompt: ", length, " tokens leave no room in a context of ", context);
  tensor<float> intuition;
  if (base.reads_intuition())
    intuition = program::intuition_of(device, base.adapter->record, options.adapter, options.prompt);

  program::log_file log(options.common);
  rng random(options.common.seed);
  texts::stream_decoder decoder(tokenizer);
  std::string continuation;
  std::vector<std::int32_t> tokens;
  const auto emit = [&](const std::string& piece) {
    continuation += piece;
    program::say(options.common, "{}", piece);
    std::fflush(stdout);
  };

  using clock = std::chrono::steady_clock;
  const auto start = clock::now();
  const index_t capacity = std::min(context, length + options.tokens);
  models::generation<B, float> sequence(device, *base.model, capacity, intuition);
  tensor<float> logits = sequence.push(prompt);
  const auto first = clock::now();
  bool ended = false;
  while (length + index_t(tokens.size()) < capacity) {
    if (!tokens.empty()) logits = sequence.push({&tokens.back(), 1});
    const std::int32_t token = models::choose_token(logits, options.sampling, random);
    if ((ended = std::find(ends.begin(), ends.end(), token) != ends.end())) break;
    tokens.push_back(token);
    const std::string piece = decoder.push(token);
    emit(piece);
    log.write({{"token", token}, {"text", piece}});
  }
  emit(decoder.finish());
  program::say(options.common, "\n");
  const bool at_once = ended && tokens.empty();
  if (at_once && !options.common.quiet) {
    std::fflush(stdout);
    fmt::print(stderr, "generate: the first token ends the text\n");
  }
  const auto seconds = [](auto from, auto to) { return std::chrono::duration<double>(to - from).count(); };
  program::write_results(options.common, {{"model", options.model},
                                          {"prompt", options.prompt},
                                          {"text", continuation},
                                          {"tokens", tokens},
                                          {"ended", ended},
                                          {"first_token_ends", at_once},
                                          {"seed", options.common.seed},
                                          {"prompt_tokens", length},
                                          {"prompt_seconds", seconds(start, first)},
                                          {"seconds", seconds(first, clock::now())}});
}

}  // namespace

int main(int argc, char** argv) {
  generate_options options;
  return program::run(
      argc, argv, "generate", "Continues a text", options.common, [&](CLI::App& app) { add_options(app, options); },
      program::on_device(options.common, [&](auto& device) { run(device, options); }));
}
