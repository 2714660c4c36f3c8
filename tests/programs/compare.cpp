// compare: the same runs as finetune's, held against each other; stopped and gone on with.
#include <filesystem>
#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "programs/shell.hpp"

using namespace mor1e;

namespace {

const std::string terms = "--model toy --steps 3 --batch 10 --threads 1 --quiet ";

/// A comparison without what a clock says.
nlohmann::json timeless(const std::filesystem::path& file) {
  nlohmann::json all = nlohmann::json::parse(io::read_text(file));
  for (auto& line : all.at("methods")) line.erase("step_ms");
  return all;
}

}  // namespace

TEST_CASE("contestants on equal terms, and gone on with after a stop") {
  const testing::shell here;
  here.check_success("compare", terms + "--eval-limit 4 --seeds 2 --contestants lora,mor1e,mor1e+random --out whole");
  const nlohmann::json whole = timeless(here / "whole/comparison.json");
  REQUIRE(whole.at("methods").size() == 3);
  const double parameters = whole["methods"][0]["parameters"].get<double>();
  for (const auto& line : whole.at("methods")) {
    CAPTURE(line.dump());
    CHECK(line.at("scale") == nlohmann::json{0.5, 0.5});
    CHECK(line.at("parameters").get<double>() == doctest::Approx(parameters).epsilon(0.05));
    CHECK(line.at("against").size() == (line.at("method") == "lora" ? 0 : 2));
    CHECK(line.at("permuted").size() == (line.at("method") == "mor1e" ? 2 : 0));
  }
  CHECK(whole["items"] == 20);
  CHECK(io::read_text(here / "whole/comparison.md").find("| mor1e+random | ") != std::string::npos);

  // Some contestants first, as if it had been stopped then; what is there is not run again.
  here.check_success("compare", terms + "--eval-limit 4 --seeds 2 --contestants lora,mor1e --out parts");
  const auto before = std::filesystem::last_write_time(here / "parts/mor1e/seed1/result.json");
  here.check_success("compare", terms + "--eval-limit 4 --seeds 2 --contestants lora,mor1e,mor1e+random --out parts");
  CHECK(timeless(here / "parts/comparison.json") == whole);
  CHECK(std::filesystem::last_write_time(here / "parts/mor1e/seed1/result.json") == before);
  CHECK(!std::filesystem::exists(here / "parts/lora/seed1/checkpoint"));
  CHECK(here.run("compare", terms + "--eval-limit 4 --seeds 2 --contestants lora --lr 0.1 --out parts").code == 2);

  // A run is finetune's.
  here.check_success(
      "finetune",
      "--model toy --data suite --preset suite --steps 3 --lr 1e-3 --batch 10 --eval-limit 0 --threads 1 --quiet "
      "--method lora --out alone");
  CHECK(io::read_text(here / "alone/adapter/adapter_model.safetensors") ==
        io::read_text(here / "whole/lora/seed0/adapter/adapter_model.safetensors"));
}

TEST_CASE("their own scale and size") {
  const testing::shell here;
  here.check_success(
      "compare",
      terms + "--eval-limit 4 --seeds 1 --contestants lora,molora-release --own-scale --own-params --out own");
  const nlohmann::json all = timeless(here / "own/comparison.json");
  CHECK(all["methods"][1]["size"] == "8 experts of rank 4");
  CHECK(all["methods"][1]["scale"][0].get<double>() == doctest::Approx(0.125));
}

TEST_CASE("what cannot be compared is refused before anything is written") {
  const testing::shell here;
  const std::string good = "--model toy --steps 2 --batch 5 --quiet --out none ";
  here.check_refusal("compare", good + "--contestants lora,mor1e+luck", 2, "'luck' in mor1e+luck");
  here.check_refusal("compare", good + "--contestants nobody", 2, "method 'nobody' is not known");
  here.check_refusal("compare", good + "--contestants lora+no-router", 2, "--no-router is not an option of lora");
  here.check_refusal("compare", good + "--contestants lora,lora+random", 2, "lora+random reads no intuition");
  here.check_refusal("compare", good + "--contestants lora,mor1e+random+category", 2, "'category'");
  here.check_refusal("compare", good + "--contestants lora,mor1e+no-router+no-intuition", 2, "nothing weighs");
  here.check_refusal("compare", good + "--contestants lora,mor1e", 2, "22 clusters of 10 examples");
  here.check_refusal("compare", good + "--memory 1GB", 2, "--memory");
  here.check_refusal("compare", good + "--eval-limit 0", 2, "nothing to compare by");
}
