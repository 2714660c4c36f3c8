// Choices that do not begin where the prompt's tokens end: each against the joined text in a sequence of its own.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/eval/scoring.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/text/bpe.hpp"
#include "mor1e/text/byte_alphabet.hpp"
#include "mor1e/text/prompt_encoder.hpp"

using namespace mor1e;
using ids = std::vector<std::int32_t>;

namespace {

/// Bytes up to '~', and merges that take the end of a prompt along; fewer tokens than the toy model has.
texts::tokenizer merging_tokenizer() {
  texts::vocabulary tokens;
  for (int byte = 0; byte < 127; ++byte) tokens.add(texts::byte_characters(std::string(1, char(byte))), byte);
  const std::string line = texts::byte_characters("\n");
  const std::vector<std::pair<std::string, std::string>> merges{
      {line, "B"}, {line, "x"}, {"r", ":"}, {"r:", line + "x"}};
  int next = 127;
  for (const auto& [a, b] : merges) tokens.add(a + b, next++);
  texts::tokenizer_parts parts;
  parts.model = std::make_unique<texts::bpe>(std::move(tokens), merges);
  parts.pre_tokenize = texts::byte_level_pre_tokenizer(false, false);
  parts.decode = texts::byte_level_decoder();
  parts.added = texts::added_tokens({{.content = "<begin>", .id = 200, .special = true}}, nullptr);
  parts.post.before = {200};
  parts.eos = 200;
  return texts::tokenizer(std::move(parts));
}

data::example item(std::vector<std::string> choices) {
  data::example row;
  row.id = std::string("r0"), row.task = std::string("t"), row.question = std::string("Which?");
  row.choices = std::move(choices);
  row.answers = {0};
  return row;
}

struct toy {
  cpu device{2};
  std::unique_ptr<models::language_model<cpu, float>> model = models::load<cpu, float>(device, "toy");
  texts::tokenizer tokenizer = merging_tokenizer();

  eval::item_score score(const data::example& row, eval::scoring how, bool truncate = false) {
    const eval::scoring_options options{.how = how, .template_name = "release", .truncate = truncate};
    return eval::scorer<cpu, float>(device, *model, tokenizer, options).score({&row, 1}).front();
  }
  /// Logits of what follows the first `count` tokens.
  std::vector<double> logits(const ids& tokens, std::size_t count) {
    models::padded_batch batch;
    batch.input_ids = tensor<std::int32_t>(shape{1, index_t(count)});
    std::copy_n(tokens.begin(), count, batch.input_ids.begin());
    batch.lengths = {index_t(count)};
    const auto all = models::outputs_of(device, *model, batch).logits;
    const float* z = all.data() + index_t(count - 1) * model->vocabulary();
    return {z, z + model->vocabulary()};
  }
  double log_probability(const ids& tokens, std::size_t first) {
    double sum = 0;
    for (std::size_t i = first; i < tokens.size(); ++i) {
      const auto z = logits(tokens, i);
      double norm = 0;
      for (const double v : z) norm += std::exp(v);
      sum += z[std::size_t(tokens[i])] - std::log(norm);
    }
    return sum;
  }
};

}  // namespace

TEST_CASE("each choice is scored from its own seam, whatever stands beside it") {
  toy t;
  const std::string prompt = "Which?\nAnswer:\n";
  const std::vector<std::string> choices{"B", "yes", "xy", "B no"};
  const std::vector<index_t> shorter{1, 0, 2, 1};  // tokens of the prompt that the choice's first token replaces
  const index_t length = std::ssize(t.tokenizer.encode(prompt));
  const auto together = t.score(item(choices), eval::scoring::loglik).loglik.value();
  for (std::size_t c = 0; c < choices.size(); ++c) {
    CAPTURE(choices[c]);
    const ids joined = t.tokenizer.encode(prompt + choices[c]);
    const auto first = std::size_t(length - shorter[c]);
    const double expected = t.log_probability(joined, first);
    const auto& found = together.choices[c];
    CHECK(found.log_probabilities.size() == joined.size() - first);
    CHECK(found.sum == doctest::Approx(expected).epsilon(1e-5));
    CHECK(found.mean == doctest::Approx(expected / double(joined.size() - first)).epsilon(1e-5));
    CHECK(found.per_byte == doctest::Approx(expected / double(choices[c].size())).epsilon(1e-5));
    const auto alone = t.score(item({choices[c]}), eval::scoring::loglik).loglik.value().choices[0];
    CHECK(found.sum == doctest::Approx(alone.sum).epsilon(1e-6));
  }
}

