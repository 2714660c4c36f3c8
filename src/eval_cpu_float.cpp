#include "mor1e/mor1e.hpp"

namespace mor1e::eval {

template class branch_scorer<cpu, float>;
template class scorer<cpu, float>;

}  // namespace mor1e::eval
