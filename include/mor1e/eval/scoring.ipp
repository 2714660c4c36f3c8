// Definitions of eval/scoring.hpp.
#pragma once

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>

#include "mor1e/core/error.hpp"
#include "mor1e/eval/scoring.hpp"

namespace mor1e::eval {

namespace detail {

inline std::string bare_lower(std::string_view text) {
  const auto space = [](unsigned char c) { return std::isspace(c) != 0; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  std::string out(text);
  for (char& c : out) c = char(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

/// The first largest of value(0), ..., value(count - 1).
template <class Value>
int first_largest(std::size_t count, const Value& value) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < count; ++i)
    if (value(i) > value(best)) best = i;
  return int(best);
}

inline bool all_greedy(const std::vector<token_score>& tokens) {
  return std::all_of(tokens.begin(), tokens.end(), [](const token_score& t) { return t.largest; });
}

inline double sum_of(const std::vector<token_score>& tokens) {
  double sum = 0;
  for (const token_score& t : tokens) sum += t.log_probability;
  return sum;
}

inline double best_answer(const data::example& row, const std::vector<std::vector<token_score>>& branches) {
  double best = -std::numeric_limits<double>::infinity();
  for (const int answer : row.answers)
    if (answer < int(branches.size())) best = std::max(best, sum_of(branches[std::size_t(answer)]));
  return best;
}

}  // namespace detail

MOR1E_INLINE bool item_score::accepts(int choice) const {
  return std::find(answers.begin(), answers.end(), choice) != answers.end();
}

MOR1E_INLINE std::string_view name_of(metric m) {
  constexpr std::string_view names[] = {"sum", "mean", "per_byte", "exact", "letter", "greedy"};
  return names[std::size_t(m)];
}

MOR1E_INLINE std::optional<bool> is_right(const item_score& item, metric m) {
  if (m == metric::letter || m == metric::greedy) {
    if (!item.letter) return {};
    return item.accepts(m == metric::letter ? item.letter->pick : item.letter->greedy);
  }
  if (!item.loglik) return {};
  switch (m) {
    case metric::sum: return item.accepts(item.loglik->pick_sum);
    case metric::mean: return item.accepts(item.loglik->pick_mean);
    case metric::per_byte: return item.accepts(item.loglik->pick_per_byte);
    default: return item.loglik->exact;
  }
}

MOR1E_INLINE std::optional<double> answer_log_probability(const item_score& item, metric m) {
  const bool by_letter = m == metric::letter || m == metric::greedy;
  if (by_letter ? !item.letter : !item.loglik) return {};
  const double value = by_letter ? item.letter->answer_log_probability : item.loglik->answer_log_probability;
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

MOR1E_INLINE scoring scoring_named(std::string_view name) {
  if (name == "loglik") return scoring::loglik;
  if (name == "letter") return scoring::letter;
  if (name == "both") return scoring::both;
  if (name == "rows") return scoring::rows;
  throw value_error(text("scoring '", name, "' is unknown; there are: letter, loglik, both, rows"));
}

MOR1E_INLINE item_encoder::asked item_encoder::asked_of(const data::example& row) const {
  const bool text_row = options_.how == scoring::rows && row.style == data::answer_style::text;
  return {options_.how != scoring::letter, options_.how != scoring::loglik && !text_row};
}

MOR1E_INLINE std::vector<branching> item_encoder::encode(const data::example& row, index_t instance) const {
  require<value_error>(row.is_instruction() || !row.answers.empty(), "scoring: ", row.id,
                       ": no answer is marked as right");
  texts::check_markers(texts::template_of(row, {options_.template_name, {}}), encoder_.tokenizer(), row.id);
  std::vector<branching> out;
  const auto branch = [&](const std::string& prompt, const std::vector<std::string>& answers, bool ends) {
    branching& of = out.emplace_back(branching{row.id, encoder_.encode(prompt, row.id), {}, instance});
    for (const std::string& answer : answers) {
      texts::continuation tokens = encoder_.encode(prompt, answer, row.id, ends);
      of.seams.push_back(tokens.prompt.size());
      of.branches.push_back(std::move(tokens.answer));
    }
    fit(of);
  };
  if (row.is_instruction()) {
    const texts::rendered_prompt words = texts::render(row, {options_.template_name, {}});
    branch(words.prompt, {words.target}, words.ends);
    return out;
  }
  const auto choices = [&](data::answer_style style, std::size_t count) {
    std::vector<std::string> answers;
    for (std::size_t c = 0; c < count; ++c) answers.push_back(texts::render_choice(row, int(c), wording(style)));
    branch(texts::render_prompt(row, wording(style)), answers, false);
  };
  const asked what = asked_of(row);
  if (what.loglik) choices(data::answer_style::text, row.choices.size());
  if (what.letter) choices(data::answer_style::letter, std::min(row.choices.size(), texts::letter_count));
  return out;
}

MOR1E_INLINE void item_encoder::fit(branching& item) const {
  const index_t length = item.length(), over = length - context_;
  if (over <= 0) return;
  require<value_error>(options_.truncate, "scoring: ", item.id, " has a sequence of ", length,
                       " tokens, the context of the model is ", context_, " (--truncate cuts the prompt at its left)");
  // The least that stands before a branch must keep a token, too.
  std::vector<std::int32_t> least = item.prompt;
  least.resize(*std::min_element(item.seams.begin(), item.seams.end()));
  require<value_error>(encoder_.cut_left(least, over), "scoring: ", item.id, " has a sequence of ", length,
                       " tokens, with an answer that leaves no room for a prompt in the context of ", context_);
  encoder_.cut_left(item.prompt, over);
  for (std::size_t& seam : item.seams) seam -= std::size_t(over);
}

MOR1E_INLINE item_score item_encoder::begin(const data::example& row) const {
  item_score out;
  out.id = row.id;
  out.task = row.task;
  out.choices = int(row.choices.size());
  out.answers = row.answers;
  return out;
}

MOR1E_INLINE void item_encoder::enter(const data::example& row, std::size_t part, const branching_score& score,
                                      item_score& into) const {
  if (row.is_instruction()) {
    const auto& tokens = score.branches.front();
    into.output = {index_t(tokens.size()), detail::sum_of(tokens)};
    return;
  }
  const double answer = detail::best_answer(row, score.branches);
  if (part == 0 && asked_of(row).loglik) {
    loglik_score& to = into.loglik.emplace();
    for (std::size_t c = 0; c < score.branches.size(); ++c) {
      const auto& tokens = score.branches[c];
      choice_score& choice = to.choices.emplace_back();
      for (const token_score& t : tokens) choice.log_probabilities.push_back(t.log_probability);
      choice.sum = detail::sum_of(tokens);
      choice.mean = choice.sum / double(tokens.size());
      choice.per_byte =
          choice.sum / double(texts::render_choice(row, int(c), wording(data::answer_style::text)).size());
      choice.greedy = detail::all_greedy(tokens);
      to.exact |= choice.greedy && row.accepts(int(c));
    }
    const auto pick = [&](double choice_score::*by) {
      return detail::first_largest(to.choices.size(), [&](std::size_t c) { return to.choices[c].*by; });
    };
    to.pick_sum = pick(&choice_score::sum);
    to.pick_mean = pick(&choice_score::mean);
    to.pick_per_byte = pick(&choice_score::per_byte);
    to.answer_log_probability = answer;
    return;
  }
  letter_score& to = into.letter.emplace();
  to.logits = score.first_logits;
  to.pick =
      detail::first_largest(score.branches.size(), [&](std::size_t c) { return detail::sum_of(score.branches[c]); });
  to.greedy_token = score.greedy;
  to.greedy_text = encoder_.tokenizer().decode(std::vector<std::int32_t>{score.greedy});
  const std::string written = detail::bare_lower(to.greedy_text);
  for (std::size_t c = 0; c < score.branches.size() && to.greedy < 0; ++c)
    if (written == std::string(1, char('a' + c)) || detail::all_greedy(score.branches[c])) to.greedy = int(c);
  to.answer_log_probability = answer;
}

}  // namespace mor1e::eval
