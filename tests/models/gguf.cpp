// Every architecture from a GGUF file as llama.cpp's converter writes it: the tensors of the Hugging Face folder, and
// its outputs.
#include <doctest/doctest.h>

#include "models/fixture.hpp"
#include "models/to_gguf.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;
using doctest::Contains;
using mor1e::testing::closeness;
using mor1e::testing::compare;
using mor1e::testing::golden_folder;
using mor1e::testing::temporary_folder;
using mor1e::testing::to_gguf;

namespace {

void compare_with_folder(const std::string& fixture, bool fused) {
  CAPTURE(fixture);
  const std::filesystem::path folder = golden_folder() / "models" / fixture;
  const temporary_folder here;
  to_gguf(io::open_checkpoint(folder), fused).write(here / "m.gguf");
  const io::checkpoint stored = io::open_checkpoint(here / "m.gguf"), original = io::open_checkpoint(folder);
  REQUIRE(stored.weights->names() == original.weights->names());
  for (const std::string& name : original.weights->names()) {
    CAPTURE(name);
    REQUIRE(stored.weights->extents(name) == original.weights->extents(name));
    const auto ours = stored.weights->load<float>(name), theirs = original.weights->load<float>(name);
    // 1 + w rounds w.
    const bool rounded = stored.config.at("model_type") == "gemma" && name.ends_with("norm.weight");
    for (index_t i = 0; i < ours.size(); ++i)
      REQUIRE((rounded ? std::abs(ours[i] - theirs[i]) <= 1.2e-7f : ours[i] == theirs[i]));
  }
  cpu device;
  const auto model = models::load(device, (here / "m.gguf").string());
  const io::safetensors_file golden(folder / "golden.safetensors");
  const auto out = models::outputs_of(device, *model, models::read_padded_batch(golden));
  compare(golden, "logits", out.logits, closeness{.atol = 1e-4, .rtol = 1e-4, .mtol = 1e-5});
}

}  // namespace

TEST_CASE("a GGUF of each architecture is the Hugging Face model") {
  for (const char* fixture : {"tinyllama_gqa", "smollm2_tied", "gemma_mqa", "phi", "bloom_odd", "bloom_pow2"})
    compare_with_folder(fixture, false);
}

TEST_CASE("q, k and v of Phi-2 may be one tensor") { compare_with_folder("phi", true); }

TEST_CASE("what an architecture does not have, or has otherwise, is refused") {
  const temporary_folder here;
  const auto file_of = [](const char* fixture) {
    return to_gguf(io::open_checkpoint(golden_folder() / "models" / fixture));
  };
  const auto open = [&](const testing::gguf_writer& writer) {
    writer.write(here / "m.gguf");
    io::open_checkpoint(here / "m.gguf");
  };
  const auto flag = [](bool on) { return std::string(1, char(on)); };
  CHECK_THROWS_WITH_AS(open(file_of("phi").floats("blk.0.ffn_gate.weight", {1}, {1})),
                       Contains("'blk.0.ffn_gate.weight' has no place in a phi2 model"), io_error);
  CHECK_THROWS_WITH_AS(open(file_of("phi").floats("blk.9.attn_qkv.bias", {7}, std::vector<float>(7))),
                       Contains("7 rows are no 12 heads"), io_error);
  CHECK_THROWS_WITH_AS(open(file_of("phi").floats("blk.0.attn_qkv.bias", {240}, std::vector<float>(240))),
                       Contains("is there already"), io_error);
  CHECK_THROWS_WITH_AS(open(file_of("phi").value("phi2.use_parallel_residual", 7, flag(false))),
                       Contains("'phi2.use_parallel_residual' asks for"), value_error);
  CHECK_THROWS_WITH_AS(open(file_of("bloom_pow2").f32("bloom.rope.freq_base", 1e4f)),
                       Contains("'bloom.rope.freq_base' asks for"), value_error);
  CHECK_THROWS_WITH_AS(open(file_of("bloom_pow2").f32("bloom.attention.max_alibi_bias", 0)),
                       Contains("'bloom.attention.max_alibi_bias' asks for"), value_error);
  open(file_of("bloom_pow2").f32("bloom.attention.max_alibi_bias", 8));
  CHECK_THROWS_WITH_AS(open(file_of("gemma_mqa").u32("gemma.rope.dimension_count", 2)),
                       Contains("'gemma.rope.dimension_count' is 2, only "), io_error);
  CHECK_THROWS_WITH_AS(open(testing::gguf_writer()
                                .text("general.architecture", "phi2")
                                .u32("phi2.embedding_length", 2)
                                .u32("phi2.block_count", 1)
                                .u32("phi2.attention.head_count", 4)
                                .floats("token_embd.weight", {2, 3}, std::vector<float>(6))),
                       Contains("'phi2.embedding_length' is 2, too small for 4 heads"), io_error);
}

TEST_CASE("a vector of blocks whose elements stand in another order is refused as it is read") {
  const temporary_folder here;
  to_gguf(io::open_checkpoint(golden_folder() / "models" / "bloom_pow2"))
      .tensor("blk.7.attn_qkv.bias", {96}, 8, std::string(3 * 34, '\0'))
      .write(here / "m.gguf");
  const io::checkpoint model = io::open_checkpoint(here / "m.gguf");
  CHECK_THROWS_WITH_AS(model.weights->load<float>("transformer.h.7.self_attention.query_key_value.bias"),
                       Contains("a vector of Q8_0 whose elements stand in another order"), io_error);
}

TEST_CASE("rows of stored blocks stand in the order of the Hugging Face matrix") {
  // Q8_0 of 32 columns: half float 1 as the scale, and the row's number in each place.
  const auto blocks = [](int rows) {
    std::string out;
    for (int r = 0; r < rows; ++r) out += std::string("\x00\x3c", 2) + std::string(32, char(r));
    return out;
  };
  const temporary_folder here;
  const auto first_of_rows = [&](const char* fixture, const char* stored, int rows, const std::string& name) {
    to_gguf(io::open_checkpoint(golden_folder() / "models" / fixture))
        .tensor(stored, {32, std::uint64_t(rows)}, 8, blocks(rows))
        .write(here / "m.gguf");
    const io::checkpoint model = io::open_checkpoint(here / "m.gguf");
    const auto source = model.weights->stored_rows(name);
    tensor<float> out(shape{source->rows(), 32});
    source->read_rows(0, out.matrix());
    std::vector<int> first;
    for (index_t r = 0; r < source->rows(); ++r) first.push_back(int(out.data()[r * 32]));
    return first;
  };
  // Twelve heads of queries, keys and values of one row each: part by part in the file.
  CHECK(first_of_rows("phi", "blk.9.attn_qkv.weight", 12, "model.layers.9.self_attn.k_proj.weight") ==
        std::vector<int>{4, 5, 6, 7});
  const auto bloom =
      first_of_rows("bloom_pow2", "blk.9.attn_qkv.weight", 24, "transformer.h.9.self_attention.query_key_value.weight");
  REQUIRE(bloom.size() == 24);
  for (int head = 0; head < 8; ++head)
    for (int part = 0; part < 3; ++part) CHECK(bloom[std::size_t(head * 3 + part)] == part * 8 + head);
}
