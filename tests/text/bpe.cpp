// Byte-pair encoding on vocabularies made by hand.
#include "mor1e/text/bpe.hpp"

#include <chrono>
#include <thread>

#include <doctest/doctest.h>

#include "mor1e/core/error.hpp"
#include "text/parts.hpp"

using namespace mor1e;
using testing::encoded;
using testing::ids;

namespace {
//                                             0    1    2    3     4     5      6
const std::vector<std::string> abc_tokens = {"a", "b", "c", "ab", "bc", "abc", "aa"};

texts::bpe model(const testing::merge_list& merges, texts::bpe_options options = {}) {
  return texts::bpe(texts::vocabulary(abc_tokens), merges, options);
}
}  // namespace

TEST_CASE("the merge that stands first in the list wins, wherever its pair stands") {
  CHECK(encoded(model({{"a", "b"}, {"b", "c"}}), "abc") == ids{3, 2});
  CHECK(encoded(model({{"b", "c"}, {"a", "b"}}), "abc") == ids{0, 4});
  CHECK(encoded(model({{"b", "c"}, {"a", "b"}}), "abcab") == ids{0, 4, 3});
}

TEST_CASE("results of merges are merged further") {
  CHECK(encoded(model({{"a", "b"}, {"ab", "c"}}), "abc") == ids{5});
  CHECK(encoded(model({{"b", "c"}, {"a", "bc"}}), "aabc") == ids{0, 5});
  // No merge makes "abc" out of what the first one leaves.
  CHECK(encoded(model({{"a", "b"}, {"a", "bc"}}), "abc") == ids{3, 2});
}

TEST_CASE("of a merge that stands twice the last place counts, as the tokenizers library reads a file") {
  CHECK(encoded(model({{"a", "b"}, {"b", "c"}, {"a", "b"}}), "abc") == ids{0, 4});
  CHECK(encoded(model({{"b", "c"}, {"a", "b"}, {"b", "c"}}), "abc") == ids{3, 2});
  CHECK(encoded(model({{"a", "b"}, {"a", "b"}, {"b", "c"}}), "abc") == ids{3, 2});
  // A repeated pair takes no rank from those behind it.
  CHECK(encoded(model({{"a", "a"}, {"a", "a"}, {"a", "b"}, {"b", "c"}}), "abc") == ids{3, 2});
}

TEST_CASE("of equal pairs the leftmost is joined first") {
  const auto m = model({{"a", "a"}});
  CHECK(encoded(m, "aaa") == ids{6, 0});
  CHECK(encoded(m, "aaaaa") == ids{6, 6, 0});
  CHECK(encoded(m, "") == ids{});
}

TEST_CASE("a word seen before is encoded the same, from several threads too") {
  const auto m = model({{"a", "b"}, {"ab", "c"}});
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        const std::string word = std::string(static_cast<std::size_t>(i % 50), 'a') + "bc";
        ids expected(static_cast<std::size_t>(std::max(i % 50 - 1, 0)), 0);
        if (i % 50 == 0)
          expected = {1, 2};
        else
          expected.push_back(5);
        wrong[static_cast<std::size_t>(t)] += encoded(m, word) != expected;
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4, 0));
}

TEST_CASE("unknown characters: left out, one token each, or one for a run") {
  const testing::merge_list none;
  CHECK(encoded(model(none), "axya") == ids{0, 0});
  CHECK(encoded(model(none, {.unknown_token = "c"}), "axyaz") == ids{0, 2, 2, 0, 2});
  CHECK(encoded(model(none, {.unknown_token = "c", .fuse_unknown = true}), "axyaz") == ids{0, 2, 0, 2});
}

TEST_CASE("byte fallback spells a character if all its bytes are tokens") {
  texts::vocabulary tokens({"a", "<unk>", "<0xC3>", "<0xA9>", "<0xE4>"});
  const texts::bpe m(std::move(tokens), {}, {.unknown_token = "<unk>", .fuse_unknown = true, .byte_fallback = true});
  CHECK(encoded(m, "a\u00E9") == ids{0, 2, 3});
  CHECK(encoded(m, "a\u4F60\u597D") == ids{0, 1});  // only its first byte is a token
}

TEST_CASE("ignore_merges takes a word that is a token as it is") {
  CHECK(encoded(model({}, {.ignore_merges = true}), "abc") == ids{5});
  CHECK(encoded(model({}, {.ignore_merges = false}), "abc") == ids{0, 1, 2});
}

TEST_CASE("a merge without its parts or its result in the vocabulary is refused") {
  CHECK_THROWS_WITH_AS(model({{"a", "z"}}), doctest::Contains("'z'"), value_error);
  CHECK_THROWS_WITH_AS(model({{"c", "a"}}), doctest::Contains("'ca'"), value_error);
  CHECK_THROWS_WITH_AS(model({}, {.unknown_token = "?"}), doctest::Contains("'?'"), value_error);
}

TEST_CASE("a word of a million characters takes no quadratic time") {
  const auto m = model({{"a", "a"}});
  const auto begin = std::chrono::steady_clock::now();
  CHECK(encoded(m, std::string(1'000'000, 'a')).size() == 500'000);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(20));
}
