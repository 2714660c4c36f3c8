// What the metadata of a GGUF llama says is computed or refused; a model in several files is one model.
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "io/small_llama.hpp"
#include "mor1e/io/checkpoint.hpp"
#include "mor1e/io/sha256.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/models/locate.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;
using namespace mor1e::io;
using doctest::Contains;
using mor1e::testing::gguf_writer;
using mor1e::testing::small_llama;
using mor1e::testing::temporary_folder;

namespace {

nlohmann::json config_with(const gguf_writer& writer) {
  const temporary_folder folder;
  writer.write(folder / "m.gguf");
  return open_checkpoint(folder / "m.gguf").config;
}

/// One part of a split model: the first holds the small llama, any of them the head.
gguf_writer part(int number, int count, int tensors, bool head) {
  gguf_writer out = number == 0 ? small_llama() : gguf_writer();
  out.value("split.no", 2, gguf_writer::raw(std::uint16_t(number)))
      .value("split.count", 2, gguf_writer::raw(std::uint16_t(count)))
      .value("split.tensors.count", 5, gguf_writer::raw(std::int32_t(tensors)));
  if (head) out.floats("output.weight", {8, 5}, std::vector<float>(40, 7.0f));
  return out;
}

}  // namespace

TEST_CASE("scaled positions in every spelling of GGUF") {
  const auto scaling = [](const gguf_writer& writer) {
    return config_with(writer).value("rope_scaling", nlohmann::json());
  };
  const nlohmann::json linear = {{"rope_type", "linear"}, {"factor", 4.0}};
  CHECK(scaling(small_llama()) == nullptr);
  CHECK(scaling(small_llama().f32("llama.rope.scale_linear", 4)) == linear);
  CHECK(scaling(small_llama().f32("llama.rope.scaling.factor", 4)) == linear);
  CHECK(scaling(small_llama().f32("llama.rope.scale_linear", 2).f32("llama.rope.scaling.factor", 4)) == linear);
  CHECK(scaling(small_llama().text("llama.rope.scaling.type", "none").f32("llama.rope.scaling.factor", 4)) == nullptr);
  CHECK(scaling(small_llama().f32("llama.rope.scaling.factor", 0)) == nullptr);  // llama.cpp's way to say none
  CHECK(scaling(small_llama()
                    .text("llama.rope.scaling.type", "yarn")
                    .f32("llama.rope.scaling.factor", 4)
                    .u32("llama.rope.scaling.original_context_length", 16)) ==
        nlohmann::json{{"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 16}});
}

TEST_CASE("metadata that changes the computation is refused by name, what is neutral is not") {
  const auto refused = [](const gguf_writer& writer, const char* key) {
    CHECK_THROWS_WITH_AS(config_with(writer), Contains(key), value_error);
  };
  const auto flag = [](bool on) { return std::string(1, char(on)); };
  refused(small_llama().value("llama.attention.causal", 7, flag(false)), "'llama.attention.causal' asks for");
  refused(small_llama().f32("llama.logit_scale", 0.5f), "'llama.logit_scale' asks for");
  refused(small_llama().u32("llama.expert_count", 8), "'llama.expert_count' asks for");
  refused(small_llama().u32("llama.attention.sliding_window", 64), "'llama.attention.sliding_window' asks for");
  refused(small_llama().f32("llama.rope.new_idea", 1), "'llama.rope.new_idea' asks for");
  refused(small_llama().u32("llama.attention.key_length", 4).u32("llama.attention.value_length", 6), "value_length");
  const auto taken = config_with(small_llama()
                                     .value("llama.attention.causal", 7, flag(true))
                                     .f32("llama.logit_scale", 1)
                                     .u32("llama.expert_count", 0)
                                     .u32("llama.attention.key_length", 4)
                                     .u32("llama.attention.value_length", 4)
                                     .value("llama.rope.scaling.finetuned", 7, flag(true))
                                     .text("llama.my_note", "x"));
  CHECK(taken["head_dim"] == 4);
}

TEST_CASE("a model in several files is read whole, whichever part is named") {
  const temporary_folder folder;
  part(0, 2, 7, false).write(folder / "m-00001-of-00002.gguf");
  part(1, 2, 7, true).write(folder / "m-00002-of-00002.gguf");
  for (const char* name : {"m-00001-of-00002.gguf", "m-00002-of-00002.gguf"}) {
    const checkpoint model = open_checkpoint(folder / name);
    CHECK(model.config["tie_word_embeddings"] == false);
    CHECK(model.weights->names().size() == 7);
    CHECK(model.weights->load<float>("lm_head.weight")[0] == 7);
    CHECK(model.weights->load<float>("model.norm.weight")[1] == 2);
    const std::string both = read_text(folder / "m-00001-of-00002.gguf") + read_text(folder / "m-00002-of-00002.gguf");
    CHECK(model.hash() == sha256_of(std::as_bytes(std::span(both))));
  }
  CHECK(models::locate(folder.path().string()) == folder / "m-00001-of-00002.gguf");
}

TEST_CASE("a model of which a part is missing is no tied model: refused, the part named") {
  const temporary_folder folder;
  part(0, 3, 7, false).write(folder / "m-00001-of-00003.gguf");
  part(2, 3, 7, true).write(folder / "m-00003-of-00003.gguf");
  CHECK_THROWS_WITH_AS(open_checkpoint(folder / "m-00001-of-00003.gguf"),
                       Contains("is one of 3 parts; missing: m-00002-of-00003.gguf"), io_error);
  part(0, 2, 7, false).write(folder / "other.gguf");
  CHECK_THROWS_WITH_AS(open_checkpoint(folder / "other.gguf"), Contains("is one of 2 parts, and not called"), io_error);
}

TEST_CASE("parts that do not belong together are refused") {
  const temporary_folder folder;
  const auto opened = [&](const gguf_writer& first, const gguf_writer& second) {
    first.write(folder / "m-00001-of-00002.gguf");
    second.write(folder / "m-00002-of-00002.gguf");
    open_checkpoint(folder / "m-00001-of-00002.gguf");
  };
  CHECK_THROWS_WITH_AS(opened(part(0, 2, 9, false), part(1, 2, 9, true)),
                       Contains("the model has 9 tensors, its 2 parts hold 7"), io_error);
  CHECK_THROWS_WITH_AS(opened(part(0, 2, 7, false), part(0, 2, 7, false)), Contains("says it is part 0 of 2"),
                       io_error);
  CHECK_THROWS_WITH_AS(opened(part(0, 2, 8, true), part(1, 2, 8, true)),
                       Contains("tensor 'output.weight': 'lm_head.weight' is there already"), io_error);
}
