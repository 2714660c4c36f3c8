// How an operand of a matrix product is read.
#pragma once

namespace mor1e::backend {

enum class transpose : bool { no, yes };

}  // namespace mor1e::backend
