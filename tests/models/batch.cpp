// Padding on the left, on the right and on both sides: the same sequences at other places.
#include "mor1e/models/batch.hpp"

#include <doctest/doctest.h>

#include "mor1e/mor1e.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;
using namespace mor1e::models;

namespace {

constexpr index_t width = 9;
const std::vector<index_t> lengths{5, 9, 3};

/// The same tokens and labels in rows of 9, sequence i beginning at starts[i], read back from a file.
padded_batch batch_at(const std::vector<index_t>& starts) {
  const testing::temporary_folder folder;
  tensor<std::int32_t> ids(shape{3, width}, 99), mask(shape{3, width}, 0), labels(shape{3, width}, 77);
  for (index_t i = 0; i < 3; ++i)
    for (index_t t = 0; t < lengths[std::size_t(i)]; ++t) {
      const index_t at = i * width + starts[std::size_t(i)] + t;
      ids[at] = std::int32_t(3 + 7 * i + t), mask[at] = 1, labels[at] = t == 2 ? ignored_label : ids[at];
    }
  io::write_safetensors(folder / "x.safetensors",
                        std::vector<io::stored_tensor>{io::stored("input_ids", ids), io::stored("attention_mask", mask),
                                                       io::stored("labels", labels)});
  return read_padded_batch(io::safetensors_file(folder / "x.safetensors"));
}

/// Values at [i, starts[i] + t] are those of the right-padded batch at [i, t], and 0 elsewhere.
void check_shifted(const tensor<float>& moved, const tensor<float>& right, const std::vector<index_t>& starts) {
  REQUIRE(moved.extents() == right.extents());
  const index_t n = right.extents()[2];
  for (index_t i = 0; i < 3; ++i)
    for (index_t at = 0; at < width; ++at) {
      const index_t t = at - starts[std::size_t(i)];
      const bool live = t >= 0 && t < lengths[std::size_t(i)];
      for (index_t k = 0; k < n; ++k)
        CHECK(moved[(i * width + at) * n + k] == (live ? right[(i * width + t) * n + k] : 0.f));
    }
}

}  // namespace

TEST_CASE("a decoder computes padded sequences wherever they stand, labels too") {
  cpu device(1);
  for (const char* name : {"tinyllama_gqa", "mistral_window"}) {
    CAPTURE(name);
    const auto model = load<cpu, float>(device, (testing::golden_folder() / "models" / name).string());
    const auto right = outputs_of<cpu, float>(device, *model, batch_at({0, 0, 0}));
    REQUIRE(right.loss.has_value());
    for (const std::vector<index_t>& starts : {std::vector<index_t>{4, 0, 6}, {2, 0, 1}}) {
      const auto moved = outputs_of<cpu, float>(device, *model, batch_at(starts));
      check_shifted(moved.logits, right.logits, starts);
      check_shifted(moved.hidden.back(), right.hidden.back(), starts);
      check_shifted(moved.hidden_final, right.hidden_final, starts);
      CHECK(moved.loss.value() == right.loss.value());
    }
  }
}

TEST_CASE("an encoder's positions are the columns of a row") {
  cpu device(1);
  const auto model = load_encoder<cpu, float>(device, (testing::golden_folder() / "encoders" / "bert").string());
  const auto packed = pack(batch_at({4, 0, 6}));
  const auto right = outputs_of(device, *model, batch_at({0, 0, 0})),
             moved = outputs_of(device, *model, batch_at({4, 0, 6}));
  CHECK(packed.positions[5] == 0);
  const index_t n = right.mean.extents()[1];
  double differs = 0;
  for (index_t k = 0; k < n; ++k) {
    CHECK(moved.mean[n + k] == right.mean[n + k]);  // the sequence that fills its row
    differs += std::abs(moved.mean[k] - right.mean[k]);
  }
  CHECK(differs > 1e-3);
}
