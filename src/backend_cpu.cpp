#include "mor1e/backend/cpu/frozen.ipp"
#include "mor1e/backend/cpu/gemm.ipp"
#include "mor1e/backend/cpu/products.ipp"

namespace mor1e::backend {

template void gemm<float>(cpu&, transpose, transpose, float, view<const float>, view<const float>, float, view<float>);
template void gemm<double>(cpu&, transpose, transpose, double, view<const double>, view<const double>, double,
                           view<double>);
template void gemm_serial<float>(transpose, transpose, float, view<const float>, view<const float>, float, view<float>);
template void gemm_serial<double>(transpose, transpose, double, view<const double>, view<const double>, double,
                                  view<double>);

}  // namespace mor1e::backend
