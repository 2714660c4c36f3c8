// A transformer block by composition, with parts of one's own choice.
#include "mor1e/nn/block.hpp"

#include <cstdio>
#include <memory>

#include "mor1e/backend/cpu.hpp"
#include "mor1e/nn/attention.hpp"
#include "mor1e/nn/mlp.hpp"
#include "mor1e/nn/norm.hpp"
#include "mor1e/ops/gelu_tanh.hpp"

using namespace mor1e;

// Llama's block with a GELU instead of SiLU.
using block = nn::pre_norm_block<cpu, float, nn::rms_norm<cpu, float>, nn::attention<cpu, float>,
                                 nn::gated_mlp<cpu, float, ops::gelu_tanh_op>>;

int main() {
  cpu device;
  const index_t hidden = 64, inner = 192, tokens = 10;
  const auto linear = [&](index_t out, index_t in) {
    return nn::projection<cpu, float>{
        "linear", nn::weight<cpu, float>(cpu::frozen<float>(device, tensor<float>({out, in}, 0.01f))), {}};
  };
  const auto group = [&](index_t in, auto... outs) {
    std::vector<nn::projection<cpu, float>> parts;
    (parts.push_back(linear(outs, in)), ...);
    return nn::projection_group<cpu, float>(device, std::move(parts));
  };
  const auto norm = [&] {
    auto w = std::make_unique<param<cpu, float>>(device, "norm", tensor<float>({1, hidden}, 1.0f));
    return nn::rms_norm<cpu, float>{{std::move(w), true}, 1e-5};
  };
  const block layer{norm(),
                    {group(hidden, hidden, hidden / 2, hidden / 2), group(hidden, hidden), 4, 2, 16, 0.25},
                    norm(),
                    {group(hidden, inner, inner), group(inner, hidden)}};

  tape t(device);
  const segment whole{0, tokens, 0, 0, 0};
  nn::step_context<cpu, float> step;
  step.batch.segments = t.input(view<const std::int32_t>(&whole.begin, 1, segment_fields));
  tensor<float> values({tokens, hidden}, 0.5f);
  const auto x = t.input(values, true);
  const auto y = layer.forward(t, x, {}, step);
  t.backward(y, std::as_const(values).matrix());
  std::printf("y[0] = %.4f, dx[0] = %.4f\n", t.read(y)[0], t.gradient(x)[0]);
}
