// LoRA-XS: a small square matrix between two that are never trained.
#include "mor1e/ops/block_linear.hpp"
#include "round_trip.hpp"

using namespace mor1e;

/// z = W x + (alpha / rank) B R A x.  R [rank, rank] is trained from zero, A and B are frozen. Balazy et al. 2024 take
/// them from the singular vectors of W; here they are random.
struct lora_xs {
  static constexpr const char* label = "lora-xs";
  static constexpr bool trains_down = false, trains_up = false;
  int rank = 16;
  double alpha = 16;

  friend bool operator==(const lora_xs&, const lora_xs&) = default;
  template <class F>
  void fields(F f) {
    f(rank, {.key = "r", .option = "--rank", .help = "of the update", .takes = peft::accepts::size, .least = 1});
    f(alpha, {.key = "lora_alpha", .option = "--alpha", .help = "the update is multiplied by alpha / rank"});
  }

  int update_rank() const { return rank; }
  int router_rows() const { return 0; }
  double scale() const { return alpha / rank; }
  void rescale(double factor) { alpha *= factor; }
  peft::start up_start() const { return peft::start::uniform; }
  std::vector<peft::own_parameter> own_parameters() const {
    return {{.name = "lora_xs.weight", .width = rank, .rows = rank, .in_update = true}};
  }

  template <class B, class T>
  var<T> gates(tape<B>& t, var<T> products, int, std::span<const var<T>> own, peft::adapter_context<B, T>&) const {
    return ops::block_linear(t, products, own[0]);
  }
};

const registered<lora_xs> known;

int main() { return tour::round_trip("lora-xs") ? 0 : 1; }
