// What the back ends share about routing tokens to experts.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "mor1e/core/config.hpp"
#include "mor1e/core/view.hpp"

namespace mor1e::backend {

/// Which expert a slot of an update belongs to, and which product V^T x it reads, for E experts of rank r.
enum class slot_order : std::uint8_t {
  block,  ///< slot j is of expert j / r; E r products
  tiled,  ///< slot j is of expert j mod E; E r products
  shared  ///< slot j is of expert j / r and reads product j mod r: r products for all experts
};

// The names of what a method may choose: which slots share products is its own matter, and a group of one token no
// choice.
constexpr std::array<std::string_view, 2> names_of(slot_order) { return {"block", "tiled"}; }

struct expert_slots_shape {
  int experts = 1;
  int rank = 1;
  slot_order order = slot_order::block;

  MOR1E_HD int slots() const { return experts * rank; }
  MOR1E_HD int products() const { return order == slot_order::shared ? rank : slots(); }
  MOR1E_HD int expert(int slot) const { return order == slot_order::tiled ? slot % experts : slot / rank; }
  MOR1E_HD int product(int slot) const { return order == slot_order::shared ? slot % rank : slot; }
};

/// The tokens that are counted together. Dead rows, those of no instance, are counted nowhere.
enum class token_group : std::uint8_t { token, instance, batch };
constexpr std::array<std::string_view, 3> names_of(token_group) { return {"", "instance", "batch"}; }

/// The number of the group of row i, which is of `instance`, below the number of rows; -1 for a dead row.
MOR1E_HD inline index_t group_of(token_group group, std::int32_t instance, index_t i) {
  if (instance < 0) return -1;
  return group == token_group::token ? i : group == token_group::instance ? instance : 0;
}
inline index_t group_of(token_group group, view<const std::int32_t> instances, index_t i) {
  return group_of(group, instances[i], i);
}

/// How many tokens an expert takes, of `tokens` that choose `choices` experts each.
struct capacity_shape {
  int choices = 1;
  double factor = 1.25;
  token_group group = token_group::instance;
};

}  // namespace mor1e::backend
