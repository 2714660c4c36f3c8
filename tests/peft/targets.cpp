// Which linears an adapter is on: target_modules, exclude_modules, layers_to_transform and layers_pattern of PEFT.
#include "mor1e/peft/targets.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/testing/temporary_folder.hpp"
#include "peft/adapter_folder.hpp"

using namespace mor1e;
using namespace mor1e::testing;
using names = std::vector<std::string>;

namespace {

/// A folder with the LoRA that PEFT wrote, its configuration changed, and of its tensors those `kept`.
template <class Kept>
void write_some(const std::filesystem::path& folder, const json& changes, Kept kept) {
  write_changed(folder, [&](json& c) { c.update(changes); });
  const io::safetensors_file file(golden / "lora" / "adapter_before" / "adapter_model.safetensors");
  std::vector<io::stored_tensor> tensors;
  for (const auto& e : file.entries())
    if (kept(e.name)) tensors.push_back({e.name, e.type, e.extents, file.bytes(e).data()});
  io::write_safetensors(folder / "adapter_model.safetensors", tensors);
}
bool holds(const std::string& name, const char* part) { return name.find(part) != name.npos; }

}  // namespace

TEST_CASE("the layer of a linear is the first number behind two names, or behind the pattern") {
  const auto layer = [](const char* path, const names& lists = {}) { return peft::layer_of(path, lists).value_or(-1); };
  CHECK(layer("model.layers.12.self_attn.q_proj") == 12);
  CHECK(layer("model.layers.1.experts.0.up_proj") == 1);
  CHECK(layer("layers.1.q_proj") == -1);  // one name alone
  CHECK(layer("layers.1.q_proj", {"layers"}) == 1);
  CHECK(layer("model.layers.1") == -1);
  CHECK(layer("model.norm") == -1);
  CHECK(layer("model.layers.1.experts.7.up_proj", {"experts"}) == 7);
  CHECK(layer("model.layers.1.experts.7.up_proj", {"h", "experts", "layers"}) == 7);
  CHECK(layer("model.layers.1.q_proj", {"h"}) == -1);
  CHECK(layer("model.layers.1.q_proj", {"ayers"}) == -1);
  CHECK(layer("model.layers.1.q_proj", {"model.layers"}) == 1);
}

TEST_CASE("targets, exclusions and layers together, as PEFT resolves them") {
  const std::string q0 = "model.layers.0.self_attn.q_proj", q1 = "model.layers.1.self_attn.q_proj";
  CHECK(peft::is_targeted(q0, {"q_proj"}, {.layers = {0, 5}}));
  CHECK_FALSE(peft::is_targeted(q1, {"q_proj"}, {.layers = {0, 5}}));
  CHECK(peft::is_targeted(q1, {q1, "q_proj"}, {.layers = {0}}));  // the whole path
  CHECK_FALSE(peft::is_targeted(q1, {"layers.1.self_attn.q_proj"}, {.layers = {0}}));
  CHECK_FALSE(peft::is_targeted(q0, {"q_proj"}, {.layers = {0}, .layer_lists = {"h"}}));
  CHECK_FALSE(peft::is_targeted(q0, {q0}, {.excluded = {"q_proj"}}));
  CHECK_FALSE(peft::is_targeted(q0, {}, {.excluded = {q0}}));
  CHECK(peft::is_targeted(q1, {}, {.excluded = {q0, "proj"}}));
  CHECK_FALSE(peft::is_targeted(q1, {}, {.layers = {0}}));
}

TEST_CASE("an adapter on some layers, or without some linears, is read, and saved as PEFT would") {
  const testing::temporary_folder scratch;
  const std::filesystem::path folder = scratch / "some", again = scratch / "again";
  const auto check = [&](const json& changes, auto kept) {
    CAPTURE(changes.dump());
    write_some(folder, changes, kept);
    const auto model = load_base(), other = load_base();
    auto loaded = peft::load_adapter(*model, folder);
    const names adapted = loaded.set.linears();
    CHECK_FALSE(adapted.empty());
    for (const std::string& name : adapted) CHECK_MESSAGE(kept(name), name);
    peft::save_adapter(again, loaded.set, loaded.record);
    auto reloaded = peft::load_adapter(*other, again);
    CHECK(same_values(loaded.set, reloaded.set));
    CHECK(reloaded.set.linears() == adapted);
    return io::read_json(again / "adapter_config.json");
  };
  const auto second = [](const std::string& name) { return holds(name, "layers.1."); };
  const auto all = [](const std::string&) { return true; };
  CHECK(check({{"layers_to_transform", 1}}, second).at("layers_to_transform") == json{1});
  CHECK(check({{"layers_to_transform", {1, 9}}}, second).at("layers_to_transform") == json{1, 9});
  CHECK(check({{"layers_to_transform", {1}}, {"layers_pattern", "layers"}}, second).at("layers_pattern") ==
        json{"layers"});
  CHECK(check({{"layers_to_transform", {1}}, {"layers_pattern", {"h", "layers"}}}, second).at("layers_pattern") ==
        json{"h", "layers"});
  CHECK(check({{"layers_to_transform", json::array()}}, all).at("layers_to_transform").is_null());
  CHECK(check({{"exclude_modules", {"layers.0.mlp.up_proj", "v_proj"}}}, [](const std::string& name) {
          return !holds(name, "layers.0.mlp.up_proj") && !holds(name, "v_proj");
        }).at("exclude_modules") == json{"layers.0.mlp.up_proj", "v_proj"});
  // Without an effect.
  CHECK(check({{"exclude_modules", {"lm_head", "proj"}}}, all).at("exclude_modules") == json{"lm_head", "proj"});
  CHECK(check({{"exclude_modules", ".*(vision|lm_head).*"}}, all).at("exclude_modules") == ".*(vision|lm_head).*");
  CHECK(check({{"exclude_modules", json::array()}}, all).at("exclude_modules").is_null());
  json targets = io::read_json(folder / "adapter_config.json").at("target_modules");
  targets.push_back("c_attn");  // of another architecture
  CHECK(check({{"target_modules", targets}, {"layers_to_transform", 1}}, second).at("target_modules").size() ==
        targets.size() - 1);

  const auto refused = [&](const json& changes, auto kept, const names& parts) {
    write_some(folder, changes, kept);
    check_refused(folder, parts);
  };
  refused({{"layers_to_transform", 1}}, all, {"layers.0.", "is not expected"});
  refused({{"exclude_modules", ".*layers.0.*"}}, second, {"'exclude_modules'", "\".*layers.0.*\""});
  refused({{"layers_to_transform", 7}}, all, {"'layers_to_transform'", "leave no linear"});
  refused({{"layers_to_transform", {1}}, {"layers_pattern", "(h|layers)"}}, second, {"'layers_pattern'", "(h|layers)"});
  refused({{"layers_pattern", "layers"}}, all, {"'layers_pattern'"});
  for (const json& value : {json("1"), json(1.5), json(true), json{1, "2"}, json{1.5}, json::object({{"a", 1}})})
    refused({{"layers_to_transform", value}}, all, {"'layers_to_transform' is " + value.dump()});
  for (const json& value : {json(1), json{1}, json::object({{"a", 1}})})
    refused({{"exclude_modules", value}}, all, {"'exclude_modules' is " + value.dump()});
  refused({{"target_modules", {"c_attn"}}}, all, {"'c_attn'"});
}
