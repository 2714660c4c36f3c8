// The program merge, as a shell sees it.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/io/safetensors.hpp"
#include "mor1e/testing/golden.hpp"
#include "programs/shell.hpp"

using namespace mor1e;
using testing::shell;
namespace fs = std::filesystem;

namespace {

const shell here;
const std::string train =
    "--model toy --data suite --steps 3 --batch 6 --lr 0.03 --warmup 0 --eval-limit 0 --threads 1 --quiet ";

std::vector<float> logits_of(const std::string& options) {
  const std::vector<std::int64_t> ids{72, 101, 108, 108, 111, 32};
  io::write_safetensors(here / "x.safetensors",
                        std::vector<io::stored_tensor>{{"input_ids", dtype::i64, shape{2, 3}, ids.data()}});
  here.check_success("logits", options + " --input x.safetensors --out y.safetensors");
  const auto values = io::safetensors_file(here / "y.safetensors").read<float>("logits");
  return {values.begin(), values.end()};
}
double difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, double(std::abs(a[i] - b[i])));
  return most;
}

}  // namespace

TEST_CASE("a merged model is a model, and is the adapted one") {
  for (const char* method : {"lora", "rslora", "dora"}) {
    CAPTURE(method);
    const std::string run = text("run-", method), out = text("merged-", method);
    here.check_success("finetune", train + "--rank 4 --method " + method + " --out " + run);
    here.check_success("merge", "--model toy --adapter " + run + "/adapter --json m.json --out " + out);
    CHECK(io::read_json(here / "m.json")["linears"].get<int>() > 0);
    CHECK(io::read_json(here / out / "config.json")["torch_dtype"] == "float32");
    const auto base = logits_of("--model toy"), adapted = logits_of("--model toy --adapter " + run + "/adapter"),
               merged = logits_of("--model " + out);
    CHECK(difference(adapted, merged) < 1e-4);
    CHECK(difference(base, merged) > 1e-2);
  }
  here.check_refusal("merge", "--model toy --adapter run-lora/adapter --out merged-lora", 2,
                     "merged-lora is there already");
  here.check_refusal("merge", "--model merged-lora --adapter run-lora/adapter --out again", 2,
                     "trained on weights with hash");
  here.check_refusal("merge", "--model toy --adapter run-lora/adapter --out again --intuition-of hello", 2,
                     "this lora reads no intuition");
  here.check_refusal("merge", "--model toy --adapter nowhere --out again", 1, "nowhere");
}

TEST_CASE("a mixture is refused, or folded for one text") {
  here.check_success("finetune", train + "--experts 4 --out run-mor1e");
  here.check_refusal("merge", "--model toy --adapter run-mor1e/adapter --out folded", 2,
                     "weighs its experts for each text; --intuition-of TEXT folds it for one");
  const std::string said = here.check_success(
      "merge", "--model toy --adapter run-mor1e/adapter --out folded --intuition-of hello --json m.json");
  CHECK(said.find("differ from the adapter's by at most") != std::string::npos);
  CHECK(io::read_json(here / "m.json")["largest_difference"].get<double>() > 0);
  CHECK(difference(logits_of("--model folded"), logits_of("--model toy")) > 1e-4);

  // Without a router nothing is dropped.
  here.check_success("finetune", train + "--experts 4 --no-router --out run-bare");
  here.check_success("merge", "--model toy --adapter run-bare/adapter --out bare --intuition-of hello --json m.json");
  CHECK(io::read_json(here / "m.json")["largest_difference"].get<double>() < 1e-4);

  here.check_success("finetune", train + "--experts 4 --no-intuition --out run-routed");
  here.check_refusal("merge", "--model toy --adapter run-routed/adapter --out routed", 2,
                     "the router weighs the experts anew for every token");
}
