// Encodings and decodings of awkward strings, compared with those of the reference tokenizers.
#include "mor1e/testing/golden.hpp"

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/io/text_file.hpp"
#include "mor1e/text/load_tokenizer.hpp"
#include "mor1e/text/stream_decoder.hpp"
#include "mor1e/text/utf8.hpp"

namespace {

namespace fs = std::filesystem;
using namespace mor1e;
using ids_t = std::vector<texts::token_id>;

struct fixture {
  std::vector<std::string> strings;
  nlohmann::json rows;

  explicit fixture(const fs::path& folder)
      : strings(io::read_json(folder.parent_path() / "strings.json").get<std::vector<std::string>>()),
        rows(io::read_json(folder / "encodings.json")) {
    REQUIRE(rows.size() == strings.size());
    REQUIRE(strings.size() > 100);
  }
};

void compare(const texts::tokenizer& t, const fs::path& folder) {
  const fixture expected(folder);
  // A row without `truncated_256` says that the limit changes nothing, if other rows have it.
  const bool limited = std::any_of(expected.rows.begin(), expected.rows.end(),
                                   [](const nlohmann::json& row) { return row.contains("truncated_256"); });
  for (std::size_t i = 0; i < expected.strings.size(); ++i) {
    CAPTURE(folder.filename().string());
    CAPTURE(i);
    const std::string& string = expected.strings[i];
    CAPTURE(string);
    const nlohmann::json& row = expected.rows[i];
    const auto ids = row.at("ids").get<ids_t>();
    CHECK(t.encode(string) == ids);
    CHECK(t.encode(string, false) == (row.contains("raw") ? row["raw"].get<ids_t>() : ids));
    CHECK(t.decode(ids) == row.at("decoded").get<std::string>());
    CHECK(t.decode(ids, true) == row.at("decoded_skip").get<std::string>());
    if (limited)
      CHECK(t.encode(string, true, 256) == (row.contains("truncated_256") ? row["truncated_256"].get<ids_t>() : ids));
  }
}

/// Joined pieces equal the whole, and no piece splits a character.
void compare_streaming(const texts::tokenizer& t, const fs::path& folder) {
  const fixture expected(folder);
  for (std::size_t i = 0; i < expected.strings.size(); ++i) {
    CAPTURE(folder.filename().string());
    CAPTURE(i);
    const auto ids = expected.rows[i].at("ids").get<ids_t>();
    const std::string whole = t.decode(ids, true);
    texts::stream_decoder stream(t);
    std::string joined;
    for (const auto id : ids) {
      const std::string part = stream.push(id);
      CHECK(texts::is_well_formed(part));
      joined += part;
    }
    CHECK(joined + stream.finish() == whole);
  }
}

}  // namespace

TEST_CASE("every tokenizer of the golden fixtures encodes and decodes as the reference") {
  int ran = 0;
  for (const auto& entry : fs::directory_iterator(testing::golden_folder() / "tokenizers")) {
    if (!entry.is_directory()) continue;
    std::optional<texts::tokenizer> t;
    try {
      t = texts::load_tokenizer(entry.path());
    } catch (const io_error& e) {
      // Only a refusal is a reason to go on; a malformed file is a failure.
      REQUIRE(std::string_view(e.what()).find("not supported") != std::string_view::npos);
      std::cout << "unsupported: " << entry.path().filename().string() << ": " << e.what() << '\n';
      continue;
    }
    compare(*t, entry.path());
    compare_streaming(*t, entry.path());
    ++ran;
  }
  REQUIRE(ran > 0);
  std::cout << ran << " tokenizers compared\n";
}

TEST_CASE("vocab.txt alone gives the tokenizer of the tokenizer.json beside it") {
  int ran = 0;
  for (const auto& entry : fs::directory_iterator(testing::golden_folder() / "tokenizers")) {
    if (!fs::exists(entry.path() / "vocab.txt")) continue;
    compare(texts::load_tokenizer(entry.path() / "vocab.txt"), entry.path());
    ++ran;
  }
  REQUIRE(ran > 0);
}

TEST_CASE("the vocabulary of a GGUF file gives the tokenizer it was made from") {
  const char* path = std::getenv("MOR1E_SMOLLM2");
  if (!path || !*path) {
    std::cout << "skipped: MOR1E_SMOLLM2 names no .gguf file\n";
    return;
  }
  const auto t = texts::load_tokenizer(path);
  CHECK(t.vocabulary_size() == 49152);
  CHECK(t.token(t.eos().value()) == "<|im_end|>");
  compare(t, testing::golden_folder() / "tokenizers" / "smollm2");
}
