// A rank that is no number.
// error: a method needs `int update_rank
// first lines
#include "mor1e/backend/reference.hpp"
#include "mor1e/peft/attach.hpp"

using namespace mor1e;

struct method {
#ifndef MOR1E_WRONG
  int update_rank() const { return 2; }
#else
  std::string update_rank() const { return "2"; }
#endif
  int router_rows() const { return 0; }
  double scale() const { return 1; }
  std::vector<peft::own_parameter> own_parameters() const { return {}; }
  template <class B, class T>
  var<T> gates(tape<B>&, var<T> x, int, std::span<const var<T>>, peft::adapter_context<B, T>&) const {
    return x;
  }
};

void use(std::vector<nn::projection_group<reference, float>*> groups) { peft::attach(groups, method{}); }
