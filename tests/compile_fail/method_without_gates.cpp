// A method that does nothing with its products.
// error: a method needs `var<T> gates
// first lines
#include "mor1e/mor1e.hpp"

using namespace mor1e;

struct method {
  int update_rank() const { return 2; }
  int router_rows() const { return 0; }
  double scale() const { return 1; }
  std::vector<peft::own_parameter> own_parameters() const { return {}; }
#ifndef MOR1E_WRONG
  template <class B, class T>
  var<T> gates(tape<B>&, var<T> x, int, std::span<const var<T>>, peft::adapter_context<B, T>&) const {
    return x;
  }
#endif
};

void use(models::language_model<cpu, float>& model) { peft::attach(model, method{}); }
