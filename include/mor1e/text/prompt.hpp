// The words of an example: what the model reads and what it is to answer.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/data/example.hpp"

namespace mor1e::texts {

class tokenizer;

/// The wording around a question. With a context C, a question Q and, in letter style, choices X, Y, the prompt is
///     C \n <before_question> Q \n A. X \n B. Y \n <answer_line>
/// and the target <before_answer> and then the letter or the text of the choice. An empty context has no line.
/// An instruction is worded the same in every template: instruction \n input \n, then the output. A chat puts the
/// prompt into the user's turn, between `turn` and `answer_turn` and without a \n before the latter, and
/// <before_answer> before an output, too.
struct prompt_template {
  std::string_view name;
  std::string_view before_question;
  std::string_view answer_line;
  std::string_view before_answer;
  std::string_view turn = {};
  std::string_view answer_turn = {};
  std::array<std::string_view, 2> markers = {};  ///< of these texts, those that have to be one token each

  constexpr bool is_chat() const { return !answer_turn.empty(); }
};

/// `plain` (the default): "Question: Q\n...Answer:" and " A".
/// `release`: "Q\n...Answer:\n" and "A", the format of the released Intuition-MoR1E code.
/// `bare`: "Q\n...Answer:" and " A": the question brings its own wording, as in the generated suite.
/// Chats, worded as `bare`: `inst` of Llama 2 and Mistral, `chatml` of SmolLM2, Yi and Qwen, `zephyr` of TinyLlama,
/// `phi` of Phi-2. Base models and Bloom have none.
inline constexpr prompt_template prompt_templates[] = {
    {"plain", "Question: ", "Answer:", " "},
    {"release", "", "Answer:\n", ""},
    {"bare", "", "Answer:", " "},
    {"inst", "", "Answer:", " ", "[INST] ", " [/INST]"},
    {"chatml",
     "",
     "Answer:",
     "",
     "<|im_start|>user\n",
     "<|im_end|>\n<|im_start|>assistant\n",
     {"<|im_start|>", "<|im_end|>"}},
    {"zephyr", "", "Answer:", "", "<|user|>\n", "</s>\n<|assistant|>\n", {"</s>"}},
    {"phi", "", "Answer:", " ", "Instruct: ", "\nOutput:"},
};

/// "plain, release, ...": what there is.
MOR1E_INLINE std::string template_names();

/// The template of that name. Throws `value_error` listing the names there are.
MOR1E_INLINE const prompt_template& find_template(std::string_view name);

/// A wording. What is left open is taken from the example (see `data::example`), then from the default: plain, letter.
struct prompt_options {
  std::string template_name;                // empty: open
  std::optional<data::answer_style> style;  // none: open
};

/// More choices than letters are listed up to Z, as the released code does.
inline constexpr std::size_t letter_count = 26;

/// A prompt with its target. `ends` asks for the tokenizer's end token behind the target: a free answer must learn to
/// stop, the answer to a choice is scored by its own tokens alone.
struct rendered_prompt {
  std::string prompt;
  std::string target;
  bool ends = false;
};

/// The template that words a row. Throws `value_error` for an unknown one.
MOR1E_INLINE const prompt_template& template_of(const data::example& row, const prompt_options& options = {});

/// What is asked, without the turns of a chat: the text that is embedded. Throws `value_error` for an unknown template.
MOR1E_INLINE std::string render_instance(const data::example& row, const prompt_options& options = {});

/// The prompt alone. Throws as above.
MOR1E_INLINE std::string render_prompt(const data::example& row, const prompt_options& options = {});

/// What the model would have to say for choice number `choice`. Throws `value_error` for an unknown template, a choice
/// that does not exist, and in letter style one beyond Z.
MOR1E_INLINE std::string render_choice(const data::example& row, int choice, const prompt_options& options = {});

/// The prompt, and as target the first allowed choice or the output of an instruction. Throws as the two above.
MOR1E_INLINE rendered_prompt render(const data::example& row, const prompt_options& options = {});

/// Throws `value_error` naming `whose` it is, template and tokenizer if a marker of the template is not one token: the
/// template is another model's.
MOR1E_INLINE void check_markers(const prompt_template& format, const tokenizer& tokenizer, std::string_view whose);

}  // namespace mor1e::texts

#ifndef MOR1E_COMPILED
#include "mor1e/text/prompt.ipp"
#endif
