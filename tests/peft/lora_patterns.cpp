// PEFT's rank_pattern and alpha_pattern: read as one LoRA, or refused.
#include "mor1e/peft/lora_patterns.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "host_values.hpp"
#include "mor1e/testing/random.hpp"
#include "mor1e/testing/temporary_folder.hpp"
#include "peft/adapter_folder.hpp"

using namespace mor1e;
using namespace mor1e::testing;

TEST_CASE("a key is the name of a linear or its end; the first counts") {
  const auto rank = [](const std::vector<std::pair<std::string, int>>& ranks, const char* linear) {
    return peft::lora_patterns{ranks, {}}.of(linear, {.rank = 8, .alpha = 3, .dropout = 0.5}).rank;
  };
  CHECK(rank({{"q_proj", 2}}, "layers.0.q_proj") == 2);
  CHECK(rank({{"q_proj", 2}}, "q_proj") == 2);
  CHECK(rank({{"q_proj", 2}}, "layers.0.faq_proj") == 8);
  CHECK(rank({{"proj", 2}}, "layers.0.q_proj") == 8);
  CHECK(rank({{"0.q_proj", 2}}, "layers.10.q_proj") == 8);
  CHECK(rank({{"^layers.0.q_proj", 2}}, "layers.0.q_proj") == 2);
  CHECK(rank({{"^q_proj", 2}}, "layers.0.q_proj") == 8);
  CHECK(rank({{"q.proj", 2}}, "layers.0.q_proj") == 2);  // of a regular expression
  CHECK(rank({{"layers.0.q_proj", 4}, {"q_proj", 2}}, "layers.0.q_proj") == 4);
  CHECK(rank({{"q_proj", 2}, {"layers.0.q_proj", 4}}, "layers.0.q_proj") == 2);
  CHECK(rank({{"0.q_proj", 4}, {"0.k_proj", 2}}, "layers.1.q_proj") == 8);
  CHECK(peft::lora_patterns{{}, {{"q_proj", 5}}}.of("q_proj", {.rank = 8, .dropout = 0.5}) ==
        peft::lora{.rank = 8, .alpha = 5, .dropout = 0.5});
}

