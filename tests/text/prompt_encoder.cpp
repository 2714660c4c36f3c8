// Prompts and what follows them: against the joined text, for the tokenizers of the fixtures and for ones made by hand.
#include "mor1e/text/prompt_encoder.hpp"

#include <algorithm>
#include <filesystem>
#include <iostream>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/core/error.hpp"
#include "mor1e/core/rng.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/text/load_tokenizer.hpp"
#include "mor1e/text/prompt.hpp"
#include "mor1e/text/tokenizer_json.hpp"
#include "mor1e/text/utf8.hpp"
#include "mor1e/train/examples.hpp"
#include "text/parts.hpp"
#include "text/sentencepiece.hpp"

using namespace mor1e;
using testing::ids;
namespace fs = std::filesystem;

namespace {

/// The text that tokens stand for, byte for byte; what a tokenizer adds of its own shows, too.
std::string spelled(const texts::tokenizer& t, std::span<const texts::token_id> tokens) {
  std::string out;
  for (const auto id : tokens) {
    const std::string token(t.token(id));
    if (token.size() == 6 && token.starts_with("<0x"))
      out += char(std::stoi(token.substr(3, 2), nullptr, 16));
    else
      out += texts::bytes_of(token).value_or(texts::replaced(token, "\u2581", " "));
  }
  return out;
}

/// Some places between two characters, both ends included.
std::vector<std::size_t> seams_of(const std::string& string, std::uint64_t seed) {
  std::vector<std::size_t> places{0};
  for (std::size_t at = 0; at < string.size(); places.push_back(at)) texts::next_character(string, at);
  rng random(seed);
  std::vector<std::size_t> out{0, string.size()};
  for (int i = 0; i < 6; ++i)
    out.push_back(places[std::min(places.size() - 1, std::size_t(random.uniform() * double(places.size())))]);
  return out;
}

/// Every seam of every string, against the ids that the reference tokenizer gives the whole string. Returns how many
/// answers took a token of the prompt along.
int check_seams(const texts::tokenizer& t, const std::vector<std::string>& strings, const nlohmann::json& rows) {
  const texts::prompt_encoder encoder(t);
  const ids before(t.beginning().begin(), t.beginning().end());
  int compared = 0, merged = 0;
  for (std::size_t i = 0; i < strings.size(); ++i) {
    if (!texts::is_well_formed(strings[i])) continue;
    CAPTURE(i);
    ids whole = before;
    for (const auto& id : rows[i].at(rows[i].contains("raw") ? "raw" : "ids")) whole.push_back(id);
    for (const std::size_t seam : seams_of(strings[i], i)) {
      const std::string prompt = strings[i].substr(0, seam), answer = strings[i].substr(seam);
      CAPTURE(prompt);
      CAPTURE(answer);
      ids alone = before;
      for (const auto id : t.encode(prompt, false)) alone.push_back(id);
      CHECK(encoder.encode(prompt, "row") == alone);
      const auto kept = std::mismatch(whole.begin(), whole.end(), alone.begin(), alone.end()).first - whole.begin();
      if (kept == 0 || kept == std::ssize(whole)) {
        CHECK_THROWS_AS(encoder.encode(prompt, answer, "row"), value_error);
        continue;
      }
      const auto [first, second] = encoder.encode(prompt, answer, "row");
      ids both = first;
      both.insert(both.end(), second.begin(), second.end());
      CHECK(both == whole);
      CHECK(std::ssize(first) == kept);
      // Nothing of the answer is in the prompt.
      if (spelled(t, whole).ends_with(strings[i])) CHECK(spelled(t, second).ends_with(answer));
      ++compared;
      merged += kept < std::ssize(alone);
    }
  }
  CHECK(compared > 1000);
  return merged;
}

/// Pairs of characters of "helo12wor", a line feed and a space are joined as sentences want them to be.
texts::tokenizer_parts merging_parts() {
  texts::vocabulary tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.add(texts::byte_characters(std::string(1, char(byte))), byte);
  const std::string line = texts::byte_characters("\n"), space = texts::byte_characters(" ");
  const testing::merge_list merges{{line, line},  {"h", "e"}, {"l", "l"},  {"ll", "o"},
                                   {"he", "llo"}, {"1", "2"}, {space, "h"}};
  int next = 256;
  for (const auto& [a, b] : merges) tokens.add(a + b, next++);  // 256: two lines ... 260: hello, 261: 12, 262: " h"
  texts::tokenizer_parts parts;
  parts.model = std::make_unique<texts::bpe>(std::move(tokens), merges);
  parts.pre_tokenize = texts::byte_level_pre_tokenizer(false, true);
  parts.decode = texts::byte_level_decoder();
  parts.added = texts::added_tokens({{.content = "<end>", .id = 300, .special = true}}, nullptr);
  parts.eos = 300;
  return parts;
}

void check_parts(const texts::prompt_encoder& encoder, const std::string& prompt, const std::string& answer,
                 const ids& first, const ids& second) {
  CAPTURE(prompt);
  CAPTURE(answer);
  const auto found = encoder.encode(prompt, answer, "row");
  CHECK(found.prompt == first);
  CHECK(found.answer == second);
}

}  // namespace

