// Weight sources and checkpoints.
#include <fstream>
#include <set>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "io/small_llama.hpp"
#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/checkpoint.hpp"
#include "mor1e/io/gguf_weights.hpp"
#include "mor1e/io/safetensors_weights.hpp"
#include "mor1e/io/sha256.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;
using namespace mor1e::io;
using doctest::Contains;
using mor1e::testing::gguf_writer;
using mor1e::testing::small_llama;
using mor1e::testing::temporary_folder;
namespace fs = std::filesystem;

namespace {

/// Two shards: one holds a (F32), the other b (BF16) and c (I64); the index names a and b.
void write_shards(const fs::path& folder) {
  const float a[] = {1, 2, 3, 4, 5, 6};
  const std::uint16_t b[] = {0x3f80, 0xbf00};
  const std::int64_t c[] = {7};
  const stored_tensor first[] = {{"a", dtype::f32, {2, 3}, a}};
  const stored_tensor second[] = {{"b", dtype::bf16, {2}, b}, {"c", dtype::i64, {1}, c}};
  write_safetensors(folder / "s1.safetensors", first);
  write_safetensors(folder / "s2.safetensors", second);
  write_text(folder / "model.safetensors.index.json",
             R"({"weight_map": {"b": "s2.safetensors", "a": "s1.safetensors", "c": "s2.safetensors"}})");
}

std::vector<float> first_column(const tensor<float>& matrix) {
  std::vector<float> out;
  for (index_t r = 0; r < matrix.extents().rows(); ++r) out.push_back(matrix[r * matrix.extents().cols()]);
  return out;
}

}  // namespace

TEST_CASE("a sharded folder") {
  temporary_folder folder;
  write_shards(folder.path());
  const safetensors_weights weights(folder.path());
  CHECK(weights.names() == std::vector<std::string>{"a", "b", "c"});
  CHECK(weights.contains("a"));
  CHECK(!weights.contains("d"));
  CHECK(weights.extents("a") == shape{2, 3});
  CHECK(weights.stored_type("a") == "F32");
  CHECK(weights.stored_type("b") == "BF16");
  CHECK(weights.load<float>("a")[5] == 6);
  CHECK(weights.load<double>("b")[1] == -0.5);
  REQUIRE(weights.mapped_f32("a") != nullptr);
  CHECK(weights.mapped_f32("a")[4] == 5);
  CHECK(weights.mapped_f32("b") == nullptr);
  weights.drop("a");
  CHECK(weights.mapped_f32("a")[4] == 5);
  CHECK_THROWS_WITH_AS(weights.load<float>("c"), Contains("s2.safetensors: tensor 'c': stored as I64"), io_error);
  CHECK_THROWS_WITH_AS(weights.load<float>("d"), Contains("no tensor 'd'"), io_error);
}

TEST_CASE("stored rows are those of the decoded matrix") {
  temporary_folder folder;
  const std::uint16_t values[] = {0x3f80, 0xbf00, 0x4000, 0x4040, 0x4080, 0x40a0};
  const float plain[] = {1, 2};
  const stored_tensor tensors[] = {{"b", dtype::bf16, {3, 2}, values}, {"f", dtype::f32, {1, 2}, plain}};
  write_safetensors(folder / "model.safetensors", tensors);
  const safetensors_weights weights(folder.path());
  const auto rows = weights.stored_rows("b");
  REQUIRE(rows != nullptr);
  CHECK(rows->rows() == 3);
  CHECK(rows->cols() == 2);
  tensor<float> last(shape{2, 2});
  rows->read_rows(1, last.matrix());
  CHECK(last == tensor<float>(shape{2, 2}, {2, 3, 4, 5}));
  CHECK(weights.stored_rows("f") == nullptr);  // would take no less memory
}

TEST_CASE("one file is preferred to an index") {
  temporary_folder folder;
  write_shards(folder.path());
  fs::copy_file(folder / "s1.safetensors", folder / "model.safetensors");
  CHECK(safetensors_weights(folder.path()).names() == std::vector<std::string>{"a"});
}

TEST_CASE("an index that is wrong") {
  temporary_folder folder;
  CHECK_THROWS_WITH_AS(safetensors_weights(folder.path()), Contains("holds neither model.safetensors nor"), io_error);
  write_text(folder / "pytorch_model.bin", "");
  CHECK_THROWS_WITH_AS(safetensors_weights(folder.path()), Contains("pytorch_model.bin is not read"), io_error);
  write_shards(folder.path());
  const auto with_index = [&](const char* index) {
    write_text(folder / "model.safetensors.index.json", index);
    safetensors_weights weights(folder.path());
  };
  CHECK_THROWS_WITH_AS(with_index(R"({"weight_map": {"a": "s1.safetensors", "z": "s3.safetensors"}})"),
                       Contains("tensor 'z' is in shard s3.safetensors, which is missing"), io_error);
  CHECK_THROWS_WITH_AS(with_index(R"({"weight_map": {"a": "s1.safetensors", "z": "s2.safetensors"}})"),
                       Contains("tensor 'z' is not in shard s2.safetensors"), io_error);
  CHECK_THROWS_WITH_AS(with_index(R"({"weight_map": {"a": "../s1.safetensors"}})"), Contains("not a file name"),
                       io_error);
  CHECK_THROWS_WITH_AS(with_index(R"({"weight_map": {"a": 1}})"), Contains("not a file name"), io_error);
  CHECK_THROWS_WITH_AS(with_index(R"({"weight_map": 1})"), Contains("has no object weight_map"), io_error);
  CHECK_THROWS_WITH_AS(with_index("[]"), Contains("has no object weight_map"), io_error);
  CHECK_THROWS_WITH_AS(with_index("{"), Contains("not valid JSON"), io_error);
  write_text(folder / "s1.safetensors", "short");
  CHECK_THROWS_WITH_AS(with_index(R"({"weight_map": {"a": "s1.safetensors"}})"), Contains("s1.safetensors: 5 bytes"),
                       io_error);
}

