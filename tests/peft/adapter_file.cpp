// Adapter folders: round trips, PEFT's layout, and everything that has to be refused.
#include "mor1e/peft/adapter_file.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/testing/random.hpp"
#include "mor1e/testing/temporary_folder.hpp"
#include "peft/adapter_folder.hpp"

using namespace mor1e;
using namespace mor1e::testing;
using nlohmann::json;

namespace {

void randomise(peft::adapter_set<cpu, float>& set) {
  std::uint64_t key = 1;
  for (auto* p : set.parameters()) {
    const tensor<float> values = testing::random<float>(p->extents(), ++key);
    p->write(values);
  }
}

peft::adapter_record full_record() {
  peft::adapter_record record;
  record.spec = {.method = peft::mor1e{.experts = 6,
                                       .c_token = 5,
                                       .c_intuition = 2.5,
                                       .update_scale = 0.75,
                                       .gate_learning_rate_scale = 0.5,
                                       .router_bias = true},
                 .targets = {"q_proj", "k_proj", "down_proj"},
                 .seed = 0xfedcba9876543210u};
  record.base_model = "base";
  record.base_sha256 = std::string(64, 'a');
  record.intuition = {{"embedder", "minilm"}, {"prefix", "clustering: "}};
  record.centroids = testing::random<float>(shape{6, 10}, 3);
  record.extras = {{"template", "letter"}, {"tasks", {"a", "b"}}};
  return record;
}

}  // namespace

TEST_CASE("a mixture comes back with everything that was said of it") {
  const testing::temporary_folder scratch;
  const auto model = load_base(), other = load_base();
  const peft::adapter_record record = full_record();
  auto set = peft::attach(*model, record.spec);
  randomise(set);
  peft::save_adapter(scratch / "a", set, record);
  auto loaded = peft::load_adapter(*other, scratch / "a");
  CHECK(same_values(set, loaded.set));
  CHECK(loaded.set.linears() == set.linears());
  CHECK(loaded.record.spec == record.spec);
  CHECK(loaded.record.base_model == record.base_model);
  CHECK(loaded.record.base_sha256 == record.base_sha256);
  CHECK(loaded.record.intuition == record.intuition);
  CHECK(loaded.record.extras == record.extras);
  REQUIRE(loaded.record.centroids.extents() == record.centroids.extents());
  CHECK(std::equal(record.centroids.begin(), record.centroids.end(), loaded.record.centroids.begin()));

  const json config = io::read_json(scratch / "a" / "adapter_config.json");
  CHECK(config.at("peft_type") == "MOR1E");
  CHECK(config.at("gate_sharpness") == 100);
  const io::safetensors_file file(scratch / "a" / "adapter_model.safetensors");
  CHECK(file.at("base_model.model.model.layers.1.mlp.down_proj.router.bias").extents == shape{6});
  CHECK(file.at("base_model.model.model.layers.0.self_attn.k_proj.gate_a").extents == shape{1});
  CHECK(file.at("base_model.model.model.layers.0.self_attn.q_proj.router.weight").extents == shape{6, 32});

  // Saved again, the same bytes; and over an existing folder.
  peft::save_adapter(scratch / "a", loaded.set, loaded.record);
  peft::save_adapter(scratch / "b", set, record);
  for (const char* name : {"adapter_config.json", "adapter_model.safetensors"})
    CHECK(io::read_text(scratch / "a" / name) == io::read_text(scratch / "b" / name));
}

TEST_CASE("every preset survives the way through JSON") {
  for (const std::string& name : peft::method_names()) {
    CAPTURE(name);
    peft::adapter_spec spec = peft::preset(name);
    spec.seed = 7;
    const json there = peft::to_json(spec);
    CHECK(peft::spec_from_json(there, "there") == spec);
    CHECK(name.find(spec.method.label()) != std::string::npos);
  }
  // Every field away from its default; the ablations exclude each other, so one at a time.
  for (const peft::mor1e& method : {peft::mor1e{.experts = 3,
                                   .c_token = 5,
                                   .c_intuition = 6,
                                   .learned_gates = false,
                                   .router = false,
                                   .update_scale = 2,
                                   .gate_learning_rate_scale = 3,
                                   .router_bias = true},
                                    peft::mor1e{.intuition = false}}) {
    const peft::adapter_spec spec{.method = method, .targets = {"a"}, .seed = 9};
    CHECK(peft::spec_from_json(peft::to_json(spec), "there") == spec);
  }
  CHECK(peft::preset("mor1e") != peft::preset("mor1e-paper"));
  CHECK(peft::preset("lora").method.needs().clusters == 0);
  CHECK(peft::preset("mor1e-paper").method.needs().clusters == 32);
  CHECK(peft::preset("sira").method.needs().draws);
  CHECK(peft::any_method(peft::dora{.dropout = 0.1}).needs().draws);
  for (const char* name : {"sira-release", "lora", "mor1e"}) CHECK_FALSE(peft::preset(name).method.needs().draws);
  CHECK_THROWS_WITH_AS(peft::preset("vera"),
                       "method 'vera' is not known (lora, rslora, dora, mor1e, mor1e-paper, mix, mix-paper, molora, "
                       "molora-release, sira, sira-release, loramoe, hydralora, adamole)",
                       value_error);
}