TEST_CASE("letters: read at the end of the prompt, one that merges at its own seam") {
  toy t;
  const data::example row = item({"yes", "no", "perhaps"});
  const ids prompt = t.tokenizer.encode("Which?\nA. yes\nB. no\nC. perhaps\nAnswer:\n");
  const auto found = t.score(row, eval::scoring::letter).letter.value();
  const auto at_end = t.logits(prompt, prompt.size()), before = t.logits(prompt, prompt.size() - 1);
  REQUIRE(t.tokenizer.token(127) == texts::byte_characters("\n") + "B");
  const std::vector<double> expected{at_end['A'], before[127], at_end['C']};
  for (std::size_t c = 0; c < 3; ++c) CHECK(found.logits[c] == doctest::Approx(expected[c]).epsilon(1e-5));
  CHECK(found.greedy_token == std::max_element(at_end.begin(), at_end.end()) - at_end.begin());
}

TEST_CASE("a sequence beyond the context is refused, or its prompt cut behind the beginning token") {
  toy t;
  const auto context = std::size_t(t.model->context());
  data::example row = item({"B", "xyz"});
  row.question = std::string(context, 'q') + "Which?";
  CHECK_THROWS_WITH_AS(t.score(row, eval::scoring::loglik), doctest::Contains("r0 has a sequence of "), value_error);
  const auto cut = t.score(row, eval::scoring::loglik, true).loglik.value();
  const eval::item_encoder encoder({t.tokenizer, t.model->vocabulary()},
                                   {.how = eval::scoring::loglik, .template_name = "release", .truncate = true},
                                   t.model->context());
  const eval::branching asked = encoder.encode(row, 0).front();
  CHECK(asked.length() == index_t(context));
  CHECK(asked.prompt[0] == 200);
  CHECK(asked.prompt[1] == 'q');
  for (std::size_t c = 0; c < 2; ++c) {
    ids joined(asked.prompt.begin(), asked.prompt.begin() + std::ptrdiff_t(asked.seam(c)));
    joined.insert(joined.end(), asked.branches[c].begin(), asked.branches[c].end());
    const ids text(joined.begin() + 1, joined.end());
    CHECK((row.question + "\nAnswer:\n" + row.choices[c]).ends_with(t.tokenizer.decode(text)));
    CHECK(cut.choices[c].sum == doctest::Approx(t.log_probability(joined, asked.seam(c))).epsilon(1e-5));
  }
  row.choices = {std::string(context + 5, 'x')};
  CHECK_THROWS_WITH_AS(t.score(row, eval::scoring::loglik, true),
                       doctest::Contains("an answer that leaves no room for a prompt"), value_error);
  // What fits is not touched.
  const data::example small = item({"B", "xyz"});
  CHECK(t.score(small, eval::scoring::loglik, true).loglik->choices[1].sum ==
        t.score(small, eval::scoring::loglik).loglik->choices[1].sum);
}

TEST_CASE("a token that the model lacks is refused with the item's id; seams outside the prompt too") {
  toy t;
  const eval::item_encoder encoder({t.tokenizer, 127}, {.template_name = "release"});
  CHECK_THROWS_WITH_AS(encoder.encode(item({"yes", "xyz"}), 0),
                       doctest::Contains("r0: token 200 '<begin>' of the tokenizer is beyond the model's vocabulary"),
                       value_error);
  eval::branch_scorer<cpu, float> scorer(t.device, *t.model);
  const auto refuse = [&](const eval::branching& b, const char* why) {
    CHECK_THROWS_WITH_AS(scorer.score({&b, 1}, {}, [](std::size_t, eval::branching_score&&) {}), doctest::Contains(why),
                         value_error);
  };
  refuse({"r1", {1, 2}, {{3}}, 0, {3}}, "r1: branch 0 follows 3 tokens of a prompt of 2");
  refuse({"r1", {1, 2}, {{3}}, 0, {0}}, "r1: branch 0 follows 0 tokens of a prompt of 2");
  refuse({"r1", {1, 2}, {{3}}, 0, {1, 2}}, "r1 has 2 seams for 1 branches");
}
