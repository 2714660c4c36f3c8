// An op of one's own: f and df. That gives it a gradient, its check, and both host back ends.
#include <algorithm>
#include <cstdio>

#include "mor1e/backend/reference.hpp"
#include "mor1e/ops/elementwise.hpp"
#include "mor1e/testing/gradcheck.hpp"

using namespace mor1e;

/// y = x^2 sigmoid(x)
struct squared_silu : ops::elementwise<squared_silu> {
  static constexpr const char* label = "squared_silu";
  template <class T>
  static T f(T x) {
    return x * x * math::sigmoid(x);
  }
  template <class T>
  static T df(T x, T y) {
    return x * math::sigmoid(x) * T(2) + y * (T(1) - math::sigmoid(x));
  }
};

int main() {
  reference device;
  double worst = 0;
  for (const auto& c : squared_silu::cases())
    if (!c.benchmark) worst = std::max(worst, testing::gradient_deviation(device, c).relative);
  std::printf("largest relative error of the gradient: %.1e\n", worst);
  return worst < 1e-6 ? 0 : 1;
}
