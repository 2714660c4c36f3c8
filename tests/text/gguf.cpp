// Tokenizers in GGUF files made by hand.
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
  CHECK(complaint({.model = "llama"}).find("tokenizer.ggml.model 'llama'") != std::string::npos);
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

TEST_CASE("the files made of a GGUF's vocabulary give its tokenizer, and both the one it came from") {
  namespace fs = std::filesystem;
  const fs::path golden = testing::golden_folder() / "tokenizers";
  const auto strings = io::read_json(golden / "strings.json").get<std::vector<std::string>>();
  struct fixture {
    const char *name, *pre;
    std::uint32_t bos, eos;
  };
  for (const auto& [name, pre, bos, eos] : {fixture{"byte_phi", "gpt-2", 1300, 1300}, {"smollm2", "smollm", 1, 2}})
    for (const bool around : {false, true}) {
      CAPTURE(name);
      CAPTURE(around);
      const testing::temporary_folder folder;
      gguf_writer file;
      testing::put_tokenizer(file, io::read_json(golden / name / "tokenizer.json"), pre);
      file.u32("tokenizer.ggml.bos_token_id", bos).u32("tokenizer.ggml.eos_token_id", eos);
      // A plain token: it has the role, and stays part of texts.
      file.u32("tokenizer.ggml.padding_token_id", 17).u32("llama.context_length", 77);
      file.text("tokenizer.chat_template", "{{ messages }}");
      for (const char* key : {"tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_eos_token"})
        file.value(key, 7, std::string(1, char(around)));
      file.write(folder / "model.gguf");
      for (const auto& [file_name, content] :
           texts::files_of(texts::tokenizer_of_gguf(io::gguf_file(folder / "model.gguf"))))
        io::write_text(folder / file_name, content);

      const auto ours = texts::load_tokenizer(folder / "model.gguf"), theirs = texts::load_tokenizer(folder.path());
      CHECK(theirs.vocabulary_size() == ours.vocabulary_size());
      CHECK(theirs.bos() == std::optional<texts::token_id>(bos));
      CHECK(theirs.eos() == std::optional<texts::token_id>(eos));
      CHECK(ours.bos() == theirs.bos());
      CHECK(ours.eos() == theirs.eos());
      const nlohmann::json rows = io::read_json(golden / name / "encodings.json");
      REQUIRE(strings.size() > 100);
      for (std::size_t i = 0; i < strings.size(); ++i) {
        CAPTURE(strings[i]);
        ids expected = rows.at(i).at("ids").get<ids>();
        CHECK(ours.encode(strings[i], false) == expected);
        CHECK(theirs.encode(strings[i], false) == expected);
        CHECK(theirs.decode(expected) == rows.at(i).at("decoded").get<std::string>());
        CHECK(ours.decode(expected) == rows.at(i).at("decoded").get<std::string>());
        if (around) expected.insert(expected.begin(), int(bos)), expected.push_back(int(eos));
        CHECK(ours.encode(strings[i]) == expected);
        CHECK(theirs.encode(strings[i]) == expected);
      }
      const auto config = io::read_json(folder / "tokenizer_config.json");
      CHECK(config.at("chat_template") == "{{ messages }}");
      CHECK(config.at("model_max_length") == 77);
      CHECK(config.at("eos_token") == std::string(ours.token(int(eos))));
      CHECK_FALSE(config.contains("pad_token"));
      CHECK(io::read_json(folder / "generation_config.json") ==
            nlohmann::json{{"bos_token_id", bos}, {"eos_token_id", eos}, {"pad_token_id", 17}});
    }
}
