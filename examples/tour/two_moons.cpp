// A small network that tells two interleaved half circles apart, and a picture of where it draws the line.
#include <cmath>
#include <cstdio>
#include <fstream>
#include <string>

#include "mor1e/autodiff/plan.hpp"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/nn/linear.hpp"
#include "mor1e/ops/all.hpp"
#include "mor1e/optim/adam.hpp"

using namespace mor1e;

constexpr index_t points = 300;

/// Points of both moons with noise, and 0 or 1 for each.
struct moons {
  tensor<float> at{shape{points, 2}}, label{shape{points, 1}};

  explicit moons(std::uint64_t key) {
    rng random(key);
    for (index_t i = 0; i < points; ++i) {
      const bool lower = i % 2;
      const double angle = 3.14159265 * random.uniform();
      at(i, 0) = float((lower ? 1 - std::cos(angle) : std::cos(angle)) + 0.2 * random.normal());
      at(i, 1) = float((lower ? 0.5 - std::sin(angle) : std::sin(angle)) + 0.2 * random.normal());
      label[i] = lower;
    }
  }
};

template <class B>
class network {
 public:
  explicit network(B& device)
      : first_(device, "first", 2, 32, 1), second_(device, "second", 32, 32, 2), out_(device, "out", 32, 1, 3) {}

  /// Logit of the lower moon: [T, 2] -> [T, 1]
  value<B, float> operator()(value<B, float> x) const { return out_(relu(second_(relu(first_(x))))); }
  auto parameters() const { return parameters_of(first_, second_, out_); }

 private:
  nn::linear<B> first_, second_, out_;
};

/// Shades of grey for the probability, discs and squares for the points of the two moons.
void draw(const char* path, const tensor<float>& logits, index_t columns, index_t rows, const moons& data,
          double accuracy) {
  std::ofstream out(path);
  const double cell = 8, left = -1.6, bottom = -1.2, unit = cell * double(columns) / 4.2;
  out << "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 -30 " << cell * double(columns) << ' '
      << cell * double(rows) + 30
      << "' font-family='sans-serif'><text x='8' y='-10' font-size='16'>two moons: " << 100 * accuracy << " % of "
      << points << " held-out points right; black: undecided</text>\n";
  const auto grey_at = [&](index_t at) {
    const double p = 1 / (1 + std::exp(-double(logits[at])));
    return std::abs(p - 0.5) < 0.1 ? 0 : 145 + 15 * int(6 * (1 - p));
  };
  for (index_t i = 0; i < rows; ++i)
    for (index_t j = 0, end = 0; j < columns; j = end) {  // cells of one shade as one rectangle
      const int grey = grey_at(i * columns + j);
      for (end = j + 1; end < columns && grey_at(i * columns + end) == grey;) ++end;
      out << "<rect x='" << cell * double(j) << "' y='" << cell * double(i) << "' width='"
          << cell * double(end - j) + 0.5 << "' height='8.5' fill='rgb(" << grey << ',' << grey << ',' << grey
          << ")'/>";
    }
  for (index_t i = 0; i < points; ++i) {
    const double x = (data.at(i, 0) - left) * unit, y = cell * double(rows) - (data.at(i, 1) - bottom) * unit;
    if (data.label[i] > 0)
      out << "<rect x='" << x - 4 << "' y='" << y - 4 << "' width='8' height='8' fill='#d55e00' stroke='white'/>\n";
    else
      out << "<circle cx='" << x << "' cy='" << y << "' r='4.5' fill='#0072b2' stroke='white'/>\n";
  }
  out << "</svg>\n";
}

int main(int argc, char** argv) {
  cpu device;
  const moons training(1), held_out(2);
  network model(device);
  optim::adam optimizer(model, {.learning_rate = 0.01});
  for (int step = 0; step < 200; ++step) {
    tape t(device);
    const auto loss = binary_cross_entropy_with_logits(model(input(t, training.at)), input(t, training.label));
    clear_gradients(model);
    backward(loss);
    optimizer.step();
    if (step % 50 == 0) std::printf("step %3d, loss %.4f\n", step, loss.read_scalar());
  }

  // The same formula as a plan: recorded once, to be filled and run for any points of that number.
  tape recorded(device, recording::plan);
  const auto at = input<float>(recorded, points, 2), label = input<float>(recorded, points, 1);
  const auto error = binary_cross_entropy_with_logits(model(at), label);
  plan program(std::move(recorded), error, true);
  program.fill(at, held_out.at);
  program.fill(label, held_out.label);
  program.run();

  tape t(device, recording::forward);
  const float eager =
      binary_cross_entropy_with_logits(model(input(t, held_out.at)), input(t, held_out.label)).read_scalar();
  std::printf("held-out loss %.4f, by a plan of %zu bytes %.4f\n", eager, program.bytes(), program.read_scalar(error));
  const tensor<float> logits = model(input(t, held_out.at)).read();
  index_t right = 0;
  for (index_t i = 0; i < points; ++i) right += (logits[i] > 0) == (held_out.label[i] > 0);
  std::printf("%lld of %lld held-out points right\n", static_cast<long long>(right), static_cast<long long>(points));

  if (argc > 1) {
    const index_t columns = 84, rows = 58;
    tensor<float> grid({rows * columns, 2});
    for (index_t i = 0; i < rows; ++i)
      for (index_t j = 0; j < columns; ++j) {
        grid(i * columns + j, 0) = float(-1.6 + 0.05 * (double(j) + 0.5));
        grid(i * columns + j, 1) = float(-1.2 + 0.05 * (double(rows - i) - 0.5));
      }
    draw(argv[1], model(input(t, grid)).read(), columns, rows, held_out, double(right) / points);
  }
  return right > points * 92 / 100 && program.read_scalar(error) == eager ? 0 : 1;
}
