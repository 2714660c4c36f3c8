// The parts of tokenizers, one by one.
#include <doctest/doctest.h>

#include "mor1e/core/error.hpp"
#include "mor1e/text/normalizer.hpp"
#include "mor1e/text/utf8.hpp"
#include "mor1e/text/word_piece.hpp"
#include "text/parts.hpp"

using namespace mor1e;
using words = std::vector<std::string>;

namespace {

words cut(const texts::pre_tokenizer& pre_tokenize, const std::string& text) {
  std::vector<texts::piece> pieces = {{text, true}};
  pre_tokenize(pieces);
  words out;
  for (const auto& p : pieces) out.push_back(p.text);
  return out;
}

words matches(std::string_view pattern, const std::string& text) {
  words out;
  for (const auto& range : texts::regex(pattern).matches(text))
    out.push_back(text.substr(range.begin, range.end - range.begin));
  return out;
}

/// The text cut at added tokens: these as <id>, the rest as it is.
words found(const std::vector<texts::added_token>& tokens, std::string_view text) {
  const texts::added_tokens added(tokens, nullptr);
  words out;
  for (const auto& [where, id] : added.raw().cut(text)) {
    const std::string part(text.substr(where.begin, where.end - where.begin));
    out.push_back(id ? mor1e::text("<", *id, ":", part, ">") : part);
  }
  return out;
}

}  // namespace

TEST_CASE("ill-formed UTF-8 is repaired one maximal subpart at a time") {
  CHECK(texts::repaired("a\xFF"
                        "b") == "a\uFFFDb");
  CHECK(texts::repaired("\xE4\xBD") == "\uFFFD");  // the start of a character
  CHECK(texts::repaired("\xE4\xBD"
                        "a") == "\uFFFDa");
  CHECK(texts::repaired("\xC0\xAF") == "\uFFFD\uFFFD");  // overlong
  CHECK(texts::repaired("\xE0\x80\x80") == "\uFFFD\uFFFD\uFFFD");
  CHECK(texts::repaired("\xED\xA0\x80") == "\uFFFD\uFFFD\uFFFD");            // a surrogate
  CHECK(texts::repaired("\xF4\x90\x80\x80") == "\uFFFD\uFFFD\uFFFD\uFFFD");  // above U+10FFFF
  CHECK(texts::repaired("\u00E9\u4F60\U0001F600") == "\u00E9\u4F60\U0001F600");
  CHECK(texts::is_well_formed("\u00E9\U0010FFFF"));
  CHECK_FALSE(texts::is_well_formed("\xF0\x9F\x98"));
}

TEST_CASE("a tokenizer takes any bytes") {
  const auto t = testing::byte_tokenizer();
  CHECK(t.encode("a\xFF") == testing::ids{'a', 0xEF, 0xBF, 0xBD});
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  CHECK(t.decode(t.encode(all)) == texts::repaired(all));
  CHECK(t.decode(testing::ids{-1, 'a', 100000}) == "a");
  CHECK_THROWS_AS(t.token(100000), value_error);
  CHECK_THROWS_AS(t.token(-1), value_error);
}

TEST_CASE("the byte alphabet is one character for each byte and back") {
  CHECK(texts::byte_characters(" a\n\xC3") == "\u0120a\u010A\u00C3");
  CHECK(texts::byte_characters("\xAD") == "\u0143");  // the last one that is not itself
  CHECK(texts::bytes_of("\u0120a\u0143") == std::optional<std::string>(" a\xAD"));
  CHECK_FALSE(texts::bytes_of(" ").has_value());
  CHECK_FALSE(texts::bytes_of("\u4F60").has_value());
}