TEST_CASE("Hugging Face names") {
  temporary_folder folder;
  small_llama().write(folder / "m.gguf");
  const gguf_file file(folder / "m.gguf");
  const auto name_of = [&](const char* stored) {
    const auto names = names_of(gguf_architecture_of(file), file, {stored, ggml_type::f32, shape{4}, 0, 16});
    REQUIRE(names.size() <= 1);
    return names.empty() ? "" : names[0].name;
  };
  CHECK(name_of("token_embd.weight") == "model.embed_tokens.weight");
  CHECK(name_of("output.weight") == "lm_head.weight");
  CHECK(name_of("blk.12.ffn_down.weight") == "model.layers.12.mlp.down_proj.weight");
  CHECK(name_of("blk.0.attn_k.bias") == "model.layers.0.self_attn.k_proj.bias");
  for (const char* none : {"", "blk.", "blk.0.", "blk.0", "blk.x.attn_q.weight", "blk..attn_q.weight", "blk.0.attn_q",
                           "blk.0.attn_q.scale", "blk.0.ffn_gate_exps.weight", "rope_freqs.weight", "blk.0.weight",
                           "attn_q.weight", "blk.0.token_embd.weight"})
    CHECK(name_of(none) == "");
}

TEST_CASE("a GGUF llama under Hugging Face names, rotary pairs put back half by half") {
  temporary_folder folder;
  small_llama().write(folder / "m.gguf");
  const checkpoint model = open_checkpoint(folder / "m.gguf");
  const weight_source& weights = *model.weights;
  const std::string layer = "model.layers.0.self_attn.";
  CHECK(weights.names().size() == 6);
  CHECK(weights.extents(layer + "q_proj.weight") == shape{8, 8});
  CHECK(first_column(weights.load<float>(layer + "q_proj.weight")) ==
        std::vector<float>{200, 202, 201, 203, 204, 206, 205, 207});
  CHECK(first_column(weights.load<float>(layer + "k_proj.weight")) == std::vector<float>{300, 302, 301, 303});
  CHECK(first_column(weights.load<float>(layer + "v_proj.weight")) == std::vector<float>{400, 401, 402, 403});
  const auto bias = weights.load<double>(layer + "q_proj.bias");
  CHECK(std::vector<double>(bias.begin(), bias.end()) == std::vector<double>{0, 2, 1, 3, 4, 6, 5, 7});
  CHECK(weights.load<double>(layer + "q_proj.weight")[8] == 202);
  CHECK(weights.mapped_f32(layer + "q_proj.weight") == nullptr);
  REQUIRE(weights.mapped_f32(layer + "v_proj.weight") != nullptr);
  CHECK(weights.mapped_f32(layer + "v_proj.weight")[8] == 401);
  weights.drop(layer + "v_proj.weight");
  CHECK_THROWS_WITH_AS(weights.load<float>("lm_head.weight"), Contains("m.gguf: no tensor 'lm_head.weight'"), io_error);

  const nlohmann::json expected = {{"model_type", "llama"},
                                   {"architectures", {"LlamaForCausalLM"}},
                                   {"hidden_size", 8},
                                   {"intermediate_size", 16},
                                   {"num_hidden_layers", 1},
                                   {"num_attention_heads", 2},
                                   {"num_key_value_heads", 1},
                                   {"head_dim", 4},
                                   {"vocab_size", 5},
                                   {"hidden_act", "silu"},
                                   {"rms_norm_eps", double(1e-5f)},
                                   {"rope_theta", 10000.0},
                                   {"max_position_embeddings", 64},
                                   {"tie_word_embeddings", true},
                                   {"attention_bias", true},
                                   {"mlp_bias", false},
                                   {"eos_token_id", 2}};
  CHECK(model.config == expected);
  CHECK(model.hash() == sha256_of_file(folder / "m.gguf"));
}

