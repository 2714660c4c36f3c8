// A method that is registered and does not say what its hyperparameters are called.
// error: a method that is known by name needs `template <class F> void fields
// first lines
#include "mor1e/backend/reference.hpp"
#include "mor1e/peft/registration.hpp"

using namespace mor1e;

struct method {
  static constexpr const char* label = "mine";
  friend bool operator==(const method&, const method&) = default;
#ifndef MOR1E_WRONG
  template <class F>
  void fields(F) {}
#endif
  int update_rank() const { return 2; }
  int router_rows() const { return 0; }
  double scale() const { return 1; }
  std::vector<peft::own_parameter> own_parameters() const { return {}; }
  template <class B, class T>
  var<T> gates(tape<B>&, var<T> x, int, std::span<const var<T>>, peft::adapter_context<B, T>&) const {
    return x;
  }
};

const peft::registration<method, peft::on<reference, float>> known;
