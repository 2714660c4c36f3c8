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
  for (const char* fixture :
       {"tinyllama_gqa", "mistral_gqa", "yi_gqa", "smollm2_tied", "gemma_mqa", "phi", "bloom_odd", "bloom_pow2"})
    compare_with_folder(fixture, false);
}

TEST_CASE("q, k and v of Phi-2 may be one tensor") { compare_with_folder("phi", true); }

TEST_CASE("what an architecture does not have is refused") {
  const temporary_folder here;
  const auto open = [&](const testing::gguf_writer& writer) {
    writer.write(here / "m.gguf");
    io::open_checkpoint(here / "m.gguf");
  };
  const auto phi = [] { return to_gguf(io::open_checkpoint(golden_folder() / "models" / "phi")); };
  const auto bloom = [] { return to_gguf(io::open_checkpoint(golden_folder() / "models" / "bloom_pow2")); };
  CHECK_THROWS_WITH_AS(open(phi().floats("blk.0.ffn_gate.weight", {1}, {1})),
                       Contains("'blk.0.ffn_gate.weight' has no place in a phi2 model"), io_error);
  CHECK_THROWS_WITH_AS(open(phi().floats("blk.9.attn_qkv.bias", {7}, std::vector<float>(7))),
                       Contains("7 rows are no 12 heads"), io_error);
  CHECK_THROWS_WITH_AS(open(bloom().f32("bloom.rope.freq_base", 1e4f)), Contains("'bloom.rope.freq_base' asks for"),
                       value_error);
}
