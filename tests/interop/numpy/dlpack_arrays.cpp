// What numpy_round_trip.py calls through ctypes: arrays of ours for NumPy, and arrays of NumPy read by us.
#include "mor1e/core/compare.hpp"
#include "mor1e/interop/dlpack.hpp"

using namespace mor1e;

namespace {
int given_back = 0;
void (*deleter)(DLManagedTensor*) = nullptr;
}  // namespace

extern "C" {

/// 0, 1, 2, ... as [2, 3, 4]; how often NumPy gave such an array back is counted.
DLManagedTensor* made_by_us() {
  tensor<float> values({2, 3, 4});
  for (index_t i = 0; i < values.size(); ++i) values[i] = float(i);
  DLManagedTensor* out = interop::to_dlpack(std::move(values)).release();
  deleter = out->deleter;
  out->deleter = [](DLManagedTensor* self) {
    ++given_back;
    deleter(self);
  };
  return out;
}
int times_given_back() { return given_back; }

/// Takes an array of NumPy over: -1 if it is refused, 0 if it had to be copied, 1 if it was seen in place; in `sum` the
/// sum of (place in row-major order) * element.
int taken_by_us(DLManagedTensor* array, double* sum) {
  const interop::dlpack_array mine(array);
  *sum = 0;
  try {
    const tensor<double> copy = interop::from_dlpack<double>(mine->dl_tensor);
    for (index_t i = 0; i < copy.size(); ++i) *sum += double(i) * copy[i];
    try {
      return all_close(interop::dlpack_view<double>(mine->dl_tensor), copy.matrix(), 0, 0) ? 1 : -2;
    } catch (const shape_error&) {
      return 0;
    }
  } catch (const error&) {
    return -1;
  }
}

}  // extern "C"
