// Tokenizers in GGUF files made by hand.
#include <cmath>

#include <doctest/doctest.h>

#include "io/gguf_writer.hpp"
#include "mor1e/core/error.hpp"
#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/temporary_folder.hpp"
#include "mor1e/text/load_tokenizer.hpp"
#include "mor1e/text/tokenizer_gguf.hpp"
#include "text/gguf_tokenizer.hpp"
#include "text/parts.hpp"

using namespace mor1e;
using testing::gguf_writer;
using testing::ids;

namespace {

struct description {
  std::string model = "gpt2";
  std::string pre = "gpt-2";
  std::vector<std::string> tokens = {"a", "1", "a1", "11", "\u0120", "<s>", "aa"};
  std::vector<std::int32_t> types = {1, 1, 1, 1, 1, 3, 4};
  std::vector<std::string> merges = {"a 1", "1 1"};
  std::uint32_t bos = 5;
  bool add_bos = false;
};

texts::tokenizer load(const description& d) {
  const testing::temporary_folder folder;
  gguf_writer file;
  file.text("tokenizer.ggml.model", d.model).text("tokenizer.ggml.pre", d.pre);
  testing::put_strings(file, "tokenizer.ggml.tokens", d.tokens);
  testing::put_integers(file, "tokenizer.ggml.token_type", d.types);
  testing::put_strings(file, "tokenizer.ggml.merges", d.merges);
  file.u32("tokenizer.ggml.bos_token_id", d.bos)
      .value("tokenizer.ggml.add_bos_token", 7, d.add_bos ? "\1" : std::string(1, '\0'));
  file.write(folder / "model.gguf");
  return texts::load_tokenizer(folder / "model.gguf");
}

std::string complaint(const description& d) {
  try {
    load(d);
  } catch (const io_error& e) {
    return e.what();
  }
  return "(accepted)";
}

}  // namespace

TEST_CASE("pre-tokenizer, token types and tokens at the ends are read") {
  const auto t = load({});
  CHECK(t.vocabulary_size() == 7);
  CHECK(t.encode("a11") == ids{0, 3});  // a word, then a number
  CHECK(t.encode("<s> 11<s>") == ids{5, 4, 3, 5});
  CHECK(t.encode("aa1") == ids{6, 1});  // user-defined, so found before the model sees the text
  CHECK(t.decode(ids{5, 0, 4, 6}, true) == "a aa");
  CHECK(t.bos() == std::optional<texts::token_id>(5));
  CHECK_FALSE(t.eos().has_value());
  CHECK(load({.pre = "smollm"}).encode("a11") == ids{0, 1, 1});
  CHECK(load({.add_bos = true}).encode("a") == ids{5, 0});
  CHECK(load({.add_bos = true}).encode("a", false) == ids{0});
}

TEST_CASE("what is not supported or malformed is named") {
  CHECK(complaint({.model = "bert"}).find("tokenizer.ggml.model 'bert'") != std::string::npos);
  CHECK(complaint({.pre = "qwen2"}).find("tokenizer.ggml.pre 'qwen2'") != std::string::npos);
  CHECK(complaint({.types = {1, 1}}).find("tokenizer.ggml.token_type has 2 entries for 7") != std::string::npos);
  CHECK(complaint({.merges = {"a1"}}).find("tokenizer.ggml.merges[0] 'a1'") != std::string::npos);
  CHECK(complaint({.merges = {"1 a"}}).find("'1a'") != std::string::npos);
  CHECK(complaint({.bos = 7}).find("bos_token_id is 7") != std::string::npos);
}

TEST_CASE("a vocabulary that no tokenizer.json can hold is refused") {
  description d;
  d.tokens[6] = "a1";
  CHECK(complaint(d).find("tokenizer.ggml.tokens[6] 'a1' is there already, at 2") != std::string::npos);
  d.tokens[6] = "\xff";
  CHECK(complaint(d).find("tokenizer.ggml.tokens[6] is not UTF-8") != std::string::npos);
}

