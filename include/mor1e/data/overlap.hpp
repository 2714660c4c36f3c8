// Which rows of an evaluation have been seen in training.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/data/example.hpp"

namespace mor1e::data {

/// The share of their sequences of three words from which on two rows are near each other.
inline constexpr double least_likeness = 0.8;

/// How a row of the evaluation meets one of the training. Case, punctuation and spaces do not count.
enum class meeting {
  same,      ///< context, question and choices are the same
  question,  ///< context and question are, choices are not
  near       ///< `least_likeness` of all sequences of three words, those of choices included
};
MOR1E_INLINE std::string_view name_of(meeting how);

struct overlap {
  meeting how;
  std::size_t eval, train;  ///< places of the rows
  double likeness;          ///< shared sequences of three words over those of either
};

/// The closest row of the training for each row of the evaluation that meets one, in the order of the evaluation.
MOR1E_INLINE std::vector<overlap> overlaps(const std::vector<example>& train, const std::vector<example>& eval);

}  // namespace mor1e::data

#ifndef MOR1E_COMPILED
#include "mor1e/data/overlap.ipp"
#endif
