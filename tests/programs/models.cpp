// The programs logits, tokenize, embed and generate, as a shell sees them.
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "models/fixture.hpp"
#include "mor1e/cluster/intuition.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/text/utf8.hpp"
#include "programs/shell.hpp"

using namespace mor1e;
using testing::compare;
using testing::golden_folder;
using testing::shell;
namespace fs = std::filesystem;

namespace {

const shell here;

void write_ids(const std::string& name, shape extents, const std::vector<std::int64_t>& ids,
               const std::vector<std::int64_t>& mask = {}) {
  std::vector<io::stored_tensor> tensors{{"input_ids", dtype::i64, extents, ids.data()}};
  if (!mask.empty()) tensors.push_back({"attention_mask", dtype::i64, extents, mask.data()});
  io::write_safetensors(here / name, tensors);
}

nlohmann::json read(const std::string& name) { return io::read_json(here / name); }

/// A copy of a golden model, to be damaged.
fs::path copy_model(const std::string& name, const std::string& as) {
  fs::copy(golden_folder() / "models" / name, here / as, fs::copy_options::recursive);
  for (const auto& entry : fs::directory_iterator(here / as)) fs::permissions(entry.path(), fs::perms::owner_all);
  return here / as;
}

/// The same tensors with one renamed, left out (no name) or added again under another name.
void rewrite(const fs::path& file, const std::string& tensor_name, const std::string& new_name, bool keep) {
  const auto copy = fs::path(file).concat(".old");
  fs::rename(file, copy);
  const io::safetensors_file old(copy);
  std::vector<io::stored_tensor> tensors;
  for (const auto& entry : old.entries()) {
    const bool met = entry.name == tensor_name;
    if (!met || keep) tensors.push_back({entry.name, entry.type, entry.extents, old.bytes(entry).data()});
    if (met && !new_name.empty()) tensors.push_back({new_name, entry.type, entry.extents, old.bytes(entry).data()});
  }
  io::write_safetensors(file, tensors);
  fs::remove(copy);
}

/// An adapter on the toy model that changes its outputs, said to be trained on the weights with this hash.
void save_toy_adapter(const std::string& name, const peft::adapter_spec& spec, const std::string& base_hash,
                      const cluster::intuition_source* source = nullptr) {
  cpu device(1);
  const auto model = models::load<cpu, float>(device, "toy");
  auto set = peft::attach(*model, spec);
  for (auto* p : set.parameters()) {
    tensor<float> values(p->extents());
    for (index_t i = 0; i < p->size(); ++i) values[i] = 0.05f * float(i % 5 - 2);
    p->write(values);
  }
  peft::adapter_record record;
  record.spec = spec;
  record.base_model = "toy";
  record.base_sha256 = base_hash;
  if (source) record.intuition = cluster::to_json(*source), record.centroids = source->centroids.clone();
  peft::save_adapter(here / name, set, record);
}

}  // namespace

TEST_CASE("logits: names and values of the golden fixtures, of decoders and encoders") {
  for (const char* family : {"models", "encoders"})
    testing::for_each_fixture(family, [&](const fs::path& folder) {
      const auto input = folder / "golden.safetensors";
      const auto got = here.run(
          "logits", "--model " + folder.string() + " --input " + input.string() + " --out y.safetensors --threads 2");
      if (got.err.find("not supported") != std::string::npos) throw value_error(got.err);
      REQUIRE_MESSAGE(got.code == 0, got.err);
      const io::safetensors_file golden(input), ours(here / "y.safetensors");
      std::size_t expected = 0;
      for (const auto& entry : golden.entries()) {
        if (entry.type != dtype::f32 || entry.name.starts_with("gen.") || entry.name.starts_with("grad.")) continue;
        compare(golden, entry.name, ours.read<float>(entry.name), {.atol = 1e-4, .rtol = 1e-4, .mtol = 1e-5});
        ++expected;
      }
      CHECK(ours.entries().size() == expected);
    });
}

