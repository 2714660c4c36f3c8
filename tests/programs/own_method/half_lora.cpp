// A method that a user links into the programs: LoRA of which a part of the ranks is switched off.
#include "mor1e/mor1e.hpp"
#include "mor1e/ops/columns.hpp"
#include "mor1e/ops/concat_columns.hpp"
#include "mor1e/ops/scale.hpp"

using namespace mor1e;

namespace {

struct half_lora {
  static constexpr const char* label = "half";
  int rank = 8, off = 4;
  double alpha = 16;

  friend bool operator==(const half_lora&, const half_lora&) = default;
  static std::vector<peft::preset_of<half_lora>> presets() { return {{"half"}, {"half-wide", {.rank = 16, .off = 8}}}; }
  template <class F>
  void fields(F f) {
    f(rank, {.key = "r", .option = "--rank", .help = "of the update", .takes = peft::accepts::size, .least = 1});
    f(off, {.key = "off", .option = "--off", .help = "ranks that are off", .part_of = "r"});
    f(alpha, {.key = "lora_alpha", .option = "--alpha", .help = "the update is multiplied by alpha / rank"});
  }
  int update_rank() const { return rank; }
  int router_rows() const { return 0; }
  double scale() const { return alpha / rank; }
  void rescale(double factor) { alpha *= factor; }
  void check(index_t) const { require<value_error>(off < rank, "half: ", off, " of ", rank, " ranks are off"); }
  std::vector<peft::own_parameter> own_parameters() const { return {}; }
  template <class B, class T>
  var<T> gates(tape<B>& t, var<T> x, int linears, std::span<const var<T>>, peft::adapter_context<B, T>&) const {
    std::vector<var<T>> parts;
    for (index_t p = 0; p < linears; ++p) {
      parts.push_back(ops::scale(t, ops::columns(t, x, p * rank, off), 0));
      parts.push_back(ops::columns(t, x, p * rank + off, rank - off));
    }
    return ops::concat_columns<B, T>(t, parts);
  }
};

const registered<half_lora> known;

}  // namespace
