#pragma once

#include <algorithm>

#include "mor1e/core/error.hpp"
#include "mor1e/text/prompt.hpp"
#include "mor1e/text/tokenizer.hpp"

namespace mor1e::texts {

namespace detail {

struct wording {
  const prompt_template& format;
  data::answer_style style;
};

inline wording wording_of(const data::example& row, const prompt_options& options) {
  std::string_view name = "plain";
  if (!options.template_name.empty())
    name = options.template_name;
  else if (!row.template_name.empty())
    name = row.template_name;
  const auto own = row.style.value_or(data::answer_style::letter);
  return {find_template(name), options.style.value_or(own)};
}

}  // namespace detail

MOR1E_INLINE std::string template_names() {
  std::string names;
  for (const prompt_template& each : prompt_templates) names += (names.empty() ? "" : ", ") + std::string(each.name);
  return names;
}

MOR1E_INLINE const prompt_template& find_template(std::string_view name) {
  for (const prompt_template& candidate : prompt_templates)
    if (candidate.name == name) return candidate;
  throw value_error(text("prompt template '", name, "' is unknown; there are: ", template_names()));
}

MOR1E_INLINE const prompt_template& template_of(const data::example& row, const prompt_options& options) {
  return detail::wording_of(row, options).format;
}

MOR1E_INLINE std::string render_instance(const data::example& row, const prompt_options& options) {
  const auto [format, style] = detail::wording_of(row, options);
  if (row.is_instruction()) return row.question + '\n' + (row.context.empty() ? "" : row.context + '\n');
  std::string out;
  if (!row.context.empty()) out += row.context + '\n';
  out += format.before_question;
  out += row.question + '\n';
  if (style == data::answer_style::letter)
    for (std::size_t i = 0; i < std::min(row.choices.size(), letter_count); ++i)
      out += char('A' + i) + (". " + row.choices[i]) + '\n';
  out += format.answer_line;
  return out;
}

MOR1E_INLINE std::string render_prompt(const data::example& row, const prompt_options& options) {
  const prompt_template& format = template_of(row, options);
  std::string out = render_instance(row, options);
  if (!format.is_chat()) return out;
  if (out.ends_with('\n')) out.pop_back();
  return std::string(format.turn) + out + std::string(format.answer_turn);
}

MOR1E_INLINE std::string render_choice(const data::example& row, int choice, const prompt_options& options) {
  const auto [format, style] = detail::wording_of(row, options);
  require<value_error>(choice >= 0 && choice < int(row.choices.size()), "example ", row.id, ": choice ", choice, " of ",
                       row.choices.size());
  std::string out(format.before_answer);
  if (style == data::answer_style::text) return out + row.choices[std::size_t(choice)];
  require<value_error>(choice < int(letter_count), "example ", row.id, ": choice ", choice, " is beyond the ",
                       letter_count, " letters");
  return out + char('A' + choice);
}

MOR1E_INLINE rendered_prompt render(const data::example& row, const prompt_options& options) {
  std::string prompt = render_prompt(row, options);
  if (row.is_instruction()) {
    const prompt_template& format = template_of(row, options);
    return {std::move(prompt), std::string(format.is_chat() ? format.before_answer : "") + row.output, true};
  }
  require<value_error>(!row.answers.empty(), "example ", row.id, ": no answer is marked as right");
  return {std::move(prompt), render_choice(row, row.answers[0], options), false};
}

MOR1E_INLINE void check_markers(const prompt_template& format, const tokenizer& tokenizer, std::string_view whose) {
  // Inside a text: some stand for themselves at its beginning alone.
  const auto is_token = [&](std::string_view marker) {
    const std::vector<token_id> ids = tokenizer.encode(text(':', marker), false);
    return !ids.empty() && tokenizer.id_of(marker) == ids.back();
  };
  for (const std::string_view marker : format.markers)
    require<value_error>(marker.empty() || is_token(marker), whose, ": prompt template '", format.name, "' has ",
                         in_quotes(marker), ", which is no token of ", tokenizer.origin());
}

}  // namespace mor1e::texts
