// Own parameters by their names alone.
// error: a method needs `std::vector<own_parameter> own_parameters
// first lines
#include "mor1e/backend/reference.hpp"
#include "mor1e/peft/attach.hpp"

using namespace mor1e;

struct method {
  int update_rank() const { return 2; }
  int router_rows() const { return 0; }
  double scale() const { return 1; }
#ifndef MOR1E_WRONG
  std::vector<peft::own_parameter> own_parameters() const { return {}; }
#else
  std::vector<std::string> own_parameters() const { return {"bias"}; }
#endif
  template <class B, class T>
  var<T> gates(tape<B>&, var<T> x, int, std::span<const var<T>>, peft::adapter_context<B, T>&) const {
    return x;
  }
};

void use(std::vector<nn::projection_group<reference, float>*> groups) { peft::attach(groups, method{}); }
