// VeRA: random matrices that are never trained, and a vector on either side of them that is.
#include "mor1e/ops/multiply.hpp"
#include "round_trip.hpp"

using namespace mor1e;

/// z = W x + diag(b) B diag(d) A x.  A and B are random, the same for all linears of a size, and frozen; d starts at
/// `start`, b at zero.  Kopiczko et al. 2024.
struct vera {
  static constexpr const char* label = "vera";
  static constexpr bool trains_down = false, trains_up = false, shares_draws = true;
  int rank = 64;
  double start = 0.1;

  friend bool operator==(const vera&, const vera&) = default;
  template <class F>
  void fields(F f) {
    f(rank, {.key = "r", .option = "--rank", .help = "of the update", .takes = peft::accepts::size, .least = 1});
    f(start, {.key = "d_initial", .option = "--d-initial", .help = "where d starts", .of_training = true});
  }

  int update_rank() const { return rank; }
  int router_rows() const { return 0; }
  double scale() const { return 1; }
  peft::start up_start() const { return peft::start::uniform; }
  peft::own_parameter up_scale() const { return {.name = "vera_lambda_b"}; }
  std::vector<peft::own_parameter> own_parameters() const {
    return {{.name = "vera_lambda_d", .width = rank, .value = start}};
  }

  template <class B, class T>
  var<T> gates(tape<B>& t, var<T> products, int, std::span<const var<T>> own, peft::adapter_context<B, T>&) const {
    return ops::multiply(t, products, own[0]);
  }
};

const registered<vera> known;

int main() { return tour::round_trip("vera") ? 0 : 1; }
