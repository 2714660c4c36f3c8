// A decoder outside the library's tree: one file and one line, and `load`, adapters and training know it.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/nn/embedding.hpp"
#include "mor1e/nn/norm.hpp"
#include "mor1e/ops/add.hpp"
#include "mor1e/ops/gather_rows.hpp"
#include "mor1e/ops/linear_cross_entropy.hpp"
#include "mor1e/testing/random.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;

namespace {

constexpr index_t vocabulary_size = 20, width = 8;

/// logits = E norm(e + M e), e = E[token]: no token looks at another.
template <class B, class T>
class bigram final : public models::language_model<B, T> {
 public:
  static std::vector<std::string> model_types() { return {"bigram"}; }
  static std::unique_ptr<bigram> make(models::loader<B, T> from) { return std::make_unique<bigram>(std::move(from)); }

  explicit bigram(models::loader<B, T> from) {
    embed_.table = from.matrix("embed.weight", vocabulary_size, width);
    mixer_ = from.group("", width, {{"mixer", width}}, false);
    norm_ = {from.vector("norm.weight", width), 1e-5};
    from.finish();
  }

  var<T> body(tape<B>& t, nn::step_context<B, T>& step) override {
    const var<T> x = embed_.forward(t, step.batch.tokens);
    return ops::add(t, x, mixer_.forward(t, x, step));
  }
  var<T> final_norm(tape<B>& t, var<T> x) override { return norm_.forward(t, x); }
  var<T> logits(tape<B>& t, var<T> rows) override {
    const frozen_var w = t.frozen(embed_.table.values());
    return ops::frozen_linear<B, T>(t, rows, {&w, 1});
  }
  ops::loss_and_nll<T> loss(tape<B>& t, nn::step_context<B, T>& step) override {
    const var<T> rows = final_norm(t, ops::gather_rows(t, body(t, step), step.batch.answer_rows));
    return ops::linear_cross_entropy(t, rows, t.frozen(embed_.table.values()), step.batch.targets,
                                     step.batch.loss_scale);
  }
  std::vector<nn::projection_group<B, T>*> groups() override { return {&mixer_}; }
  std::vector<param<B, T>*> parameters() override { return {}; }
  nn::kv_cache<B, T> make_cache(index_t) const override { return {}; }
  int hidden_size() const override { return width; }
  int layers() const override { return 1; }
  int vocabulary() const override { return vocabulary_size; }
  int context() const override { return 64; }
  std::string architecture() const override { return "bigram"; }

 private:
  nn::embedding<B, T> embed_;
  nn::projection_group<B, T> mixer_;
  nn::rms_norm<B, T> norm_;
};
const models::registered_decoder<bigram, cpu, float> known;

}  // namespace

TEST_CASE("a model of one's own is loaded by its model_type, adapted and trained") {
  const testing::temporary_folder here;
  const auto embed = testing::random<float>(shape{vocabulary_size, width}, 1),
             mixer = testing::random<float>(shape{width, width}, 2);
  const tensor<float> norm(shape{width}, 1.0f);
  io::write_text(here.path() / "config.json", R"({"model_type": "bigram"})");
  io::write_safetensors(here.path() / "model.safetensors",
                        std::vector{io::stored("embed.weight", embed), io::stored("mixer.weight", mixer),
                                    io::stored("norm.weight", norm)});
  cpu device(1);
  const auto model = models::load(device, here.path().string());
  CHECK(model->architecture() == "bigram");
  auto adapters = peft::attach(*model, peft::lora{.rank = 4, .alpha = 8});
  train::trainer trainer(device, *model, adapters, {.adam = {.learning_rate = 0.02}});
  const auto batches =
      data::pack(std::vector<data::encoded_example>{{.id = "a", .ids = {3, 7, 3, 7, 3}, .first_target = 1}});
  const double first = trainer.step(batches, {}, 1).loss;
  double last = first;
  for (int step = 0; step < 40; ++step) last = trainer.step(batches, {}, 1).loss;
  CHECK(last < first / 2);

  io::write_text(here.path() / "config.json", R"({"model_type": "trigram"})");
  CHECK_THROWS_WITH_AS(models::load(device, here.path().string()),
                       doctest::Contains("'trigram' is not supported (llama, mistral, gemma, phi, bloom, bigram are)"),
                       value_error);
}
