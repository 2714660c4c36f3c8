// What the files of a model say about where a text ends.
#include "mor1e/models/generation_config.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/models/open.hpp"
#include "mor1e/models/toy.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;

namespace {

const testing::temporary_folder folder;

/// The end tokens of a model whose config.json says 7 and whose tokenizer ends texts with 256.
std::vector<std::int32_t> ends(const nlohmann::json& generation) {
  io::checkpoint model;
  model.path = folder.path();
  model.config = {{"eos_token_id", 7}};
  io::write_json(folder / "generation_config.json", generation);
  return models::end_tokens(model, models::open_tokenizer(models::toy_name));
}
std::string refusal(const nlohmann::json& generation) {
  try {
    ends(generation);
  } catch (const error& e) {
    return std::string(e.what()).substr(folder.path().string().size() + 1);
  }
  return "";
}
using ids = std::vector<std::int32_t>;

}  // namespace

TEST_CASE("generation_config.json says which tokens end a text, one or several; without it config.json does") {
  CHECK(ends({{"eos_token_id", 3}}) == ids{3, 256});
  CHECK(ends({{"eos_token_id", {3, 5}}}) == ids{3, 5, 256});
  CHECK(ends({{"eos_token_id", nullptr}}) == ids{7, 256});
  CHECK(ends(nlohmann::json::object()) == ids{7, 256});
  CHECK(refusal({{"eos_token_id", "x"}}) ==
        "generation_config.json: 'eos_token_id' is \"x\", not an integer from 0 to 16777216");
  CHECK(refusal({{"eos_token_id", {1, -1}}}) ==
        "generation_config.json: 'eos_token_id' is -1, not an integer from 0 to 16777216");
}

TEST_CASE(
    "settings that shape a text and are not computed are refused unless they change nothing; drawing is the caller's") {
  CHECK(refusal({{"repetition_penalty", 1.1}}) ==
        "generation_config.json: 'repetition_penalty' is 1.1, which is not supported");
  CHECK(refusal({{"num_beams", 4}}) == "generation_config.json: 'num_beams' is 4, which is not supported");
  CHECK(refusal({{"suppress_tokens", {1}}}).find("\"suppress_tokens\": [1] is not known") != std::string::npos);
  CHECK(refusal({{"repetition_penalty", 1.0}, {"num_beams", 1}, {"min_length", 0}, {"suppress_tokens", nullptr}}) ==
        "");
  CHECK(refusal({{"do_sample", true}, {"temperature", 0.6}, {"top_p", 0.9}, {"max_length", 4096}}) == "");
}