TEST_CASE("logits: without mask and labels, all tokens count and there is no loss") {
  write_ids("x.safetensors", {1, 3}, {1, 2, 3});
  CHECK(here.check_success("logits", "--model toy --input x.safetensors --out y.safetensors --json r.json")
            .starts_with("3 tokens in 1 sequences, "));
  const io::safetensors_file out(here / "y.safetensors");
  CHECK(out.at("logits").extents == shape{1, 3, 257});
  CHECK(out.find("hidden.2"));
  CHECK(!out.find("hidden.3"));
  CHECK(!out.find("loss"));
  CHECK(read("r.json")["tokens"] == 3);
  CHECK(here.check_success("logits", "--quiet --model toy --input x.safetensors --out y.safetensors") == "");
}

TEST_CASE("logits: an adapter changes them, and must fit the model") {
  write_ids("x.safetensors", {2, 3}, {1, 2, 3, 4, 5, 6});
  here.check_success("logits", "--model toy --input x.safetensors --out base.safetensors");
  save_toy_adapter("lora", peft::preset("lora"), models::weights_hash("toy"));
  here.check_success("logits", "--model toy --adapter lora --input x.safetensors --out adapted.safetensors");
  const auto base = io::safetensors_file(here / "base.safetensors").read<float>("logits");
  const auto adapted = io::safetensors_file(here / "adapted.safetensors").read<float>("logits");
  CHECK(!std::equal(base.begin(), base.end(), adapted.begin()));

  save_toy_adapter("foreign", peft::preset("lora"), std::string(64, '0'));
  here.check_refusal("logits", "--model toy --adapter foreign --input x.safetensors --out y2.safetensors", 2,
                     "foreign: trained on weights with hash 0000");
  here.check_refusal("logits", "--model toy --adapter nowhere --input x.safetensors --out y2.safetensors", 1,
                     "nowhere/adapter_config.json");
  const auto bert = (golden_folder() / "encoders" / "bert").string();
  here.check_refusal("logits", "--adapter lora --input x.safetensors --out y2.safetensors --model " + bert, 2,
                     "is an encoder");
}

TEST_CASE("logits and generate: an adapter with intuition") {
  const std::vector<std::string> texts{"one", "two", "three"};
  models::trigram_embedder embedder;
  cluster::intuition_source source{
      .embedder = "toy", .origin = {embedder.hash(), "", ""}, .centroids = embedder.embed(texts)};
  peft::adapter_spec spec = peft::preset("mor1e");
  spec.method.as<peft::mor1e>().experts = 3;
  save_toy_adapter("mixture", spec, "", &source);

  write_ids("x.safetensors", {1, 3}, {116, 119, 111});  // "two"
  here.check_refusal("logits", "--model toy --adapter mixture --input x.safetensors --out y2.safetensors", 2,
                     "no tensor 'intuition'");
  cpu device(1);
  const std::string prompt = "two";
  const auto intuition = cluster::intuition<float>(device, embedder.embed({&prompt, 1}), source.centroids);
  CHECK(intuition[1] == doctest::Approx(1));
  const std::vector<std::int32_t> ids{116, 119, 111};
  io::write_safetensors(here / "xi.safetensors",
                        std::vector<io::stored_tensor>{{"input_ids", dtype::i32, {1, 3}, ids.data()},
                                                       io::stored("intuition", intuition)});
  here.check_success("logits", "--model toy --adapter mixture --input xi.safetensors --out y.safetensors");
  const auto logits = io::safetensors_file(here / "y.safetensors").read<float>("logits");

  // The token that the last row prefers is the one that generate says first, if it embeds the prompt to the same
  // intuition.
  here.check_success("generate", "--model toy --adapter mixture --prompt two --tokens 1 --json g.json");
  const auto* last = logits.data() + 2 * 257;
  CHECK(read("g.json")["tokens"] == nlohmann::json{std::max_element(last, last + 257) - last});

  source.origin.embedder_hash = "other";
  save_toy_adapter("other", spec, "", &source);
  here.check_refusal("generate", "--model toy --adapter other --prompt two", 2,
                     "trained with an embedder with hash other");
}

