// Decoding ids one by one.
#include <doctest/doctest.h>

#include "mor1e/text/stream_decoder.hpp"
#include "text/parts.hpp"

using namespace mor1e;
using parts_t = std::vector<std::string>;

namespace {

parts_t streamed(const texts::tokenizer& t, const testing::ids& ids, bool skip_special = true) {
  texts::stream_decoder stream(t, skip_special);
  parts_t out;
  for (const auto id : ids) out.push_back(stream.push(id));
  out.push_back(stream.finish());
  return out;
}

texts::tokenizer sentence_piece_tokenizer() {
  texts::tokenizer_parts parts;
  texts::vocabulary tokens({"\u2581hi", "\u2581you", "\u2581", "<0xF0>", "<0x9F>", "<0x98>", "<0x80>"});
  parts.model = std::make_unique<texts::bpe>(std::move(tokens), testing::merge_list{});
  parts.added = texts::added_tokens({{.content = "<end>", .id = 7, .special = true}}, nullptr);
  parts.decode = texts::decoder_sequence({texts::replace_decoder("\u2581", " "), texts::byte_fallback_decoder(),
                                          texts::fuse_decoder(), texts::strip_decoder(" ", 1, 0)});
  return texts::tokenizer(std::move(parts));
}

}  // namespace

TEST_CASE("a character comes with its last byte") {
  const auto t = testing::byte_tokenizer();
  CHECK(streamed(t, {'a', 0xC3, 0xA9, 'b'}) == parts_t{"a", "", "\u00E9", "b", ""});
  CHECK(streamed(t, {0xF0, 0x9F, 0x98, 0x80, 0xE4, 0xBD, 0xA0}) ==
        parts_t{"", "", "", "\U0001F600", "", "", "\u4F60", ""});
}

TEST_CASE("an unfinished character at the end is a replacement character") {
  const auto t = testing::byte_tokenizer();
  CHECK(streamed(t, {'a', 0xE4, 0xBD}) == parts_t{"a", "", "", "\uFFFD"});
  CHECK(streamed(t, {0xE4, 'a'}) == parts_t{"", "\uFFFDa", ""});
}

TEST_CASE("endless bytes that form no character are given out all the same") {
  const auto t = testing::byte_tokenizer();
  testing::ids bad(40, 0xFF);
  bad.insert(bad.end(), {0xE4, 0xBD, 0xA0, 'x'});
  std::string joined;
  const parts_t parts = streamed(t, bad);
  for (std::size_t i = 0; i < 20; ++i) joined += parts[i];
  CHECK(joined.size() >= 3 * 15);
  for (std::size_t i = 20; i < parts.size(); ++i) joined += parts[i];
  CHECK(joined == t.decode(bad));
}

TEST_CASE("special tokens are left out on request and may stand between the bytes of a character") {
  const auto t = testing::byte_tokenizer();
  CHECK(streamed(t, {'a', 256, 'b'}) == parts_t{"a", "", "b", ""});
  CHECK(streamed(t, {'a', 256, 'b'}, false) == parts_t{"a", "<end>", "b", ""});
  CHECK(streamed(t, {0xC3, 256, 0xA9}) == parts_t{"", "", "\u00E9", ""});
}

TEST_CASE("the space that only the first token loses is not lost later") {
  const auto t = sentence_piece_tokenizer();
  CHECK(streamed(t, {0, 1, 1}) == parts_t{"hi", " you", " you", ""});
  CHECK(streamed(t, {2, 0, 2, 1}) == parts_t{"", " hi", " ", " you", ""});
}

TEST_CASE("characters spelled by byte tokens, one behind the other") {
  const auto t = sentence_piece_tokenizer();
  const std::string face = "\U0001F600";
  CHECK(streamed(t, {3, 4, 5, 6, 3, 4, 5, 6, 3, 4, 5, 6, 1}) ==
        parts_t{"", "", "", face, "", "", "", face, "", "", "", face, " you", ""});
}

TEST_CASE("special tokens do not wear out the patience for a character's last byte") {
  const auto t = sentence_piece_tokenizer();
  CHECK(streamed(t, {3, 4, 5, 7, 7, 7, 6}) == parts_t{"", "", "", "", "", "", "\U0001F600", ""});
}

TEST_CASE("a finished stream starts anew") {
  const auto t = sentence_piece_tokenizer();
  texts::stream_decoder stream(t);
  CHECK(stream.push(0) == "hi");
  CHECK(stream.finish() == "");
  CHECK(stream.push(1) == "you");
}
