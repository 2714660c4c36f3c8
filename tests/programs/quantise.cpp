// The program quantise, as a shell sees it.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/io/safetensors.hpp"
#include "mor1e/io/text_file.hpp"
#include "programs/logits.hpp"
#include "programs/shell.hpp"

using namespace mor1e;
using testing::difference;
using testing::shell;
namespace fs = std::filesystem;

namespace {

const shell here;

std::vector<float> logits_of(const std::string& options) { return testing::logits_of(here, options); }

}  // namespace

TEST_CASE("a model in four bits is a model: near the one it was made of, trained, merged") {
  here.check_success("quantise", "--model toy --out four --json q.json --quiet");
  const auto said = io::read_json(here / "q.json");
  CHECK(said.at("linears") == 14);
  CHECK(said.at("bytes_after").get<double>() < 0.15 * said.at("bytes_before").get<double>());
  CHECK(said.at("relative_error").get<double>() > 0.05);
  CHECK(said.at("relative_error").get<double>() < 0.12);
  const auto config = io::read_json(here / "four/config.json");
  CHECK(config.at("quantization_config").at("bnb_4bit_quant_type") == "nf4");
  CHECK(fs::exists(here / "four/tokenizer.json"));

  const auto toy = logits_of("--model toy"), four = logits_of("--model four");
  CHECK(difference(toy, four) > 1e-3);
  CHECK(difference(toy, four) < 0.5 * difference(toy, std::vector<float>(toy.size(), 0)));

  here.check_success("finetune",
                     "--model four --data suite --steps 3 --batch 6 --lr 0.03 --warmup 0 --eval-limit 0 --threads 1 "
                     "--quiet --method lora --out run");
  const auto adapted = logits_of("--model four --adapter run/adapter");
  CHECK(difference(four, adapted) > 1e-3);
  here.check_success("merge", "--model four --adapter run/adapter --out merged --quiet");
  CHECK(!io::read_json(here / "merged/config.json").contains("quantization_config"));
  CHECK(difference(adapted, logits_of("--model merged")) < 1e-4);
}

TEST_CASE("what cannot be put in four bits is refused") {
  here.check_success("quantise", "--model toy --out once --quiet");
  here.check_refusal("quantise", "--model once --out twice", 2, "is stored as NF4, not as F32, F16 or BF16");
  CHECK(!fs::exists(here / "twice"));
  here.check_refusal("quantise", "--model toy --out once", 2, "once is there already; give another --out");

  // A folder that says four bits and holds floats.
  fs::remove(here / "once/model.safetensors");
  const float values[] = {1};
  io::write_safetensors(here / "once/model.safetensors",
                        std::vector<io::stored_tensor>{{"a", dtype::f32, shape{1}, values}});
  here.check_refusal("logits", "--model once --input x.safetensors --out y.safetensors", 2, "quantization_config");
}
