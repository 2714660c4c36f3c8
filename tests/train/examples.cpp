// Rows as token sequences: where the target begins, what is cut, what is refused.
#include "mor1e/train/examples.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/core/error.hpp"
#include "mor1e/text/tokenizer_json.hpp"
#include "text/sentencepiece.hpp"

using namespace mor1e;
using ids = std::vector<std::int32_t>;

namespace {

texts::tokenizer sentencepiece(const std::string& style, std::vector<texts::token_id> behind = {}) {
  auto parts = texts::parts_from_json(testing::sentencepiece_json(style), "t");
  parts.post.behind = std::move(behind);
  parts.eos = 2;
  parts.origin = "m/tokenizer.json";
  return texts::tokenizer(std::move(parts));
}

data::example question() {
  data::example row;
  row.id = std::string("r0");
  row.question = std::string("y?");
  row.choices = {"y", "t"};
  row.answers = {0};
  row.style = data::answer_style::text;
  return row;
}

train::training_set encode(const data::example& row, const texts::prompt_encoder& encoder,
                           const char* wording = "plain", index_t max_length = 100, bool truncate = false) {
  return train::encode({{"a", {row}, {}}}, encoder, {wording, {}}, max_length, truncate);
}

}  // namespace

TEST_CASE("prompt and target are the tokens of one text, the target those of the answer") {
  for (const char* style : {"prepend", "always", "first"})
    for (const char* wording : {"plain", "release"}) {
      CAPTURE(style);
      CAPTURE(wording);
      const texts::tokenizer t = sentencepiece(style);
      const bool plain = wording == std::string("plain");
      const auto found = encode(question(), t, wording).examples[0];
      CHECK(found.ids == t.encode(plain ? "Question: y?\nAnswer: y" : "y?\nAnswer:\ny"));
      CHECK(found.first_target == std::ssize(found.ids) - 1);
      CHECK(t.token(found.ids.back()) == (plain ? "\u2581y" : "y"));
      CHECK(found.ids.front() == 1);
    }
}

TEST_CASE("a token that merges over the seam is a target") {
  data::example row = question();
  row.choices[0] = std::string(" t");  // "Answer:" + "  t": two spaces are one token
  const texts::tokenizer t = sentencepiece("first");
  const auto found = encode(row, t).examples[0];
  CHECK(found.ids == t.encode("Question: y?\nAnswer:  t"));
  CHECK(t.token(found.ids[std::size_t(found.first_target)]) == "\u2581\u2581");
  // An instruction whose input ends in a space loses that space to the output.
  row.choices.clear(), row.answers.clear();
  row.question = std::string("t:"), row.output = std::string("t");
  const auto said = encode(row, t).examples[0];
  CHECK(t.token(said.ids[std::size_t(said.first_target)]) == "t");
}

TEST_CASE("the end token stands behind free answers, and nowhere else") {
  const texts::tokenizer t = sentencepiece("always", {2});
  REQUIRE(t.encode("y").back() == 2);
  const auto chosen = encode(question(), t).examples[0].ids;
  CHECK(std::count(chosen.begin(), chosen.end(), 2) == 0);
  data::example row = question();
  row.choices.clear(), row.answers.clear();
  row.output = std::string("t");
  const auto said = encode(row, t).examples[0];
  ids expected = t.encode("y?\nt");
  CHECK(said.ids == expected);
  CHECK(said.first_target == std::ssize(said.ids) - 2);
}

TEST_CASE("a prompt that is cut at its left still begins as one") {
  const texts::tokenizer t = sentencepiece("always");
  const ids whole = t.encode("Question: y?\nAnswer: y");
  const index_t length = std::ssize(whole);
  CHECK_THROWS_WITH_AS(encode(question(), t, "plain", length - 5), doctest::Contains("at most"), value_error);
  const auto cut = encode(question(), t, "plain", length - 5, true).examples[0];
  ids expected{1};
  expected.insert(expected.end(), whole.begin() + 6, whole.end());
  CHECK(cut.ids == expected);
  CHECK(cut.first_target == length - 6);
  CHECK(encode(question(), t, "plain", 2, true).examples[0].ids == ids{1, whole.back()});
  CHECK_THROWS_WITH_AS(encode(question(), t, "plain", 1, true), "r0: the target alone has 1 tokens, at most 1 fit",
                       value_error);
}

TEST_CASE("a row with a token that the model lacks, or with an empty part, is refused by its id") {
  const texts::tokenizer t = sentencepiece("always");
  const auto space_y = t.id_of("\u2581y").value();
  CHECK_THROWS_WITH_AS(
      encode(question(), {t, space_y}),
      text("r0: token ", space_y, " 'y' of m/tokenizer.json is beyond the model's vocabulary of ", space_y).c_str(),
      value_error);
  CHECK(encode(question(), {t, space_y + 1}).tokens > 0);
  data::example row = question();
  row.choices[0].clear();
  CHECK_THROWS_WITH_AS(encode(row, t, "release"), "r0: the answer has no token", value_error);
}