TEST_CASE("prompt and answer are the tokens of the joined text, for every tokenizer of the fixtures") {
  int ran = 0, byte_level_merged = 0;
  for (const auto& entry : fs::directory_iterator(testing::golden_folder() / "tokenizers")) {
    if (!entry.is_directory()) continue;
    const auto folder = entry.path();
    CAPTURE(folder.filename().string());
    const auto strings = io::read_json(folder.parent_path() / "strings.json").get<std::vector<std::string>>();
    const int merged = check_seams(texts::load_tokenizer(folder), strings, io::read_json(folder / "encodings.json"));
    std::cout << folder.filename().string() << ": " << merged << " answers begin before the seam\n";
    if (folder.filename().string().starts_with("byte_")) byte_level_merged += merged;
    ++ran;
  }
  REQUIRE(ran > 4);
  CHECK(byte_level_merged > 100);
}

TEST_CASE("a token that merges over the seam is the answer's") {
  const texts::prompt_encoder encoder((texts::tokenizer(merging_parts())));
  check_parts(encoder, "a\n", "\n\nb", {'a'}, {256, '\n', 'b'});
  check_parts(encoder, "a\n", "b", {'a', '\n'}, {'b'});
  check_parts(encoder, "a:he", "llo", {'a', ':'}, {260});
  check_parts(encoder, "a:he", "l", {'a', ':', 257}, {'l'});  // the prompt's tokens are a prefix: they stay
  check_parts(encoder, "a:hel", "lo", {'a', ':'}, {260});     // two tokens of the prompt are replaced
  check_parts(encoder, "=1", "2", {'='}, {261});
  check_parts(encoder, "=1", "3", {'=', '1'}, {'3'});
  check_parts(encoder, "=1", "1", {'=', '1'}, {'1'});  // the same again steals nothing
  check_parts(encoder, "a: ", "hm", {'a', ':'}, {262, 'm'});
  CHECK_THROWS_WITH_AS(encoder.encode("he", "llo", "r7"), "r7: the prompt has no token before the answer", value_error);
  CHECK_THROWS_WITH_AS(encoder.encode("", "a", "r7"), "r7: the prompt has no token before the answer", value_error);
  CHECK_THROWS_WITH_AS(encoder.encode("a", "", "r7"), "r7: the answer has no token", value_error);
}

TEST_CASE("what stands before a text begins the prompt, what stands behind one is left out") {
  auto parts = merging_parts();
  parts.post = {{7, 8}, {9}};
  const texts::prompt_encoder encoder((texts::tokenizer(std::move(parts))));
  CHECK(encoder.encode("a", "row") == ids{7, 8, 'a'});
  check_parts(encoder, "a", "b", {7, 8, 'a'}, {'b'});
  check_parts(encoder, "he", "llo", {7, 8}, {260});
  check_parts(encoder, "", "b", {7, 8}, {'b'});
  CHECK(encoder.encode("a", "b", "row", true).answer == ids{'b', 300});
  CHECK(encoder.encode("a", "", "row", true).answer == ids{300});  // a free answer may be empty
  // Cut at its left, the prompt begins as it did.
  ids prompt = encoder.encode("abc", "row");
  CHECK_FALSE(encoder.cut_left(prompt, 4));
  CHECK(prompt == ids{7, 8, 'a', 'b', 'c'});
  CHECK(encoder.cut_left(prompt, 2));
  CHECK(prompt == ids{7, 8, 'c'});
  const texts::prompt_encoder plain((texts::tokenizer(merging_parts())));
  ids one{'a', 'b'};
  CHECK_FALSE(plain.cut_left(one, 2));
  CHECK(plain.cut_left(one, 1));
  CHECK(one == ids{'b'});
}