TEST_CASE("logits: what is wrong with the input") {
  const auto refuse = [&](int code, const std::string& why) {
    here.check_refusal("logits", "--model toy --input bad.safetensors --out y2.safetensors", code, why);
  };
  write_ids("bad.safetensors", {2, 3}, {1, 2, 3, 4, 257, 6});
  refuse(2, "bad.safetensors: input_ids [1, 1] is 257, the vocabulary has 257 tokens");
  write_ids("bad.safetensors", {1, 2}, {1, -1});
  refuse(2, "input_ids [0, 1] is -1");
  write_ids("bad.safetensors", {1, 2049}, std::vector<std::int64_t>(2049, 1));
  refuse(2, "input_ids row 0 has 2049 tokens, the context of the model is 2048");
  write_ids("bad.safetensors", {2, 3}, {1, 2, 3, 4, 5, 6}, {0, 0, 1, 0, 0, 0});
  refuse(2, "attention_mask row 1 is 0 everywhere");
  write_ids("bad.safetensors", {1, 3}, {1, 2, 3}, {1, 0, 1});
  refuse(2, "attention_mask row 0 has 0 at 1 and 1 at 2");
  write_ids("bad.safetensors", {3}, {1, 2, 3});
  refuse(1, "tensor 'input_ids' has shape [3], not [sequences, length]");
  const std::vector<std::int64_t> ids{1, 2, 300};
  io::write_safetensors(
      here / "bad.safetensors",
      std::vector<io::stored_tensor>{{"input_ids", dtype::i64, {1, 3}, std::vector<std::int64_t>{1, 2, 3}.data()},
                                     {"labels", dtype::i64, {1, 3}, ids.data()}});
  refuse(2, "labels [0, 2] is 300");
  io::write_safetensors(here / "bad.safetensors",
                        std::vector<io::stored_tensor>{{"ids", dtype::i64, {1, 3}, ids.data()}});
  refuse(1, "no tensor 'input_ids'");
  fs::resize_file(here / "bad.safetensors", 20);
  refuse(1, "bad.safetensors");
}

TEST_CASE("what is wrong with the model") {
  write_ids("x.safetensors", {1, 3}, {1, 2, 3});
  const auto refuse = [&](const fs::path& model, int code, const std::string& why) {
    here.check_refusal("logits", "--input x.safetensors --out y2.safetensors --model " + model.string(), code, why);
  };
  refuse("nowhere", 1, "no model at nowhere");
  refuse("x.safetensors", 1, "neither a folder nor a .gguf file");

  auto model = copy_model("llama_mha", "truncated");
  fs::resize_file(model / "model.safetensors", fs::file_size(model / "model.safetensors") - 100);
  refuse(model, 1, "model.safetensors");
  fs::resize_file(model / "model.safetensors", 5);
  refuse(model, 1, "model.safetensors");

  model = copy_model("llama_mha", "missing");
  rewrite(model / "model.safetensors", "model.layers.1.mlp.up_proj.weight", "", false);
  refuse(model, 1, "tensor 'model.layers.1.mlp.up_proj.weight' is missing");

  model = copy_model("llama_mha", "unexpected");
  rewrite(model / "model.safetensors", "model.norm.weight", "model.norm.scale", true);
  refuse(model, 1, "1 unexpected tensors: model.norm.scale");

  model = copy_model("llama_mha", "other_shape");
  auto config = io::read_json(model / "config.json");
  config["intermediate_size"] = 113;
  io::write_json(model / "config.json", config);
  refuse(model, 1,
         "tensor 'model.layers.0.mlp.gate_proj.weight' has shape [112, 48], the configuration asks for [113, 48]");
  config["hidden_act"] = "relu";
  io::write_json(model / "config.json", config);
  refuse(model, 2, "hidden_act 'relu' is not supported");
  config.erase("hidden_size");
  io::write_json(model / "config.json", config);
  refuse(model, 1, "'hidden_size' is missing");
  config["model_type"] = "walrus";
  io::write_json(model / "config.json", config);
  refuse(model, 2, "model_type 'walrus' is not supported");

  const auto gguf = io::read_text(golden_folder() / "gguf" / "types.gguf");
  for (const std::size_t length : {std::size_t(0), std::size_t(30), gguf.size() / 2, gguf.size() - 1}) {
    io::write_text(here / "truncated.gguf", gguf.substr(0, length));
    refuse("truncated.gguf", 1, "truncated.gguf");
  }
}

