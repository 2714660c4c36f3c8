#include "mor1e/mor1e.hpp"

namespace mor1e::train {

template class step_program<cpu, float>;
template class program_cache<cpu, float>;
template class trainer<cpu, float>;

}  // namespace mor1e::train
