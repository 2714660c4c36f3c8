// The methods that are measured.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "experts/group.hpp"
#include "mor1e/backend/with_device.hpp"
#include "mor1e/peft/attach.hpp"

namespace mor1e::bench {

/// A method on a group, and the sizes of its products: columns of U of a linear, rows of V and R of all linears.
template <class B>
struct adapted {
  peft::adapter_set<B, float> set;
  index_t slots = 0, down = 0;
  index_t clusters = 0;  ///< of the intuition it reads; 0: none
};

/// What of a method does not depend on the device.
struct method_entry {
  std::string name;
  std::vector<std::string> pictures;  ///< that it is drawn in
  int rank = 1;                       ///< of one expert
  bool draws_bound = false;           ///< its products alone are in the pictures too
};

template <class B>
struct method_case : method_entry {
  /// Puts the method on the group, with so many experts.
  std::function<adapted<B>(group<B>&, int experts)> put;
};

/// All of them: see methods.cpp, where a method of one's own is a line more.
template <class B>
std::vector<method_case<B>> methods();
extern template std::vector<method_case<cpu>> methods();
#ifdef MOR1E_WITH_CUDA
extern template std::vector<method_case<cuda>> methods();
#endif

}  // namespace mor1e::bench
