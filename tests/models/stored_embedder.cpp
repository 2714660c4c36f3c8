// A file of embeddings as an embedder: looked up, brought to unit length, named, refused.
#include "mor1e/models/stored_embedder.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/backend/cpu.hpp"
#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/io/sha256.hpp"
#include "mor1e/models/sentence_embedder.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;
using models::stored_embedder;

namespace {

const testing::temporary_folder here;
using metadata = std::map<std::string, std::string>;

std::string write(const char* name, const std::vector<std::string>& texts, const tensor<float>& rows,
                  const metadata& said = {}) {
  const std::filesystem::path file = here / (std::string(name) + ".safetensors");
  io::write_json(std::filesystem::path(file).replace_extension(".json"), texts);
  io::write_safetensors(file, std::vector{io::stored("embeddings", rows)}, said);
  return file.string();
}
tensor<float> matrix(index_t rows, const std::vector<float>& values) {
  tensor<float> out(shape{rows, index_t(values.size()) / rows});
  std::copy(values.begin(), values.end(), out.begin());
  return out;
}
std::string refusal(const std::string& file) {
  try {
    stored_embedder unused(file);
  } catch (const io_error& e) {
    CHECK(std::string(e.what()).find('\n') == std::string::npos);
    return e.what();
  }
  return "";
}
#define CHECK_HOLDS(message, part) CHECK_MESSAGE(message.find(part) != std::string::npos, message)

}  // namespace

TEST_CASE("rows are found by their text, and have unit length") {
  const auto file = write("plain", {"a cat", "two\ndogs", ""}, matrix(3, {3, 4, 0.6f, -0.8f, 0, 1e-4f}));
  stored_embedder embedder(file);
  CHECK(embedder.dimension() == 2);
  CHECK(embedder.id() == std::filesystem::canonical(file).string());
  const auto rows = embedder.embed(std::vector<std::string>{"two\ndogs", "", "a cat", "two\ndogs"});
  const auto expected = matrix(4, {0.6f, -0.8f, 0, 1, 0.6f, 0.8f, 0.6f, -0.8f});
  REQUIRE(rows.extents() == expected.extents());
  for (index_t i = 0; i < rows.size(); ++i) CHECK(rows[i] == doctest::Approx(expected[i]));
  CHECK(embedder.embed({}).extents() == shape{0, 2});
}

TEST_CASE("what an embedder made comes back bit for bit, under its identity") {
  models::trigram_embedder toy;
  std::vector<std::string> texts;
  for (int i = 0; i < 200; ++i) texts.push_back(text("sentence number ", i * i, ", of several"));
  std::vector<std::string> asked = texts;
  for (std::string& sentence : asked) sentence.insert(0, "say: ");
  const auto rows = toy.embed(asked);
  const auto file =
      write("made", texts, rows, {{"embedder", "toy"}, {"embedder_hash", toy.hash()}, {"prefix", "say: "}});
  cpu device(1);
  const auto embedder = models::load_sentence_embedder(device, file);
  CHECK(embedder->hash() == toy.hash());
  const auto again = embedder->embed(asked);
  REQUIRE(again.extents() == rows.extents());
  CHECK(std::equal(rows.begin(), rows.end(), again.begin()));
  // The prefix is part of the text.
  CHECK_THROWS_WITH_AS(embedder->check(texts), doctest::Contains("200 of 200 texts have no embedding there"),
                       value_error);
}

TEST_CASE("the identity is who made the vectors, not which file they are in") {
  const auto hash = [](const char* name, const metadata& said, index_t width = 2) {
    return stored_embedder(write(name, {"a"}, matrix(1, std::vector<float>(std::size_t(width), 1)), said)).hash();
  };
  CHECK(hash("one", {{"embedder", "ada"}}) == "ada [2]");
  CHECK(hash("two", {{"embedder", "ada"}}) == "ada [2]");
  CHECK(hash("two", {{"embedder", "ada"}}, 3) == "ada [3]");
  CHECK(hash("two", {{"embedder", "ada"}, {"embedder_hash", "17"}}) == "17");
  CHECK(hash("two", {}) == "two [2]");
}

TEST_CASE("a text that is not there: how many, and the beginning of the first, on one line") {
  stored_embedder embedder(write("some", {"a", "b"}, matrix(2, {1, 0, 0, 1})));
  embedder.check(std::vector<std::string>{"b", "a", "b"});
  const std::string end = " of 3 texts have no embedding there, the first is ";
  const std::string umlauts = "x" + std::string("\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4") +
                              "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4" +
                              "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"A", "\"A\""},
      {"one\ntwo", "\"one\\ntwo\""},
      {std::string(90, 'z'), '"' + std::string(60, 'z') + "\"..."},
      {umlauts, '"' + umlauts.substr(0, 59) + "\"..."}};  // not cut inside a character
  for (const auto& [sentence, shown] : cases) {
    const std::vector<std::string> asked{"a", sentence, sentence};
    const std::string expected = embedder.id() + ": 2" + end + shown;
    CHECK_THROWS_WITH_AS(embedder.check(asked), expected.c_str(), value_error);
    CHECK_THROWS_WITH_AS(embedder.embed(asked), expected.c_str(), value_error);
  }
}

TEST_CASE("files that do not fit are refused, with numbers") {
  CHECK_HOLDS(refusal((here / "none.safetensors").string()), "none.safetensors");
  auto file = write("bad", {"a", "b", "c"}, matrix(2, {1, 0, 0, 1}));
  CHECK_HOLDS(refusal(file), "bad.safetensors: tensor 'embeddings' has shape [2, 2] for the 3 texts of ");
  file = write("bad", {"a", "b"}, matrix(2, {1, 0, 0, 0}));
  CHECK_HOLDS(refusal(file), "'embeddings': row 1, of \"b\", is zero");
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    file = write("bad", {"a", "b"}, matrix(2, {value, 0, 0, 1}));
    CHECK_HOLDS(refusal(file), "row 0, of \"a\", is not finite");
  }
  const tensor<float> vector(shape{2}, 1.f), none(shape{0, 2});
  CHECK_HOLDS(refusal(write("bad", {"a", "b"}, vector)), "has shape [2] for the 2 texts");
  CHECK_HOLDS(refusal(write("bad", {}, none)), "has shape [0, 2] for the 0 texts");
  file = write("bad", {"a"}, matrix(1, {1, 2}), {{"data_hash", "17"}});
  CHECK_HOLDS(refusal(file), "bad.json: is not the list that ");
  const std::string right = io::sha256_of_file(here / "bad.json");
  CHECK(refusal(write("bad", {"a"}, matrix(1, {1, 2}), {{"data_hash", right}})) == "");
  io::write_json(here / "bad.json", {{"a", 1}});
  CHECK_HOLDS(refusal(file), "bad.json: is not a list of strings");
  std::filesystem::remove(here / "bad.json");
  CHECK_HOLDS(refusal(file), "bad.json");
  io::write_safetensors(here / "bad.safetensors", std::vector{io::stored("vectors", vector)});
  CHECK_HOLDS(refusal(file), "'embeddings'");

  // The same text twice: the same vector, up to what a service varies.
  CHECK(refusal(write("bad", {"a", "b", "a"}, matrix(3, {1, 0, 0, 1, 2, 1e-4f}))) == "");
  CHECK_HOLDS(refusal(write("bad", {"a", "b", "a"}, matrix(3, {1, 0, 0, 1, 1, 0.01f}))),
              "rows 0 and 2 are of the same text, \"a\", and 0.0");
}
