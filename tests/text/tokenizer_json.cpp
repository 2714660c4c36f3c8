// tokenizer.json: what is read, and how what is malformed or not supported is refused.
#include "mor1e/text/tokenizer_json.hpp"

#include <fstream>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/core/error.hpp"
#include "mor1e/testing/temporary_folder.hpp"
#include "mor1e/text/load_tokenizer.hpp"
#include "text/parts.hpp"

using namespace mor1e;
using nlohmann::json;
using testing::ids;

namespace {

json small_file() {
  return json::parse(R"({
    "added_tokens": [{"id": 4, "content": "[CLS]", "special": true, "normalized": false},
                     {"id": 5, "content": "[SEP]", "special": true, "normalized": false},
                     {"id": 6, "content": "AB", "special": false, "normalized": true}],
    "normalizer": {"type": "Lowercase"},
    "pre_tokenizer": {"type": "WhitespaceSplit"},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
      "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [4]}, "[SEP]": {"id": "[SEP]", "ids": [5]}}},
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
    "model": {"type": "WordPiece", "unk_token": "?", "continuing_subword_prefix": "##",
              "vocab": {"?": 0, "a": 1, "##c": 2, "b": 3}}
  })");
}

texts::tokenizer read(const json& content) { return texts::tokenizer(texts::parts_from_json(content, "dir/t.json")); }

/// What reading says when the value at `where` is replaced.
std::string complaint(const std::string& where, const json& value) {
  json content = small_file();
  content[json::json_pointer(where)] = value;
  try {
    read(content);
  } catch (const io_error& e) {
    return e.what();
  }
  return "(accepted)";
}

bool mentions(const std::string& text, std::initializer_list<const char*> parts) {
  CAPTURE(text);
  bool all = true;
  for (const char* part : parts) all = all && text.find(part) != text.npos;
  CHECK(all);
  return all;
}

void write(const std::filesystem::path& path, const std::string& content) { std::ofstream(path) << content; }

}  // namespace

TEST_CASE("the parts of a file work together") {
  const auto t = read(small_file());
  CHECK(t.vocabulary_size() == 7);
  CHECK(t.encode("ac B") == ids{4, 1, 2, 3, 5});
  CHECK(t.encode("ac B", false) == ids{1, 2, 3});
  CHECK(t.encode("[CLS]b", false) == ids{4, 3});
  CHECK(t.encode("[cls]", false) == ids{0});         // looked for before normalization
  CHECK(t.encode("a ab b", false) == ids{1, 6, 3});  // looked for, and itself put, in lower case
  CHECK(t.encode("a AB b", false) == ids{1, 6, 3});
  CHECK(t.decode(ids{4, 1, 2, 3, 5}) == "[CLS] ac b [SEP]");
  CHECK(t.decode(ids{4, 1, 2, 3, 5}, true) == "ac b");
  CHECK(t.id_of("AB") == std::optional<texts::token_id>(6));
  CHECK(t.id_of("##c") == std::optional<texts::token_id>(2));
  CHECK_FALSE(t.id_of("nothing").has_value());
  CHECK(t.token(6) == "AB");
  CHECK(t.is_special(4));
  CHECK_FALSE(t.is_special(6));
}

TEST_CASE("truncation keeps the special tokens") {
  const auto t = read(small_file());
  CHECK(t.encode("a b a b", true, 4) == ids{4, 1, 3, 5});
  CHECK(t.encode("a b a b", true, 5) == ids{4, 1, 3, 1, 5});
  CHECK(t.encode("a b a b", true, 6) == ids{4, 1, 3, 1, 3, 5});
  CHECK(t.encode("a b a b", false, 3) == ids{1, 3, 1});
  CHECK(t.encode("a b", true, 2) == ids{4, 5});
  CHECK_THROWS_AS(t.encode("a b", true, 1), value_error);
}

TEST_CASE("post-processors") {
  json content = small_file();
  content["post_processor"] = {{"type", "BertProcessing"}, {"sep", {"[SEP]", 5}}, {"cls", {"[CLS]", 4}}};
  CHECK(read(content).encode("a") == ids{4, 1, 5});
  content["post_processor"] = {{"type", "Sequence"},
                               {"processors", {{{"type", "ByteLevel"}}, small_file()["post_processor"]}}};
  CHECK(read(content).encode("a") == ids{4, 1, 5});
  content["post_processor"] = nullptr;
  CHECK(read(content).encode("a") == ids{1});
}

TEST_CASE("a component that is not supported is refused by name") {
  mentions(complaint("/model/type", "Unigram"), {"dir/t.json", "model", "Unigram", "not supported"});
  mentions(complaint("/normalizer/type", "Precompiled"), {"normalizer", "Precompiled", "not supported"});
  mentions(complaint("/pre_tokenizer/type", "UnicodeScripts"), {"pre_tokenizer", "UnicodeScripts", "not supported"});
  mentions(complaint("/post_processor/type", "Other"), {"post_processor", "Other", "not supported"});
  mentions(complaint("/decoder/type", "CTC"), {"decoder", "CTC", "not supported"});
  mentions(complaint("/pre_tokenizer", json::parse(R"({"type": "Sequence", "pretokenizers": [{"type": "X"}]})")),
           {"pre_tokenizer.pretokenizers[0]", "'X'"});
}

