// An optional member of a method that would never be called, for want of a const.
// error: `input_dropout` of a method is never used unless it is `double input_dropout\(\) const`
#include "mor1e/backend/reference.hpp"
#include "mor1e/peft/attach.hpp"

using namespace mor1e;

struct method {
  int update_rank() const { return 2; }
  int router_rows() const { return 0; }
  double scale() const { return 1; }
#ifdef MOR1E_WRONG
  double input_dropout() { return 0.1; }
#else
  double input_dropout() const { return 0.1; }
#endif
  std::vector<peft::own_parameter> own_parameters() const { return {}; }
  template <class B, class T>
  var<T> gates(tape<B>&, var<T> x, int, std::span<const var<T>>, peft::adapter_context<B, T>&) const {
    return x;
  }
};

void use(std::vector<nn::projection_group<reference, float>*> groups) { peft::attach(groups, method{}); }