TEST_CASE("what is wrong with the command") {
  write_ids("x.safetensors", {1, 3}, {1, 2, 3});
  for (const char* name : {"logits", "tokenize", "embed", "generate"}) {
    here.check_refusal(name, "--model toy --strange", 2,
                       name == std::string("generate") ? "--prompt is required"
                       : name == std::string("embed")  ? "--strange"
                                                       : "--input is required");
    here.check_refusal(name, "", 2, "required");
    CHECK(here.check_success(name, "--help").find("--model") != std::string::npos);
  }
  here.check_refusal("generate", "--model toy --prompt a --strange 1", 2, "--strange");
  here.check_refusal("generate", "--model toy --prompt a --tokens 0", 2, "--tokens");
  here.check_refusal("generate", "--model toy --prompt a --top-p 1.5", 2, "--top-p");
  here.check_refusal("generate", "--model toy --prompt a --backend cuda", 2, "CUDA");
  here.check_refusal("generate", "--model toy --prompt ''", 2, "--prompt: is empty");
  here.check_refusal("generate", "--model toy --chat --prompt a", 2, "which is no token of");
  here.check_refusal("generate", "--model toy --prompt " + std::string(2048, 'a'), 2,
                     "2048 tokens leave no room in a context of 2048");
  here.check_refusal("logits", "--model toy --input x.safetensors --out no/folder/y.safetensors", 1,
                     "no/folder/y.safetensors");
  here.check_refusal("tokenize", "--model toy --input x.safetensors --out t.json", 1, "x.safetensors");
}

TEST_CASE("tokenize: bytes of the toy model, and lists of anything but strings") {
  io::write_json(here / "s.json", {"ab", "h\u00e9<|end|>", ""});
  CHECK(here.check_success("tokenize", "--model toy --input s.json --out t.json") == "6 tokens in 3 strings\n");
  const auto list = read("t.json");
  REQUIRE(list.size() == 3);
  CHECK(list[0] == nlohmann::json{{"ids", {97, 98}}, {"raw", {97, 98}}, {"decoded", "ab"}});
  CHECK(list[1]["ids"] == nlohmann::json{104, 195, 169, 256});
  CHECK(list[1]["decoded"] == "h\u00e9<|end|>");
  CHECK(list[2]["ids"] == nlohmann::json::array());
  io::write_json(here / "s.json", {"ab", 3});
  here.check_refusal("tokenize", "--model toy --input s.json --out t2.json", 1, "s.json: element 1 is no string");
  io::write_json(here / "s.json", {{"a", "b"}});
  here.check_refusal("embed", "--model toy --input s.json --out t2.json", 1, "s.json: is not a list of strings");
}

TEST_CASE("tokenize: ids, ids without special tokens and texts of a golden tokenizer") {
  const auto tokenizers = golden_folder() / "tokenizers";
  here.check_success("tokenize", "--model " + (tokenizers / "minilm").string() + " --input " +
                                     (tokenizers / "strings.json").string() + " --out t.json");
  const auto ours = read("t.json"), expected = io::read_json(tokenizers / "minilm" / "encodings.json");
  REQUIRE(ours.size() == expected.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    CAPTURE(i);
    CHECK(ours[i]["ids"] == expected[i]["ids"]);
    CHECK(ours[i]["raw"] == expected[i].value("raw", expected[i]["ids"]));
    CHECK(ours[i]["decoded"] == expected[i]["decoded"]);
  }
}