TEST_CASE("what is malformed is named with its field") {
  mentions(complaint("/model", 3), {"dir/t.json", "model", "lacks the field 'type'"});
  mentions(complaint("/model/vocab", json::array()), {"model.vocab", "not an object"});
  mentions(complaint("/model/vocab/a", "one"), {"model.vocab.a", "not an integer"});
  mentions(complaint("/model/vocab/a", -1), {"model.vocab.a", "-1"});
  mentions(complaint("/model/vocab/a", 1e18), {"model.vocab.a"});
  mentions(complaint("/model/vocab/a", 1000000000000), {"model.vocab.a", "1000000000000"});
  mentions(complaint("/model/unk_token", "??"), {"model", "'\?\?'"});
  mentions(complaint("/added_tokens/1/id", nullptr), {"added_tokens[1].id"});
  mentions(complaint("/added_tokens/1/content", ""), {"added_tokens", "empty"});
  mentions(complaint("/post_processor/single", json::array()), {"post_processor.single"});
  mentions(complaint("/post_processor/special_tokens", json::object()), {"post_processor.special_tokens", "[CLS]"});
  mentions(complaint("/normalizer", json::parse(R"({"type": "Replace", "pattern": {"Regex": "("}, "content": ""})")),
           {"normalizer.pattern"});
  mentions(complaint("/pre_tokenizer", json::parse(R"({"type": "Split", "pattern": {"String": "a"}})")),
           {"pre_tokenizer", "behavior"});
}

TEST_CASE("merges as pairs, as strings, and as neither") {
  const auto with_merges = [](const char* merges) {
    json content = json::parse(R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}}})");
    content["model"]["merges"] = json::parse(merges);
    return content;
  };
  CHECK(read(with_merges(R"([["a", "b"]])")).encode("ab") == ids{2});
  CHECK(read(with_merges(R"(["a b"])")).encode("ab") == ids{2});
  CHECK_THROWS_WITH_AS(read(with_merges(R"(["ab"])")), doctest::Contains("model.merges[0]"), io_error);
  CHECK_THROWS_WITH_AS(read(with_merges(R"([["a", "b", "a"]])")), doctest::Contains("model.merges[0]"), io_error);
  CHECK_THROWS_WITH_AS(read(with_merges(R"(["b a"])")), doctest::Contains("'ba'"), io_error);
}

TEST_CASE("files beside the tokenizer name the tokens at the ends") {
  const testing::temporary_folder folder;
  const auto path = folder.path();
  CHECK_THROWS_WITH_AS(texts::load_tokenizer(path), doctest::Contains("neither tokenizer.json nor vocab.txt"),
                       io_error);
  write(path / "tokenizer.json", small_file().dump());
  CHECK_FALSE(texts::load_tokenizer(path).bos().has_value());
  write(path / "config.json", R"({"bos_token_id": 3, "eos_token_id": [2, 1]})");
  CHECK(texts::load_tokenizer(path).bos() == std::optional<texts::token_id>(3));
  CHECK(texts::load_tokenizer(path).eos() == std::optional<texts::token_id>(2));
  write(path / "tokenizer_config.json", R"({"bos_token": "[CLS]", "eos_token": {"content": "[SEP]"}})");
  CHECK(texts::load_tokenizer(path).bos() == std::optional<texts::token_id>(4));
  CHECK(texts::load_tokenizer(path / "tokenizer.json").eos() == std::optional<texts::token_id>(5));
  write(path / "tokenizer.json", "{\"model\": ");
  CHECK_THROWS_WITH_AS(texts::load_tokenizer(path), doctest::Contains("tokenizer.json"), io_error);
}

TEST_CASE("a token that only tokenizer_config.json names would be added by Transformers: refused") {
  const testing::temporary_folder folder;
  std::ofstream(folder / "tokenizer.json") << small_file();
  const auto refusal = [&](const json& config) -> std::string {
    std::ofstream(folder / "tokenizer_config.json") << config;
    try {
      texts::load_tokenizer(folder.path());
    } catch (const io_error& e) {
      return std::string(e.what()).substr(folder.path().string().size() + 1);
    }
    return "";
  };
  const std::string of = ", which is no token of " + (folder / "tokenizer.json").string();
  CHECK(refusal({{"eos_token", "[SEP]"}, {"additional_special_tokens", {"[CLS]"}}}) == "");
  CHECK(refusal({{"eos_token", "<x>"}}) == "tokenizer_config.json: eos_token is '<x>'" + of);
  CHECK(refusal({{"bos_token", {{"content", "<x>"}}}}) == "tokenizer_config.json: bos_token is '<x>'" + of);
  CHECK(refusal({{"additional_special_tokens", {"[CLS]", "<x>"}}}) ==
        "tokenizer_config.json: additional_special_tokens[1] is '<x>'" + of);
  CHECK(refusal({{"added_tokens_decoder", {{"4", {{"content", "[CLS]"}}}}}}) == "");
  CHECK(refusal({{"added_tokens_decoder", {{"7", {{"content", "<x>"}}}}}}) ==
        "tokenizer_config.json: added_tokens_decoder.7 is '<x>'" + of);
  CHECK(refusal({{"added_tokens_decoder", {{"5", {{"content", "[CLS]"}}}}}}).find("has another id in") !=
        std::string::npos);
}

TEST_CASE("an added token that the vocabulary has under another id is refused") {
  json content = small_file();
  content["added_tokens"][0]["content"] = "b";
  CHECK_THROWS_WITH_AS(read(content), "dir/t.json: added_tokens holds 'b' as 4, the vocabulary as 3", io_error);
}
