// A method of one's own: what it does to the products V^T x, and how many rows its router has. That gives it training,
// merging or its refusal, folders' names, matched scale, and one product for all linears that share an input.
#include <cstdio>

#include "mor1e/mor1e.hpp"
#include "mor1e/ops/columns.hpp"
#include "mor1e/ops/multiply.hpp"
#include "mor1e/ops/sigmoid.hpp"
#include "mor1e/peft/matching.hpp"
#include "mor1e/train/update_scale.hpp"

using namespace mor1e;

/// z = W x + (alpha / rank) B (sigmoid(R x) * A x): a LoRA that may switch each of its ranks off for a token.
struct switched_lora {
  int rank = 8;
  double alpha = 16;

  int update_rank() const { return rank; }
  int router_rows() const { return rank; }
  double scale() const { return alpha / rank; }
  std::vector<peft::own_parameter> own_parameters() const { return {}; }

  template <class B, class T>
  var<T> gates(tape<B>& t, var<T> x, int linears, std::span<const var<T>>, peft::adapter_context<B, T>&) const {
    const index_t n = index_t(linears) * rank;
    return ops::multiply(t, ops::columns(t, x, 0, n), ops::sigmoid(t, ops::columns(t, x, n, n)));
  }
};

int main() {
  cpu device;
  const auto model = models::load<cpu, float>(device, "toy");
  const std::vector<data::encoded_example> examples{
      {"greeting", {72, 101, 108, 108, 111, 44, 32, 119, 111, 114, 108, 100}, 6, 0}};
  const auto batches = data::pack(examples, data::packing_options{});

  auto adapters = peft::attach(*model, switched_lora{.rank = 4});
  const double scale = train::update_scale<cpu, float>(device, *model, batches, {});
  train::trainer<cpu, float> trainer(device, *model, adapters.parameters(), {.adam = {.learning_rate = 0.01}});
  const double first = trainer.step(batches, {}, 1).loss;
  double last = first;
  for (int step = 0; step < 20; ++step) last = trainer.step(batches, {}, 1).loss;
  std::printf("scale at the start %.2f; loss %.2f -> %.2f\n", scale, first, last);
  return last < first / 2 && scale == 2 ? 0 : 1;
}