TEST_CASE("regular expressions of tokenizer files") {
  CHECK(matches(R"(\s+(?!\S)|\s+|\S+)", "a   b") == words{"a", "  ", " ", "b"});
  CHECK(matches(R"([^(\s|[.,!?])]+)", "ab.c d|e(f)") == words{"ab", "c", "d", "e", "f"});  // a class in a class
  CHECK(matches(R"([a\]b]+)", "a]b[") == words{"a]b"});
  CHECK(matches(R"(\w+)", "\u0939\u093F\u0928 x") == words{"\u0939\u093F\u0928", "x"});  // with its vowel sign
  CHECK(matches(R"(\s)", "a\u180Eb\u3000").size() == 1);
  CHECK(matches("x*", "axxb") == words{"xx"});
  CHECK(matches("^b$", "a\nb\nc") == words{"b"});
  CHECK(matches("(?i:A)", "aA") == words{"a", "A"});
  CHECK_THROWS_AS(texts::regex("(a"), value_error);
  CHECK_THROWS_AS(texts::regex("[a&&b]"), value_error);
  CHECK_THROWS_AS(texts::regex("[a[^b]]"), value_error);
  CHECK_THROWS_AS(texts::regex("[\\Wa]"), value_error);
}

TEST_CASE("what becomes of delimiters") {
  using texts::delimiter;
  const auto with = [](delimiter behaviour, bool inverted = false) {
    return cut(texts::split_pre_tokenizer(texts::finds(std::string("-")), behaviour, inverted), "-a--b");
  };
  CHECK(with(delimiter::removed) == words{"a", "b"});
  CHECK(with(delimiter::isolated) == words{"-", "a", "-", "-", "b"});
  CHECK(with(delimiter::merged_with_previous) == words{"-", "a-", "-", "b"});
  CHECK(with(delimiter::merged_with_next) == words{"-a", "-", "-b"});
  CHECK(with(delimiter::contiguous) == words{"-", "a", "--", "b"});
  CHECK(with(delimiter::removed, true) == words{"-", "-", "-"});
}

TEST_CASE("pre-tokenizers") {
  CHECK(cut(texts::digits_pre_tokenizer(true), "a12 \u00BD") == words{"a", "1", "2", " ", "\u00BD"});
  CHECK(cut(texts::digits_pre_tokenizer(false), "a12 3") == words{"a", "12", " ", "3"});
  CHECK(cut(texts::bert_pre_tokenizer(), "Hi, you\u3000x$") == words{"Hi", ",", "you", "x", "$"});
  CHECK(cut(texts::byte_level_pre_tokenizer(true, true), "a b's") == words{"\u0120a", "\u0120b", "'s"});
  CHECK(cut(texts::byte_level_pre_tokenizer(false, false), "a b") == words{"a\u0120b"});
  using texts::prepend_scheme;
  CHECK(cut(texts::metaspace_pre_tokenizer("_", prepend_scheme::first, true), "a b") == words{"_a", "_b"});
  CHECK(cut(texts::metaspace_pre_tokenizer("_", prepend_scheme::always, false), " a") == words{"_a"});
  CHECK(cut(texts::metaspace_pre_tokenizer("_", prepend_scheme::never, false), "a b") == words{"a_b"});
  std::vector<texts::piece> later = {{"a", false}};
  texts::metaspace_pre_tokenizer("_", prepend_scheme::first, false)(later);
  CHECK(later.front().text == "a");
}

TEST_CASE("normalizers") {
  using texts::normal_form;
  CHECK(texts::bert_normalizer({})("\u00C9t\u00E9\x01 \u4F60\t\u0130") == "ete  \u4F60  i");
  CHECK(texts::bert_normalizer({.strip_accents = false})("\u00C9\u0130") == "\u00E9i\u0307");
  CHECK(texts::bert_normalizer({.lower_case = false})("\u00C9") == "E");
  CHECK(texts::unicode_normalizer(normal_form::nfc)("e\u0301") == "\u00E9");
  CHECK(texts::unicode_normalizer(normal_form::nfd)("\u00E9") == "e\u0301");
  CHECK(texts::unicode_normalizer(normal_form::nfkc)("\uFB01\uFF11") == "fi1");
  CHECK(texts::unicode_normalizer(normal_form::nfc)(std::string("a\0b", 3)) == std::string("a\0b", 3));
  CHECK(texts::strip_normalizer(true, true)(" \u3000a b\n") == "a b");
  CHECK(texts::strip_normalizer(false, true)(" a ") == " a");
  CHECK(texts::strip_normalizer(true, false)("  ") == "");
  CHECK(texts::prepend_normalizer("_")("") == "");
  CHECK(texts::prepend_normalizer("_")("a") == "_a");
  CHECK(texts::replace_normalizer("aa", "b")("aaa") == "ba");
  CHECK(texts::replace_normalizer(texts::regex(" +"), "_")("a   b ") == "a_b_");
  CHECK(texts::strip_accents_normalizer()("e\u0301\u00E9") == "e\u00E9");
}