TEST_CASE("an untied head, another rotary base and scaling") {
  temporary_folder folder;
  gguf_writer writer = small_llama();
  writer.floats("output.weight", {8, 5}, std::vector<float>(40, 1.0f))
      .f32("llama.rope.freq_base", 5e5f)
      .text("llama.rope.scaling.type", "linear")
      .f32("llama.rope.scaling.factor", 2)
      .u32("llama.rope.dimension_count", 4)
      .write(folder / "m.gguf");
  const auto config = open_checkpoint(folder / "m.gguf").config;
  CHECK(config["tie_word_embeddings"] == false);
  CHECK(config["rope_theta"] == 5e5);
  CHECK(config["rope_scaling"] == nlohmann::json{{"rope_type", "linear"}, {"factor", 2.0}});
}

TEST_CASE("a GGUF file that is no llama we know") {
  temporary_folder folder;
  const auto opened = [&](const gguf_writer& writer) {
    writer.write(folder / "m.gguf");
    open_checkpoint(folder / "m.gguf");
  };
  CHECK_THROWS_WITH_AS(opened(small_llama("qwen2")),
                       Contains("m.gguf: architecture 'qwen2' is not supported (llama, gemma, "), io_error);
  CHECK_THROWS_WITH_AS(opened(gguf_writer()), Contains("no metadata 'general.architecture'"), io_error);
  CHECK_THROWS_WITH_AS(opened(small_llama().floats("rope_freqs.weight", {1}, {1})),
                       Contains("tensor 'rope_freqs.weight' has no place in a llama model"), io_error);
  CHECK_THROWS_WITH_AS(opened(small_llama().floats("blk.1.attn_q.weight", {1, 6}, std::vector<float>(6))),
                       Contains("6 rows are no 2 heads of even size"), io_error);
  CHECK_THROWS_WITH_AS(opened(small_llama().u32("llama.rope.dimension_count", 2)),
                       Contains("'llama.rope.dimension_count' is 2, only 4 is"), io_error);
}

TEST_CASE("paths that are no model") {
  temporary_folder folder;
  const std::string where = "no model at " + folder.path().string();
  CHECK_THROWS_WITH_AS(open_checkpoint(folder / "none"), (where + "/none: no such file or folder").c_str(), io_error);
  CHECK_THROWS_WITH_AS(open_checkpoint(folder.path()), (where + ": the folder holds no config.json").c_str(), io_error);
  write_text(folder / "note.txt", "");
  CHECK_THROWS_WITH_AS(open_checkpoint(folder / "note.txt"),
                       (where + "/note.txt: neither a folder nor a .gguf file").c_str(), io_error);
  CHECK_THROWS_WITH_AS(checkpoint_hash(folder / "none"), Contains("no model at"), io_error);
  write_text(folder / "config.json", "{}");
  CHECK_THROWS_WITH_AS(open_checkpoint(folder.path()), Contains("holds neither model.safetensors"), io_error);
  write_text(folder / "config.json", "[]");
  CHECK_THROWS_WITH_AS(open_checkpoint(folder.path()), Contains("config.json: is not a JSON object"), io_error);
  write_text(folder / "empty.gguf", "");
  CHECK_THROWS_WITH_AS(open_checkpoint(folder / "empty.gguf"), Contains("empty.gguf: ends inside the magic"), io_error);
}

TEST_CASE("a tensor of a shard that the index does not name would be left out: refused") {
  temporary_folder folder;
  write_shards(folder.path());
  write_text(folder / "config.json", "{}");
  write_text(folder / "model.safetensors.index.json",
             R"({"weight_map": {"b": "s2.safetensors", "a": "s1.safetensors"}})");
  CHECK_THROWS_WITH_AS(open_checkpoint(folder.path()), Contains("s2.safetensors: tensor 'c' is not what"), io_error);
}

TEST_CASE("the hash covers the shards in name order and nothing else") {
  temporary_folder folder;
  write_shards(folder.path());
  write_text(folder / "config.json", "{}");
  write_text(folder / "other.safetensors", "not part of the model");
  const std::string both = read_text(folder / "s1.safetensors") + read_text(folder / "s2.safetensors");
  CHECK(checkpoint_hash(folder.path()) == sha256_of(std::as_bytes(std::span(both))));
  CHECK(open_checkpoint(folder.path()).hash() == checkpoint_hash(folder.path()));
}

TEST_CASE("every golden model folder opens, and reads as a plain read of its files") {
  const fs::path models = mor1e::testing::golden_folder() / "models";
  int folders = 0;
  for (const auto& entry : fs::exists(models) ? fs::directory_iterator(models) : fs::directory_iterator()) {
    CAPTURE(entry.path().string());
    ++folders;
    const checkpoint model = open_checkpoint(entry.path());
    CHECK(model.config.contains("model_type"));
    CHECK(model.hash().size() == 64);
    std::size_t seen = 0;
    for (const auto& file : safetensors_weight_files(entry.path())) {
      const safetensors_file plain(file);
      for (const auto& stored : plain.entries()) {
        CAPTURE(stored.name);
        ++seen;
        REQUIRE(model.weights->extents(stored.name) == stored.extents);
        const auto ours = model.weights->load<double>(stored.name), expected = plain.read<double>(stored.name);
        CHECK(mor1e::testing::violation(ours.data(), expected.data(), expected.size(), {}) == "");
      }
    }
    CHECK(seen == model.weights->names().size());
  }
  MESSAGE("golden model folders: ", folders);
}
