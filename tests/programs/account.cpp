// The program account, as a shell sees it.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/testing/golden.hpp"
#include "programs/shell.hpp"

using namespace mor1e;
using testing::shell;

namespace {

const shell here;

nlohmann::json published() { return io::read_json(testing::golden_folder() / "account.json").at("models"); }

}  // namespace

TEST_CASE("table 7: the counts of published models, and the paper's figures with what is wrong with them") {
  const std::string said = here.check_success("paper/table7", "--count --json table7.json");
  const nlohmann::json models = io::read_json(here / "table7.json").at("models"), expected = published();
  const std::vector<std::pair<std::string, std::string>> methods{
      {"LoRA r=32", "lora_r32"},   {"MoLoRA 8x4", "molora_8x4"}, {"Rank-1 N=8", "mor1e_8"},
      {"Rank-1 N=20", "mor1e_20"}, {"Rank-1 N=32", "mor1e_32"},  {"mix 4x8", "trex_4x8"}};
  REQUIRE(models.size() == 3);
  for (const auto& model : models) {
    const std::string name = model.at("name");
    CAPTURE(name);
    const nlohmann::json& golden = expected.at(name);
    CHECK(model.at("parameters") == golden.at("base_parameters"));
    CHECK(said.find("\n" + name + ": " + std::to_string(model.at("parameters").get<std::int64_t>()) + " parameters") !=
          std::string::npos);
    REQUIRE(model.at("methods").size() == methods.size());
    for (std::size_t i = 0; i < methods.size(); ++i) {
      const std::string &label = methods[i].first, &key = methods[i].second;
      CAPTURE(label);
      const nlohmann::json& row = model.at("methods").at(i);
      CHECK(row.at("method") == label);
      CHECK(said.find("\n  " + label) != std::string::npos);
      CHECK(row.at("parameters") == golden.at("adapter_parameters").at(key));
      CHECK(row.at("percent").get<double>() ==
            doctest::Approx(golden.at("percent_of_base").at(key).get<double>()).epsilon(1e-12));
      const nlohmann::json& flops = golden.at("forward_flops_per_token");
      CHECK(row.at("flops").get<std::int64_t>() + row.at("router_flops").get<std::int64_t>() ==
            flops.at("adapters").at(key).get<std::int64_t>());
      if (flops.at("mor1e_without_router").contains(key))
        CHECK(row.at("flops") == flops.at("mor1e_without_router").at(key));

      // Which figures of the paper are others than these, and why.
      nlohmann::json differs = nlohmann::json::object();
      if (name != "TinyLlama-1.1B" && label != "mix 4x8") differs["percent"] = "base";
      if (label == "Rank-1 N=20") differs["flops"] = "no router";
      if (name == "TinyLlama-1.1B" && label == "MoLoRA 8x4") differs["parameters"] = "cut";
      CHECK(row.at("differs") == differs);
    }
    const double least = model.at("base_of_printed_percentages").at(0),
                 most = model.at("base_of_printed_percentages").at(1);
    const double size = model.at("parameters");
    CHECK(least < most);
    CHECK((least <= size && size <= most) == (name == "TinyLlama-1.1B"));
  }
}

TEST_CASE("a method on a configuration, whole or on some of its linears") {
  const nlohmann::json llama = published().at("Llama-2-7B");
  io::write_json(here / "llama.json", {{"model_type", "llama"},
                                       {"hidden_size", 4096},
                                       {"num_hidden_layers", 32},
                                       {"num_attention_heads", 32},
                                       {"intermediate_size", 11008},
                                       {"vocab_size", 32000}});
  const auto count = [&](const std::string& options) {
    here.check_success("account", "--model llama.json --json cost.json " + options);
    return io::read_json(here / "cost.json");
  };
  const nlohmann::json n20 = count("--method mor1e-paper --experts 20");
  CHECK(n20.at("base_parameters") == llama.at("base_parameters"));
  CHECK(n20.at("parameters") == llama.at("adapter_parameters").at("mor1e_20"));
  CHECK(n20.at("linears") == llama.at("adapted_linears"));
  CHECK(count("--method lora --rank 8").at("parameters") == llama.at("adapter_parameters").at("lora_r8"));
  const nlohmann::json some = count("--method lora --rank 8 --targets q_proj,self_attn.v_proj");
  CHECK(some.at("linears") == 64);
  CHECK(some.at("parameters") == 64 * 8 * (4096 + 4096));
  const nlohmann::json thrifty = count("--method mor1e --experts 20 --low-rank-router");
  CHECK(thrifty.at("router_parameters") == 224 * 20 * 20);
  CHECK(thrifty.at("scalars") == 2 * 224);
  CHECK(count("--method loramoe").at("linears") == 96);  // gate, up and down are its own targets
}

TEST_CASE("what account refuses") {
  here.check_refusal("account", "", 2, "--model is needed");
  here.check_refusal("account", "--model toy --method moe", 2, "method 'moe' is not known");
  here.check_refusal("account", "--model toy --targets proj", 2, "--targets: no linear of llama is called so");
  here.check_refusal("account", "--model toy --method lora --experts 4", 2, "--experts is not an option of lora");
  here.check_refusal("account", "--model nowhere.json", 1, "nowhere.json");
}