TEST_CASE("embed: unit rows, what they depend on in the metadata") {
  io::write_json(here / "s.json", {"a cat", "two dogs", "", "a cat"});
  CHECK(here.check_success("embed", "--model toy --input s.json --out e.safetensors")
            .starts_with("4 sentences of 64 numbers, "));
  const io::safetensors_file plain(here / "e.safetensors");
  const auto e = plain.read<float>("embeddings");
  REQUIRE(e.extents() == shape{4, 64});
  const auto dot = [&](const tensor<float>& x, index_t i, const tensor<float>& y, index_t j) {
    double sum = 0;
    for (index_t c = 0; c < 64; ++c) sum += double(x[i * 64 + c]) * double(y[j * 64 + c]);
    return sum;
  };
  for (const index_t i : {0, 1, 3}) CHECK(dot(e, i, e, i) == doctest::Approx(1));
  CHECK(dot(e, 0, e, 3) == doctest::Approx(1));
  CHECK(std::fabs(dot(e, 0, e, 1)) < 0.9);
  CHECK(plain.metadata().at("embedder") == "toy");
  CHECK(plain.metadata().at("prefix") == "");
  CHECK(plain.metadata().at("data_hash").size() == 64);

  here.check_success("embed", "--model toy --input s.json --out p.safetensors --prefix 'topic: '");
  const io::safetensors_file prefixed(here / "p.safetensors");
  CHECK(dot(prefixed.read<float>("embeddings"), 0, e, 0) < 0.99);
  CHECK(prefixed.metadata().at("prefix") == "topic: ");
  here.check_refusal(
      "embed",
      "--model " + (golden_folder() / "models" / "llama_mha").string() + " --input s.json --out e2.safetensors", 2,
      "model_type 'llama' is not supported as an encoder");
}

TEST_CASE("generate: greedy by default, reproducible by seed, at most the tokens asked for") {
  const auto said = [&](const std::string& options) {
    const auto out = here.check_success("generate", "--model toy --prompt 'It is' --json g.json " + options);
    CHECK(out == read("g.json")["text"].get<std::string>() + "\n");
    CHECK(texts::is_well_formed(out));
    return read("g.json")["tokens"].get<std::vector<int>>();
  };
  const auto greedy = said("--tokens 20");
  CHECK(greedy.size() == 20);
  CHECK(said("--tokens 20 --seed 7") == greedy);
  CHECK(said("--tokens 20 --threads 1") == greedy);
  CHECK(said("--tokens 20 --temperature 2 --top-k 1") == greedy);
  CHECK(said("--tokens 20 --temperature 2 --top-p 1e-6") == greedy);
  const auto drawn = said("--tokens 20 --temperature 2 --seed 7");
  CHECK(drawn != greedy);
  CHECK(said("--tokens 20 --temperature 2 --seed 7") == drawn);
  CHECK(said("--tokens 20 --temperature 2 --seed 8") != drawn);
  // The context ends it, too.
  const auto out =
      here.check_success("generate", "--model toy --tokens 10 --json g.json --prompt " + std::string(2045, 'a'));
  CHECK(read("g.json")["tokens"].size() == 3);
  CHECK(here.check_success("generate", "--quiet --model toy --tokens 3 --log l.jsonl --prompt a") == "");
  const auto lines = io::read_text(here / "l.jsonl");
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 3);
}

TEST_CASE("generate: an end token ends it, one or a list of them") {
  const auto model = copy_model("llama_mha", "ending");
  std::string vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (int i = 5; i < 211; ++i) vocabulary += text("w", i, "\n");
  io::write_text(model / "vocab.txt", vocabulary);
  auto config = io::read_json(model / "config.json");
  const auto tokens_with = [&](const nlohmann::json& eos) {
    config["eos_token_id"] = eos;
    io::write_json(model / "config.json", config);
    here.check_success("generate", "--model ending --prompt 'w7 w9' --tokens 12 --json g.json");
    return read("g.json");
  };
  const auto all = tokens_with(nullptr);
  CHECK(all["ended"] == false);
  const auto tokens = all["tokens"].get<std::vector<int>>();
  REQUIRE(tokens.size() == 12);
  const int last = tokens[6];
  const auto first = std::find(tokens.begin(), tokens.end(), last);
  const std::vector<int> expected(tokens.begin(), first);
  for (const nlohmann::json& eos : {nlohmann::json(last), nlohmann::json{0, last}}) {
    const auto got = tokens_with(eos);
    CHECK(got["tokens"] == expected);
    CHECK(got["ended"] == true);
  }
}