TEST_CASE("WordPiece takes the longest piece, and a word as a whole or not at all") {
  //                                0        1     2      3       4      5
  texts::vocabulary tokens({"[UNK]", "un", "##aff", "##able", "##a", "una"});
  const texts::word_piece m(std::move(tokens), {.longest_word = 12});
  CHECK(testing::encoded(m, "unaffable") == testing::ids{0});  // una + ff...: no way back to un + aff
  CHECK(testing::encoded(m, "unable") == testing::ids{0});
  CHECK(testing::encoded(m, "una") == testing::ids{5});
  CHECK(testing::encoded(m, "unaa") == testing::ids{5, 4});
  CHECK(testing::encoded(m, "unaable") == testing::ids{5, 3});
  CHECK(testing::encoded(m, "unaaaaaaaaaa").size() == 10);
  CHECK(testing::encoded(m, "unaaaaaaaaaaa") == testing::ids{0});  // 13 characters
  CHECK_THROWS_AS(texts::word_piece(texts::vocabulary({"a"}), {}), value_error);
}

TEST_CASE("added tokens: the longest from the left, with their conditions") {
  CHECK(found({{.content = "<a>", .id = 1}, {.content = "<a>b", .id = 2}}, "x<a><a>b<a") ==
        words{"x", "<1:<a>>", "<2:<a>b>", "<a"});
  CHECK(found({{.content = "ab", .id = 1, .single_word = true}}, "ab xab ab. \u00E9ab") ==
        words{"<1:ab>", " xab ", "<1:ab>", ". \u00E9ab"});
  CHECK(found({{.content = "|", .id = 1, .left_strip = true}}, "a \u3000| b") == words{"a", "<1: \u3000|>", " b"});
  CHECK(found({{.content = "|", .id = 1, .right_strip = true}}, "a |\u3000 b") == words{"a ", "<1:|\u3000 >", "b"});
  CHECK(found({{.content = "|", .id = 1, .left_strip = true, .right_strip = true}}, "| | ") ==
        words{"<1:| >", "<1:| >"});
  CHECK_THROWS_AS(found({{.content = "", .id = 1}}, "a"), value_error);
}

TEST_CASE("decoders") {
  CHECK(texts::word_piece_decoder("##", true)({"##a", "b", "##c", "!", "n't"}) == words{"##a", " b", "c", "!", "n't"});
  CHECK(texts::word_piece_decoder("##", false)({"a", "!"}) == words{"a", " !"});
  CHECK(texts::byte_fallback_decoder()({"<0xC3>", "<0xa9>", "x", "<0xC3>", "<0xGG>"}) ==
        words{"\u00E9", "x", "\uFFFD", "<0xGG>"});
  CHECK(texts::strip_decoder(" ", 1, 2)({"  a   ", " "}) == words{" a ", ""});
  CHECK(texts::metaspace_decoder("_", true)({"_a", "_b"}) == words{"a", " b"});
  CHECK(texts::metaspace_decoder("_", false)({"_a", "_b"}) == words{" a", " b"});
  CHECK(texts::byte_level_decoder()({"\u0120a", "  ", "\u00C3"}) == words{" a  \uFFFD"});
}
