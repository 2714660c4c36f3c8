// A transformer block by composition, with parts of one's own choice.
#include "mor1e/nn/block.hpp"

#include <cstdio>

#include "mor1e/backend/cpu.hpp"
#include "mor1e/nn/attention.hpp"
#include "mor1e/nn/mlp.hpp"
#include "mor1e/nn/norm.hpp"
#include "mor1e/ops/gelu_tanh.hpp"

using namespace mor1e;

int main() {
  cpu device;
  const index_t hidden = 64, inner = 192, tokens = 10;
  // Llama's block with a GELU instead of SiLU, and norms that subtract the mean.
  const nn::pre_norm_block layer{
      nn::layer_norm(device, "attention_norm", hidden),
      nn::attention(device, "attention", hidden, {.heads = 4, .kv_heads = 2, .bias = false}, 1),
      nn::layer_norm(device, "mlp_norm", hidden),
      nn::gated_mlp<cpu, float, ops::gelu_tanh_op>(device, "mlp", hidden, inner, 2, false)};
  std::printf("%zu parameters, the last is %s\n", layer.parameters().size(), layer.parameters().back()->name.c_str());

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