TEST_CASE("sentencepiece: an answer has the space it was written with, and no other") {
  for (const char* style : {"prepend", "always", "first"}) {
    CAPTURE(style);
    const texts::tokenizer t(texts::parts_from_json(testing::sentencepiece_json(style), "t"));
    const texts::prompt_encoder encoder(t);
    const auto id = [&](const char* token) { return t.id_of(token).value(); };
    const auto answer = [&](const char* prompt, const char* text) {
      return encoder.encode(prompt, text, "row").answer;
    };
    CHECK(answer("Answer:", " y") == ids{id("\u2581y")});
    CHECK(answer("Answer:", " t") == ids{id("\u2581"), id("t")});
    CHECK(answer("Answer:\n", "y") == ids{id("y")});
    CHECK(answer("Answer: ", "y") == ids{id("\u2581y")});
    CHECK(encoder.encode("A", "row") == ids{id("<s>"), id("\u2581A")});
    CHECK(answer("", "y") == ids{id("\u2581y")});
  }
}

TEST_CASE("a token that the model lacks is refused with its owner, its text and the tokenizer") {
  auto parts = merging_parts();
  parts.origin = "m/tokenizer.json";
  const texts::prompt_encoder encoder(texts::tokenizer(std::move(parts)), 262);
  CHECK(encoder.encode("=12", "row") == ids{'=', 261});
  const char* why = "r7: token 262 ' h' of m/tokenizer.json is beyond the model's vocabulary of 262";
  CHECK_THROWS_WITH_AS(encoder.encode("a h", "r7"), why, value_error);
  CHECK_THROWS_WITH_AS(encoder.encode("a h", "b", "r7"), why, value_error);
  CHECK_THROWS_WITH_AS(encoder.encode("a ", "h", "r7"), why, value_error);
  CHECK_THROWS_WITH_AS(encoder.encode("a", "b", "r7", true),
                       "r7: token 300 '<end>' of m/tokenizer.json is beyond the model's vocabulary of 262",
                       value_error);
}

TEST_CASE("a chat of another model is refused: its markers would be read as letters") {
  data::example row;
  row.id = std::string("q1");
  const auto check = [&](const char* name, const texts::tokenizer& t) {
    texts::check_markers(texts::template_of(row, {.template_name = name, .style = {}}), t, row.id);
  };
  texts::tokenizer_parts parts = merging_parts();
  parts.added = texts::added_tokens({{.content = "<|im_start|>", .id = 300, .special = true}}, nullptr);
  parts.origin = "t.json";
  const texts::tokenizer half(std::move(parts));
  CHECK_THROWS_WITH_AS(check("chatml", half),
                       "q1: prompt template 'chatml' has '<|im_end|>', which is no token of t.json", value_error);
  parts = merging_parts();
  parts.added = texts::added_tokens(
      {{.content = "<|im_start|>", .id = 300, .special = true}, {.content = "<|im_end|>", .id = 301, .special = true}},
      nullptr);
  const texts::tokenizer whole(std::move(parts));
  for (const char* name : {"chatml", "inst", "phi", "bare"}) CHECK_NOTHROW(check(name, whole));
  row.template_name = std::string("zephyr");
  CHECK_THROWS_AS(check("", whole), value_error);
  data::task_data task{"t", {row}, {}};
  task.train[0].question = std::string("q"), task.train[0].choices = {"x"}, task.train[0].answers = {0};
  CHECK_THROWS_AS(train::encode({task}, {whole}, {}, 64, false), value_error);
}
