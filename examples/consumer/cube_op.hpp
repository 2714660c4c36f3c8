#pragma once

#include "mor1e/ops/elementwise.hpp"

/// y = x^3
struct cube_op : mor1e::ops::elementwise<cube_op> {
  static constexpr const char* label = "cube";

  template <class T>
  MOR1E_HD static T f(T x) {
    return x * x * x;
  }
  template <class T>
  MOR1E_HD static T df(T x, T) {
    return T(3) * x * x;
  }
};