TEST_CASE("mixtures of low-rank experts come back, and what they do not know is refused") {
  const testing::temporary_folder scratch;
  const peft::router_losses losses{.gshard = 1, .balance = 2, .variation = 3, .z = 4, .entropy = 5};
  // Every field away from its default.
  const std::vector<peft::any_method> methods{
      peft::molora{.experts = 3,
                   .rank = 2,
                   .alpha = 5,
                   .order = peft::slot_order::tiled,
                   .start_of_products = peft::start::zero,
                   .start_of_router = peft::start::uniform,
                   .losses = losses},
      peft::sira{.experts = 3,
                 .rank = 2,
                 .k = 1,
                 .alpha = 5,
                 .capacity = 2.5,
                 .renorm = peft::renormalise::after_capacity,
                 .group = peft::token_group::batch,
                 .order = peft::slot_order::tiled,
                 .gate_dropout = 0.25,
                 .start_of_products = peft::start::normal,
                 .start_of_router = peft::start::zero,
                 .losses = losses},
      peft::loramoe{
          .experts = 4, .rank = 2, .alpha = 5, .losses = losses, .dropout = 0.5, .type_balance = 0.75, .delta = 0.25},
      peft::hydralora{.experts = 3, .rank = 2, .alpha = 5, .losses = losses},
      peft::adamole{.experts = 3, .rank = 2, .alpha = 5, .threshold = 0.125, .losses = losses}};
  for (const peft::any_method& method : methods) {
    const auto model = load_base(), other = load_base();
    peft::adapter_record record;
    record.spec = {.method = method, .targets = {"down_proj", "q_proj"}, .seed = 4};
    record.extras = {{"steps", 3}};
    const std::string family = record.spec.method.label();
    CAPTURE(family);
    auto set = peft::attach(*model, record.spec);
    randomise(set);
    peft::save_adapter(scratch / family, set, record);
    auto loaded = peft::load_adapter(*other, scratch / family);
    CHECK(same_values(set, loaded.set));
    CHECK(loaded.record.spec == record.spec);
    CHECK(loaded.record.extras == record.extras);

    const json config = io::read_json(scratch / family / "adapter_config.json");
    CHECK(config.at("peft_type").get<std::string>().size() == family.size());
    CHECK(record.spec.method.needs().clusters == 0);
    for (const auto& key : config.items()) {
      if (key.key() != "experts" && !key.key().ends_with("_loss") && key.key() != "slot_order") continue;
      if (key.key() == "type_balance_loss") continue;  // came later: see below
      json changed = config;
      changed.erase(key.key());
      io::write_json(scratch / family / "adapter_config.json", changed);
      check_refused(scratch / family, {text("'", key.key(), "' is missing")});
    }
    json changed = config;
    const bool gates_drop = config.contains("gate_dropout");
    changed["gate_dropout"] = gates_drop ? 1.5 : 0.1;
    io::write_json(scratch / family / "adapter_config.json", changed);
    check_refused(scratch / family, {"gate_dropout", gates_drop ? "1.5 is no rate" : "0.1 is not supported"});
    if (config.contains("top_k")) {
      changed = config;
      changed["top_k"] = 4;
      io::write_json(scratch / family / "adapter_config.json", changed);
      check_refused(scratch / family, {"sira: 4 of 3 experts"});
    }
    if (config.contains("type_balance_loss")) {
      changed = config;
      changed["type_delta"] = 1.5;
      io::write_json(scratch / family / "adapter_config.json", changed);
      check_refused(scratch / family, {"'type_delta' is 1.5"});
      changed.erase("type_delta"), changed.erase("type_balance_loss");
      const peft::adapter_spec older = peft::spec_from_json(changed, "older");
      CHECK(older.method.as<peft::loramoe>() ==
            peft::loramoe{.experts = 4, .rank = 2, .alpha = 5, .losses = losses, .dropout = 0.5});
    }
    changed = config;
    changed["experts"] = 2'000'000'000;
    io::write_json(scratch / family / "adapter_config.json", changed);
    check_refused(scratch / family, {"'experts' is 2000000000"});
    if (config.contains("slot_order"))
      for (const json& value : {json("shared"), json(1), json("")}) {
        changed = config;
        changed["slot_order"] = value;
        io::write_json(scratch / family / "adapter_config.json", changed);
        check_refused(scratch / family, {"'slot_order' is " + value.dump()});
      }
  }
}

