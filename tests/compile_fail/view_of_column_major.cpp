// A view is row-major: a column-major matrix of Eigen is copied, by name.
// error: a view is row-major: use to_tensor
#include "mor1e/interop/eigen.hpp"

int main() {
#ifdef MOR1E_WRONG
  Eigen::MatrixXf weights(2, 3);
#else
  Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> weights(2, 3);
#endif
  return mor1e::interop::as_view(weights).cols == 3 ? 0 : 1;
}
