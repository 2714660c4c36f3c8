// The programs with a method that is not the library's: linked in, it has their options, folders and comparisons.
#include <filesystem>
#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/io/text_file.hpp"
#include "programs/shell.hpp"

using namespace mor1e;

namespace {

const testing::shell here;
const std::string job =
    "--model toy --data suite --batch 4 --lr 0.01 --eval-limit 2 --threads 1 --quiet --method half ";

/// The program calls itself by its own name, whatever its file is called.
void check_refusal(const std::string& arguments, const std::string& why) {
  const auto got = here.run("own_finetune", job + arguments);
  CAPTURE(arguments);
  CAPTURE(got.err);
  CHECK(got.code == 2);
  CHECK(got.err.find(why) != std::string::npos);
}

}  // namespace

TEST_CASE("a user's method: help, options, resuming, matching and its folder") {
  const std::string help = here.check_success("own_finetune", "--help");
  CHECK(help.find("half, half-wide") != std::string::npos);
  CHECK(help.find("Options of half:") != std::string::npos);
  CHECK(here.check_success("finetune", "--help").find("half-wide") == std::string::npos);

  here.check_success("own_finetune", job + "--rank 4 --off 1 --steps 4 --out whole");
  here.check_success("own_finetune", job + "--rank 4 --off 1 --steps 2 --out run");
  CHECK(here.run("own_finetune", job + "--rank 4 --off 1 --steps 4 --resume run").code ==
        0);  // warns of the longer run
  check_refusal("--rank 4 --off 2 --steps 4 --resume run", "method.off 1");
  check_refusal("--rank 4 --off 5 --steps 2 --out no", "half: 5 of 4 ranks are off");
  check_refusal("--experts 4 --steps 2 --out no", "--experts is not an option of half");
  const nlohmann::json config = io::read_json(here / "whole" / "adapter" / "adapter_config.json");
  CHECK(config.at("peft_type") == "HALF");
  CHECK(config.at("off") == 1);
  here.check_success("own_finetune", job + "--match-scale --match-params --steps 2 --out matched");
  const nlohmann::json matched = io::read_json(here / "matched" / "adapter" / "adapter_config.json");
  CHECK(matched.at("r") == 32);  // as many parameters as LoRA has
  CHECK(matched.at("off") == 16);
  CHECK(io::read_json(here / "whole" / "result.json").at("last_loss") <
        io::read_json(here / "whole" / "result.json").at("first_loss"));
}

TEST_CASE("a user's method: account and compare") {
  const auto cost = [&](const std::string& program, const std::string& method) {
    here.check_success(program, "--model toy --rank 4 --quiet --json cost.json --method " + method);
    return io::read_json(here / "cost.json");
  };
  CHECK(cost("own_account", "half").at("parameters") == cost("account", "lora").at("parameters"));
  here.check_success("own_compare",
                     "--model toy --steps 2 --batch 4 --seeds 1 --eval-limit 2 --threads 1 --quiet --out compared "
                     "--contestants lora,half");
  const nlohmann::json methods = io::read_json(here / "compared" / "compare.json").at("models").at(0).at("contestants");
  CHECK(methods[1].at("label") == "half");
  CHECK(methods[1].at("parameters") == methods[0].at("parameters"));
  here.check_refusal("finetune", job + "--steps 2 --out no", 2, "method 'half' is not known");
}
