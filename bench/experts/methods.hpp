// The methods that are measured.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "experts/group.hpp"
#include "mor1e/peft/attach.hpp"

namespace mor1e::bench {

/// A method on a group, and the sizes of its products: columns of U of a linear, rows of V and R of all linears.
struct adapted {
  peft::adapter_set<cpu, float> set;
  index_t slots = 0, down = 0;
  index_t clusters = 0;  ///< of the intuition it reads; 0: none
};

struct method_case {
  std::string name;
  std::vector<std::string> pictures;  ///< that it is drawn in
  int rank = 1;                       ///< of one expert
  /// Puts the method on the group, with so many experts.
  std::function<adapted(group&, int experts)> put;
  bool draws_bound = false;  ///< its products alone are in the pictures too
};

/// All of them: see methods.cpp, where a method of one's own is a line more.
std::vector<method_case> methods();

}  // namespace mor1e::bench