namespace {

struct fixture {
  const char *name, *pre;
  std::uint32_t bos, eos;
};

/// The GGUF with the tokenizer of a fixture, and the files made of it, against the fixture's encodings; `around`: with
/// tokens at both ends.
void compare_with_fixture(const fixture& f, bool around) {
  CAPTURE(f.name);
  CAPTURE(around);
  const auto golden = testing::golden_folder() / "tokenizers" / f.name;
  const auto strings = io::read_json(golden.parent_path() / "strings.json").get<std::vector<std::string>>();
  const testing::temporary_folder folder;
  gguf_writer file;
  file.text("general.architecture", "phi2").u32("phi2.context_length", 77);
  const bool pieces = std::string(f.name).starts_with("spm");
  if (pieces) {
    testing::put_sentence_piece(file, io::read_json(golden / "tokenizer.json"));
    if (std::string(f.name) == "spm_gemma") file.value("tokenizer.ggml.add_space_prefix", 7, std::string(1, '\0'));
  } else {
    testing::put_tokenizer(file, io::read_json(golden / "tokenizer.json"), f.pre);
  }
  file.u32("tokenizer.ggml.bos_token_id", f.bos).u32("tokenizer.ggml.eos_token_id", f.eos);
  // A plain token: it has the role, and stays part of texts.
  file.u32("tokenizer.ggml.padding_token_id", 700);
  file.text("tokenizer.chat_template", "{{ messages }}");
  for (const char* key : {"tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_eos_token"})
    file.value(key, 7, std::string(1, char(around)));
  file.write(folder / "model.gguf");
  for (const auto& [name, content] : texts::files_of(texts::tokenizer_of_gguf(io::gguf_file(folder / "model.gguf"))))
    io::write_text(folder / name, content);

  const auto ours = texts::load_tokenizer(folder / "model.gguf"), theirs = texts::load_tokenizer(folder.path());
  CHECK(theirs.vocabulary_size() == ours.vocabulary_size());
  CHECK(theirs.bos() == std::optional<texts::token_id>(f.bos));
  CHECK(theirs.eos() == std::optional<texts::token_id>(f.eos));
  CHECK(ours.bos() == theirs.bos());
  CHECK(ours.eos() == theirs.eos());
  const std::string spaces = std::string(17, ' ') + "the";
  CHECK(ours.encode(spaces, false) == texts::load_tokenizer(golden).encode(spaces, false));
  const nlohmann::json rows = io::read_json(golden / "encodings.json");
  REQUIRE(strings.size() > 100);
  for (std::size_t i = 0; i < strings.size(); ++i) {
    CAPTURE(strings[i]);
    ids expected = rows.at(i).at("ids").get<ids>();
    CHECK(theirs.decode(expected) == rows.at(i).at("decoded").get<std::string>());
    CHECK(ours.decode(expected) == rows.at(i).at("decoded").get<std::string>());
    if (pieces) expected.erase(expected.begin());  // the fixture's begin with bos
    CHECK(ours.encode(strings[i], false) == expected);
    CHECK(theirs.encode(strings[i], false) == expected);
    if (!around) continue;
    expected.insert(expected.begin(), int(f.bos)), expected.push_back(int(f.eos));
    CHECK(ours.encode(strings[i]) == expected);
    CHECK(theirs.encode(strings[i]) == expected);
  }
  const auto config = io::read_json(folder / "tokenizer_config.json");
  CHECK(config.at("chat_template") == "{{ messages }}");
  CHECK(config.at("model_max_length") == 77);
  CHECK(config.at("eos_token") == std::string(ours.token(int(f.eos))));
  CHECK_FALSE(config.contains("pad_token"));
  CHECK(io::read_json(folder / "generation_config.json") ==
        nlohmann::json{{"bos_token_id", f.bos}, {"eos_token_id", f.eos}, {"pad_token_id", 700}});
}

}  // namespace

TEST_CASE("the files made of a GGUF's vocabulary give its tokenizer, and both the one it came from") {
  for (const fixture& f : {fixture{"byte_phi", "phi-2", 1300, 1300},
                           {"smollm2", "smollm", 1, 2},
                           {"byte_bloom", "bloom", 1, 2},
                           {"spm_llama", "", 1, 2},
                           {"spm_gemma", "", 2, 1}})
    for (const bool around : {false, true}) compare_with_fixture(f, around);
}

TEST_CASE("a SentencePiece vocabulary: ends by default, and scores that order its merges") {
  const testing::temporary_folder folder;
  const auto read = [&](const std::vector<float>& scores, const std::string& last = "ab") {
    gguf_writer file;
    file.text("tokenizer.ggml.model", "llama");
    testing::put_strings(file, "tokenizer.ggml.tokens", {"<unk>", "<s>", "</s>", "\u2581", "a", "b", "\u2581a", last});
    testing::put_integers(file, "tokenizer.ggml.token_type", {2, 3, 3, 1, 1, 1, 1, 1});
    testing::put_floats(file, "tokenizer.ggml.scores", scores);
    file.write(folder / "model.gguf");
    return texts::load_tokenizer(folder / "model.gguf");
  };
  CHECK(read({0, 0, 0, -9, -9, -9, -1, -2}).encode("ab") == ids{1, 6, 5});
  CHECK(read({0, 0, 0, -9, -9, -9, -2, -1}).encode("ab") == ids{1, 3, 7});
  CHECK_THROWS_WITH_AS(read(std::vector<float>(8, -1000)), doctest::Contains("tokenizer.ggml.scores are all the same"),
                       io_error);
  CHECK_THROWS_WITH_AS(read({1, 2}), doctest::Contains("tokenizer.ggml.scores has 2 entries for 8 tokens"), io_error);
  CHECK_THROWS_WITH_AS(read({0, 0, 0, std::nanf(""), 0, 0, 0, 0}), doctest::Contains("tokenizer.ggml.scores[3] is nan"),
                       io_error);
  CHECK_THROWS_WITH_AS(read({0, 0, 0, 1, 2, 3, 4, 5}, std::string(2000, 'a')),
                       doctest::Contains("token 7 has 2000 bytes; there are 1024 at most"), io_error);
}