TEST_CASE("LoRA is written as PEFT writes it") {
  const testing::temporary_folder scratch;
  const auto model = load_base();
  const std::filesystem::path theirs = golden / "lora" / "adapter_after";
  auto adapter = peft::load_adapter(*model, theirs);
  CHECK(adapter.record.extras.is_null());
  // "All linears" is spelt out for PEFT.
  adapter.record.spec.targets.clear();
  adapter.record.extras = {{"steps", 30}};
  adapter.record.base_sha256 = "b";
  adapter.record.spec.seed = 5;
  peft::save_adapter(scratch / "ours", adapter.set, adapter.record);
  CHECK(io::read_json(scratch / "ours" / "adapter_config.json") == io::read_json(theirs / "adapter_config.json"));
  const io::safetensors_file a(theirs / "adapter_model.safetensors"), b(scratch / "ours" / "adapter_model.safetensors");
  REQUIRE(a.entries().size() == b.entries().size());
  for (const auto& entry : a.entries()) {
    const auto& ours = b.at(entry.name);
    CHECK(ours.type == entry.type);
    CHECK(ours.extents == entry.extents);
    CHECK(std::memcmp(a.bytes(entry).data(), b.bytes(ours).data(), entry.bytes) == 0);
  }
  CHECK(b.metadata().at("format") == "pt");

  const auto other = load_base();
  const auto again = peft::load_adapter(*other, scratch / "ours");
  CHECK(again.record.extras == adapter.record.extras);
  CHECK(again.record.base_sha256 == "b");
  CHECK(again.record.spec.seed == 5);
}

