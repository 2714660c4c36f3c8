// A transformer of two blocks that learns a few sentences letter by letter, from nothing, and goes on by itself.
#include <cstdio>
#include <string>
#include <vector>

#include "mor1e/autodiff/plan.hpp"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/nn/attention.hpp"
#include "mor1e/nn/block.hpp"
#include "mor1e/nn/embedding.hpp"
#include "mor1e/nn/linear.hpp"
#include "mor1e/nn/mlp.hpp"
#include "mor1e/nn/norm.hpp"
#include "mor1e/ops/all.hpp"
#include "mor1e/optim/adam.hpp"
#include "mor1e/optim/gradients.hpp"
#include "mor1e/optim/schedule.hpp"

using namespace mor1e;

const std::string text_to_learn =
    "the heron stands in the shallow water and waits. a small fish comes near, and the heron is quick. "
    "then it stands again, as still as a reed, and the rings on the water go wide and are gone. "
    "in the evening it flies over the mill to the tall trees, where the others are, and sleeps. ";

/// The blocks that loaded models have, with weights that start at random.
template <class B, class T = float>
class character_model {
 public:
  static constexpr int width = 48, heads = 4, blocks = 2, letters = 128;

  explicit character_model(B& device)
      : table_(device, "letters", letters, width, 1, 0.5),
        norm_(device, "norm", width),
        head_(device, "head", nn::init::normal<T>({letters, width}, 0.1, 2)) {
    for (int i = 0; i < blocks; ++i) {
      const std::string at = text("blocks.", i, ".");
      const std::uint64_t key = stream_key(3, i);
      blocks_.push_back({nn::rms_norm<B, T>(device, at + "attention_norm", width),
                         nn::attention<B, T>(device, at + "attention", width, {.heads = heads}, stream_key(key, 0)),
                         nn::rms_norm<B, T>(device, at + "mlp_norm", width),
                         nn::mlp<B, T>(device, at + "mlp", width, 4 * width, stream_key(key, 1))});
    }
  }

  /// Logits of the letter after each row.                                                          [rows, letters]
  value<B, T> logits(tape<B>& t, nn::step_context<B, T>& step) const {
    var<T> x = table_.forward(t, step.batch.tokens);
    const var<T> angles =
        ops::rotary_table<T>(t, step.batch.positions, rotary_frequencies{.theta = 10000, .dim = width / heads});
    for (const auto& block : blocks_) x = block.forward(t, x, angles, step);
    return head_(norm_(on(t, x)));
  }
  auto parameters() const { return parameters_of(table_, blocks_, norm_, head_); }

 private:
  nn::embedding<B, T> table_;
  std::vector<nn::pre_norm_block<nn::rms_norm<B, T>, nn::attention<B, T>, nn::mlp<B, T>>> blocks_;
  nn::rms_norm<B, T> norm_;
  nn::linear<B, T> head_;
};

/// One sequence on a tape: its letters, where they stand, and that they see each other backwards.
template <class B, class T = float>
struct sequence {
  nn::step_context<B, T> step;

  sequence(tape<B>& t, index_t length) {
    step.batch.tokens = t.template input<std::int32_t>(length, 1);
    step.batch.positions = t.template input<std::int32_t>(length, 1);
    step.batch.segments = t.template input<std::int32_t>(1, segment_fields);
  }
  template <class Where>
  void fill(Where& at, const std::string& letters) {
    const index_t length = index_t(letters.size());
    tensor<std::int32_t> tokens({length, 1}), positions({length, 1});
    for (index_t i = 0; i < length; ++i) tokens[i] = letters[std::size_t(i)], positions[i] = std::int32_t(i);
    const segment whole{0, std::int32_t(length), 0, 0, 0};
    at.fill(step.batch.tokens, tokens);
    at.fill(step.batch.positions, positions);
    at.fill(step.batch.segments, view<const std::int32_t>(&whole.begin, 1, segment_fields));
  }
};

int main() {
  cpu device;
  character_model model(device);
  optim::adam optimizer(model, {.learning_rate = 3e-3});

  // One step as a plan: the whole text, each letter predicting the next.
  const index_t length = index_t(text_to_learn.size()) - 1;
  tape recorded(device, recording::plan);
  sequence line(recorded, length);
  const auto next = input<std::int32_t>(recorded, length, 1);
  const auto loss = cross_entropy(model.logits(recorded, line.step), next);
  plan program(std::move(recorded), loss, true);
  line.fill(program, text_to_learn.substr(0, std::size_t(length)));
  tensor<std::int32_t> targets({length, 1});
  for (index_t i = 0; i < length; ++i) targets[i] = text_to_learn[std::size_t(i) + 1];
  program.fill(next, targets);

  const int steps = 120;
  float first = 0, last = 0;
  for (int step = 0; step < steps; ++step) {
    clear_gradients(model);
    program.run();
    last = program.read_scalar(loss);
    if (step == 0) first = last;
    optim::clip_gradients(model, 1);
    optimizer.step(optim::linear_with_warmup(step + 1, 10, steps));
    if (step % 30 == 0) std::printf("step %3d, loss %.3f\n", step, last);
  }
  std::printf("loss %.3f -> %.3f\n", first, last);

  // On by itself: the likeliest letter each time, eager.
  std::string written = text_to_learn.substr(0, 12);
  while (written.size() < 60) {
    tape t(device, recording::forward);
    sequence so_far(t, index_t(written.size()));
    so_far.fill(t, written);
    const tensor<float> logits = model.logits(t, so_far.step).read();
    index_t best = 0;
    for (index_t j = 1; j < logits.extents().cols(); ++j)
      if (logits(index_t(written.size()) - 1, j) > logits(index_t(written.size()) - 1, best)) best = j;
    written += char(best);
  }
  std::printf("%s\n", written.c_str());
  return last < 0.5f && written == text_to_learn.substr(0, written.size()) ? 0 : 1;
}
