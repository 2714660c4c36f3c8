// Tokenizers in GGUF files made by hand.
#include <cstring>
#include <fstream>

#include <doctest/doctest.h>

#include "mor1e/core/error.hpp"
#include "mor1e/testing/temporary_folder.hpp"
#include "mor1e/text/load_tokenizer.hpp"
#include "text/parts.hpp"

using namespace mor1e;
using testing::ids;

namespace {

/// The metadata of a GGUF file without tensors.
class gguf_writer {
 public:
  void string(std::string_view key, std::string_view value) {
    begin(key, 8);
    put(value);
  }
  void unsigned_integer(std::string_view key, std::uint32_t value) {
    begin(key, 4);
    put(value);
  }
  void boolean(std::string_view key, bool value) {
    begin(key, 7);
    put(std::uint8_t(value));
  }
  void strings(std::string_view key, const std::vector<std::string>& values) {
    begin(key, 9);
    put(std::uint32_t(8));
    put(std::uint64_t(values.size()));
    for (const std::string& value : values) put(std::string_view(value));
  }
  void integers(std::string_view key, const std::vector<std::int32_t>& values) {
    begin(key, 9);
    put(std::uint32_t(5));
    put(std::uint64_t(values.size()));
    for (const std::int32_t value : values) put(value);
  }
  void write(const std::filesystem::path& path) const {
    gguf_writer head;
    head.bytes_ = "GGUF";
    head.put(std::uint32_t(3));
    head.put(std::uint64_t(0));
    head.put(count_);
    std::ofstream(path, std::ios::binary) << head.bytes_ << bytes_;
  }

 private:
  void begin(std::string_view key, std::uint32_t kind) {
    put(key);
    put(kind);
    ++count_;
  }
  void put(std::string_view value) {
    put(std::uint64_t(value.size()));
    bytes_ += value;
  }
  template <class Number>
  requires std::is_arithmetic_v<Number>
  void put(Number value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    bytes_.append(raw, sizeof value);
  }

  std::string bytes_;
  std::uint64_t count_ = 0;
};

struct description {
  std::string model = "gpt2";
  std::string pre = "gpt-2";
  std::vector<std::int32_t> types = {1, 1, 1, 1, 1, 3, 4};
  std::vector<std::string> merges = {"a 1", "1 1"};
  std::uint32_t bos = 5;
  bool add_bos = false;
};

texts::tokenizer load(const description& d) {
  const testing::temporary_folder folder;
  gguf_writer file;
  file.string("tokenizer.ggml.model", d.model);
  file.string("tokenizer.ggml.pre", d.pre);
  file.strings("tokenizer.ggml.tokens", {"a", "1", "a1", "11", "\u0120", "<s>", "aa"});
  file.integers("tokenizer.ggml.token_type", d.types);
  file.strings("tokenizer.ggml.merges", d.merges);
  file.unsigned_integer("tokenizer.ggml.bos_token_id", d.bos);
  file.boolean("tokenizer.ggml.add_bos_token", d.add_bos);
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