TEST_CASE("options of PEFT that change the result are honoured or refused by name") {
  const testing::temporary_folder scratch;
  const std::filesystem::path folder = scratch / "changed";
  const auto scale_of = [&](const std::function<void(json&)>& change) {
    write_changed(folder, change);
    const auto model = load_base();
    return peft::load_adapter(*model, folder).record.spec.method.scale();
  };
  CHECK(scale_of([](json& c) { c["lora_alpha"] = 3; }) == doctest::Approx(0.75));
  CHECK(scale_of([](json& c) { c["lora_alpha"] = 2.5; }) == doctest::Approx(0.625));
  CHECK(scale_of([](json& c) { c["use_rslora"] = true; }) == doctest::Approx(4));
  CHECK(scale_of([](json& c) { c["target_modules"] = "all-linear"; }) == doctest::Approx(2));
  // These say nothing about the result, or are off; older and newer versions lack and add keys.
  CHECK(scale_of([](json& c) {
          c["lora_dropout"] = 0.1;
          c["inference_mode"] = false;
          c["init_lora_weights"] = "gaussian";
          c["a_key_of_the_future"] = false;
          c["another"] = json::array();
          c.erase("use_rslora");
          c.erase("velora_config");
        }) == doctest::Approx(2));

  const std::vector<std::pair<const char*, json>> refused = {{"bias", "all"},
                                                             {"lora_bias", true},
                                                             {"fan_in_fan_out", true},
                                                             {"modules_to_save", {"lm_head"}},
                                                             {"init_lora_weights", "pissa"},
                                                             {"layer_replication", {{0, 1}}},
                                                             {"trainable_token_indices", {1}},
                                                             {"target_parameters", {"a"}},
                                                             {"use_qalora", true},
                                                             {"a_key_of_the_future", 1}};
  for (const auto& option : refused) {
    CAPTURE(option.first);
    write_changed(folder, [&](json& c) { c[option.first] = option.second; });
    check_refused(folder, {text("'", option.first, "'"), option.second.dump(), "is not supported"});
  }
  for (const double rate : {1.0, -0.1, 2.5}) {
    write_changed(folder, [&](json& c) { c["lora_dropout"] = rate; });
    check_refused(folder, {"'lora_dropout' is "});
  }
  // Understood, but then the tensors of LoRA are not all.
  write_changed(folder, [](json& c) { c["use_dora"] = true; });
  check_refused(folder, {"lora_magnitude_vector"});
  write_changed(folder, [](json& c) { c["target_modules"] = "model.*q_proj"; });
  check_refused(folder, {"'target_modules'", "regular expression", "model.*q_proj"});
  write_changed(folder, [](json& c) { c["target_modules"] = {"embed_tokens"}; });
  check_refused(folder, {"adapter_config.json", "'embed_tokens'"});
  write_changed(folder, [](json& c) { c["peft_type"] = "LOHA"; });
  check_refused(folder, {"peft_type 'LOHA'"});
  for (const char* key : {"peft_type", "r", "lora_alpha", "target_modules"}) {
    write_changed(folder, [&](json& c) { c.erase(key); });
    check_refused(folder, {text("'", key, "' is missing")});
  }
  for (const json& value : {json("4"), json(4.5), json(5'000'000'000), json(nullptr)}) {
    write_changed(folder, [&](json& c) { c["r"] = value; });
    check_refused(folder, {"'r' is " + value.dump()});
  }
}

TEST_CASE("tensors that do not fit are named") {
  const testing::temporary_folder scratch;
  const std::filesystem::path folder = scratch / "changed", source = golden / "lora" / "adapter_before";
  const io::safetensors_file file(source / "adapter_model.safetensors");
  const std::string name = "base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight";
  const auto rewrite = [&](const std::function<void(std::vector<io::stored_tensor>&)>& change) {
    write_changed(folder, [](json&) {});
    std::vector<io::stored_tensor> tensors;
    for (const auto& e : file.entries()) tensors.push_back({e.name, e.type, e.extents, file.bytes(e).data()});
    change(tensors);
    io::write_safetensors(folder / "adapter_model.safetensors", tensors);
  };
  const auto at = [&](std::vector<io::stored_tensor>& tensors) {
    return std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name == name; });
  };
  rewrite([&](auto& t) { t.erase(at(t)); });
  check_refused(folder, {name});
  rewrite([&](auto& t) { at(t)->extents = shape{4, 16}; });
  check_refused(folder, {name, "[4, 16]", "[16, 4]"});
  const tensor<float> more(shape{2}, 0.f);
  rewrite([&](auto& t) { t.push_back(io::stored("base_model.model.model.embed_tokens.weight", more)); });
  check_refused(folder, {"'base_model.model.model.embed_tokens.weight' is not expected"});
  write_changed(folder, [](json& c) { c["r"] = 2'000'000'000; });
  check_refused(folder, {"'r' is 2000000000"});
  write_changed(folder, [](json& c) { c["r"] = 2000; });
  check_refused(folder, {"lora_A.weight", "2000"});
  write_changed(folder, [](json& c) { c["target_modules"] = {"q_proj"}; });
  check_refused(folder, {"is not expected"});
  rewrite([](auto&) {});
  const auto model = load_base();
  CHECK_NOTHROW((void)peft::load_adapter(*model, folder));
  std::filesystem::remove(folder / "adapter_model.safetensors");
  check_refused(folder, {"adapter_model.safetensors"});
}

TEST_CASE("a mixture without its intuition is refused") {
  const testing::temporary_folder scratch;
  const std::filesystem::path folder = scratch / "a";
  const auto model = load_base();
  peft::adapter_record record = full_record();
  auto set = peft::attach(*model, record.spec);
  peft::save_adapter(folder, set, record);
  const json config = io::read_json(folder / "adapter_config.json");

  json changed = config;
  changed.erase("intuition");
  io::write_json(folder / "adapter_config.json", changed);
  check_refused(folder, {"'intuition'"});
  changed = config;
  changed["intuition_centroids"] = {7, 10};
  io::write_json(folder / "adapter_config.json", changed);
  check_refused(folder, {"'intuition.centroids'", "[6, 10]", "[7,10]"});
  changed = config;
  changed["gate_sharpness"] = 50;
  io::write_json(folder / "adapter_config.json", changed);
  check_refused(folder, {"'gate_sharpness': 50 is not supported"});
  changed = config;
  changed.erase("c_token");
  io::write_json(folder / "adapter_config.json", changed);
  check_refused(folder, {"'c_token' is missing"});
  io::write_json(folder / "adapter_config.json", config);
  const std::string before = io::read_text(folder / "adapter_model.safetensors");

  // Nothing is written, and what stood there stands.
  record.intuition = nullptr;
  for (auto* p : set.parameters()) p->value.fill(3);
  CHECK_THROWS_AS(peft::save_adapter(folder, set, record), value_error);
  CHECK(io::read_text(folder / "adapter_model.safetensors") == before);
  CHECK(std::distance(std::filesystem::directory_iterator(scratch.path()), {}) == 1);

  record.spec.method.as<peft::mor1e>().intuition = false;
  set = {};
  set = peft::attach(*model, record.spec);
  record.centroids = {};
  CHECK_NOTHROW(peft::save_adapter(folder, set, record));
  const auto other = load_base();
  CHECK(peft::load_adapter(*other, folder).record.spec.method.needs().clusters == 0);
}

TEST_CASE("mixes, DoRA and the options of MoR1E come back, and sizes that make no sense are refused") {
  const testing::temporary_folder scratch;
  const std::vector<peft::any_method> methods{
      peft::lora{.rank = 2, .alpha = 3, .rank_stabilised = true, .dropout = 0.25},
      peft::dora{.rank = 2, .alpha = 3, .rank_stabilised = true, .dropout = 0.25},
      peft::mor1e{.experts = 4, .clusters = 6, .before = true}, peft::mor1e{.experts = 6, .low_rank_router = true},
      peft::mix_and_match{.r1 = 2,
                          .r2 = 3,
                          .factorised = true,
                          .c_token = 2,
                          .c_intuition = 3,
                          .learned_gates = false,
                          .update_scale = 0.5,
                          .clusters = 4}};
  int number = 0;
  for (const peft::any_method& method : methods) {
    const auto model = load_base(), other = load_base();
    peft::adapter_record record;
    record.spec = {.method = method, .targets = {"down_proj", "q_proj"}, .seed = 4};
    record.intuition = {{"embedder", "minilm"}};
    const std::filesystem::path folder = scratch / std::to_string(number++);
    CAPTURE(folder.string());
    auto set = peft::attach(*model, record.spec);
    randomise(set);
    peft::save_adapter(folder, set, record);
    auto loaded = peft::load_adapter(*other, folder);
    CHECK(same_values(set, loaded.set));
    CHECK(loaded.record.spec == record.spec);
    const json config = io::read_json(folder / "adapter_config.json");
    for (const auto& [key, value] : std::vector<std::pair<const char*, json>>{
             {"clusters", -1}, {"clusters", 2'000'000'000}, {"r1", 0}, {"r2", 2'000'000'000}}) {
      if (!config.contains(key)) continue;
      json changed = config;
      changed[key] = value;
      io::write_json(folder / "adapter_config.json", changed);
      check_refused(folder, {value.dump()});
    }
  }
}

TEST_CASE("what was attached is what is saved: a record of another method is refused") {
  cpu device;
  const auto model = models::load<cpu, float>(device, "toy");
  auto set = peft::attach(*model, peft::molora{.experts = 4, .rank = 2}, 7, {"q_proj"});
  const temporary_folder here;
  const std::filesystem::path folder = here.path() / "attached";
  CHECK_THROWS_WITH_AS(peft::save_adapter(folder, set, {}), doctest::Contains("the record is of mor1e"), value_error);
  CHECK_THROWS_WITH_AS(peft::save_adapter(folder, set, {.spec = {.method = peft::molora{.experts = 8, .rank = 2}}}),
                       doctest::Contains("\"experts\":8"), value_error);
  CHECK_FALSE(std::filesystem::exists(folder));
  peft::save_adapter(folder, set);
  const auto other = models::load<cpu, float>(device, "toy");
  const auto loaded = peft::load_adapter(*other, folder);
  CHECK(loaded.record.spec.seed == 7);
  CHECK(loaded.record.spec.targets == std::vector<std::string>{"q_proj"});
  CHECK(loaded.record.spec.method == peft::any_method(peft::molora{.experts = 4, .rank = 2}));
}