TEST_CASE("linears with a rank or an alpha of their own: the LoRA of one rank that computes the same") {
  const testing::temporary_folder scratch;
  const std::filesystem::path folder = scratch / "changed";
  const io::safetensors_file plain(golden / "lora" / "adapter_before" / "adapter_model.safetensors");
  const auto delta = [](const tensor<float>& b, const tensor<float>& a, double scale) {
    tensor<double> out(shape{b.extents()[0], a.extents()[1]}, 0.0);
    for (index_t i = 0; i < out.extents()[0]; ++i)
      for (index_t j = 0; j < out.extents()[1]; ++j)
        for (index_t k = 0; k < a.extents()[0]; ++k)
          out[i * out.extents()[1] + j] +=
              scale * double(b[i * a.extents()[0] + k]) * double(a[k * out.extents()[1] + j]);
    return out;
  };
  // r 4 and alpha 8; PEFT's layout with other ranks, and B not zero.
  const auto rank_of = [](const std::string& name) {
    return name.find("layers.0.mlp.up_proj") != std::string::npos ? 7
           : name.find("v_proj") != std::string::npos             ? 2
                                                                  : 4;
  };
  const json ranks = {{"layers.0.mlp.up_proj", 7}, {"proj", 3}, {"v_proj", 2}};  // "proj" is the end of no name
  const json alphas = {{"^model.layers.1.self_attn.v.proj", 3}, {"^v_proj", 100}, {"v_proj", 5}};
  std::vector<tensor<float>> values;
  const auto write = [&](const std::function<void(json&)>& change) {
    write_changed(folder, [&](json& c) {
      c["rank_pattern"] = ranks, c["alpha_pattern"] = alphas;
      change(c);
    });
    values.clear();
    std::vector<io::stored_tensor> tensors;
    for (const auto& e : plain.entries()) {
      const bool up = e.name.ends_with(".lora_B.weight");
      const index_t rank = rank_of(e.name);
      values.push_back(
          testing::random<float>(up ? shape{e.extents[0], rank} : shape{rank, e.extents[1]}, values.size()));
    }
    for (std::size_t i = 0; i < values.size(); ++i) tensors.push_back(io::stored(plain.entries()[i].name, values[i]));
    io::write_safetensors(folder / "adapter_model.safetensors", tensors);
  };
  for (const bool stabilised : {false, true}) {
    write([&](json& c) { c["use_rslora"] = stabilised; });
    const io::safetensors_file file(folder / "adapter_model.safetensors");
    const auto model = load_base();
    auto loaded = peft::load_adapter(*model, folder);
    const auto& method = loaded.record.spec.method.as<peft::lora>();
    CHECK(method == peft::lora{.rank = 7, .alpha = 7});
    auto views = loaded.set.views();
    for (std::size_t i = 0; i + 1 < views.size(); i += 2) {
      const std::string name = views[i].name;
      CAPTURE(name);
      const double alpha = name.find("1.self_attn.v_proj") != std::string::npos ? 3
                           : name.find("v_proj") != std::string::npos           ? 5
                                                                                : 8;
      const double rank = rank_of(name), scale = alpha / (stabilised ? std::sqrt(rank) : rank);
      const auto found = delta(views[i + 1].read(), views[i].read(), method.scale());
      const auto expected = delta(file.read<float>("base_model.model." + views[i + 1].name),
                                  file.read<float>("base_model.model." + name), scale);
      REQUIRE(found.extents() == expected.extents());
      for (index_t k = 0; k < found.size(); ++k) CHECK(found[k] == doctest::Approx(expected[k]).epsilon(1e-5));
    }
    // Saved, it is a plain LoRA.
    peft::save_adapter(scratch / "plain", loaded.set, loaded.record);
    const auto other = load_base();
    auto again = peft::load_adapter(*other, scratch / "plain");
    CHECK(same_values(loaded.set, again.set));
  }

  // Two keys that fit one linear: the first of the file counts, whatever the alphabet says.
  write([](json&) {});
  for (const bool alphabetical : {true, false}) {
    std::string config = io::read_text(folder / "adapter_config.json");
    const std::string whole = R"("model.layers.1.self_attn.v_proj": 3)", end = R"("v_proj": 5)";
    const std::size_t at = config.find("\"alpha_pattern\": {"), until = config.find('}', at);
    config.replace(at, until - at, R"("alpha_pattern": {)" + (alphabetical ? whole + ", " + end : end + ", " + whole));
    io::write_text(folder / "adapter_config.json", config);
    const auto model = load_base();
    auto loaded = peft::load_adapter(*model, folder);
    const io::safetensors_file file(folder / "adapter_model.safetensors");
    for (const auto& v : loaded.set.views())
      if (v.name == "model.layers.1.self_attn.v_proj.lora_B.weight") {
        const float stored = file.read<float>("base_model.model." + v.name)[0];  // rank 2
        CHECK(v.read()[0] == doctest::Approx(stored * (alphabetical ? 3 : 5) / 2));
      }
  }

  const auto refused = [&](const char* key, const json& value, const std::vector<std::string>& parts) {
    write([&](json& c) { c[key] = value; });
    check_refused(folder, parts);
  };
  refused("rank_pattern", {{"layers.0.mlp.up_proj", 7}, {"v_proj", 3}},
          {"v_proj.lora_A.weight", "[2, ", "asks for 3 rows"});
  refused("rank_pattern", {{".*v_proj", 2}}, {"'rank_pattern' has the regular expression \".*v_proj\""});
  refused("alpha_pattern", {{"(q|v)_proj", 2}}, {"'alpha_pattern' has the regular expression \"(q|v)_proj\""});
  for (const json& value : {json(0), json(-1), json(2.5), json("2"), json(2'000'000'000)})
    refused("rank_pattern", {{"v_proj", value}}, {"'rank_pattern' of v_proj is " + value.dump()});
  refused("alpha_pattern", {{"v_proj", nullptr}}, {"'alpha_pattern' of v_proj is null"});
  refused("alpha_pattern", {1}, {"'alpha_pattern': [1] is not supported"});
}
