#include "mor1e/interop/dlpack.hpp"

#include <doctest/doctest.h>

#include "mor1e/core/print.hpp"

using namespace mor1e;
using namespace mor1e::interop;

namespace {

/// An array of somebody else over `values`.
struct foreign {
  std::vector<float> values;
  std::vector<std::int64_t> extents, strides;
  DLTensor array() {
    return {values.data(),
            {kDLCPU, 0},
            int(extents.size()),
            {kDLFloat, 32, 1},
            extents.data(),
            strides.empty() ? nullptr : strides.data(),
            0};
  }
};

foreign six(std::vector<std::int64_t> extents, std::vector<std::int64_t> strides = {}) {
  return {{1, 2, 3, 4, 5, 6}, std::move(extents), std::move(strides)};
}

}  // namespace

TEST_CASE("a tensor is handed over with its memory, and given back once") {
  tensor<float> x{{1, 2, 3}, {4, 5, 6}};
  const float* memory = x.data();
  const dlpack_array array = to_dlpack(std::move(x));
  const DLTensor& t = array->dl_tensor;
  CHECK(t.data == memory);
  CHECK(t.device.device_type == kDLCPU);
  CHECK(t.ndim == 2);
  CHECK(t.shape[0] == 2);
  CHECK(t.shape[1] == 3);
  CHECK(t.strides[0] == 3);
  CHECK(t.strides[1] == 1);
  CHECK(t.byte_offset == 0);
  CHECK(int(t.dtype.code) == kDLFloat);
  CHECK(int(t.dtype.bits) == 32);
  CHECK(int(t.dtype.lanes) == 1);
  CHECK(from_dlpack<float>(t) == tensor<float>{{1, 2, 3}, {4, 5, 6}});

  // A consumer that took it calls the deleter; under the address sanitizer, once too often or never shows.
  DLManagedTensor* taken = to_dlpack(tensor<std::uint8_t>({3}, {7, 8, 9})).release();
  CHECK(int(taken->dl_tensor.dtype.code) == kDLUInt);
  CHECK(int(taken->dl_tensor.dtype.bits) == 8);
  taken->deleter(taken);
  CHECK(to_dlpack(tensor<std::int64_t>(shape{0, 3}))->dl_tensor.data == nullptr);
  CHECK(to_dlpack(tensor<double>(shape{}, 1))->dl_tensor.ndim == 0);
  CHECK_THROWS_WITH_AS(to_dlpack(tensor<float>()), "to_dlpack: the tensor has no memory", value_error);
}

TEST_CASE("an array that came in is given back at the end") {
  int given_back = 0;
  DLManagedTensor managed{};
  managed.manager_ctx = &given_back;
  managed.deleter = [](DLManagedTensor* self) { ++*static_cast<int*>(self->manager_ctx); };
  {
    dlpack_array array(&managed);
    const dlpack_array moved = std::move(array);
    CHECK(given_back == 0);
  }
  CHECK(given_back == 1);
  managed.deleter = nullptr;  // nothing to give back
  dlpack_array{&managed};
}

TEST_CASE("an array is seen as its matrix, without a copy") {
  foreign compact = six({2, 3});
  const view<float> rows = dlpack_view<float>(compact.array());
  CHECK(rows.data == compact.values.data());
  CHECK(rows.rows == 2);
  rows(1, 2) = 9;
  CHECK(compact.values[5] == 9);

  foreign folded = six({1, 3, 2});
  CHECK(dlpack_view<const float>(folded.array()).rows == 3);
  // The left column of a matrix, and every second row of one.
  foreign column = six({2, 1}, {3, 1}), second = six({2, 2}, {4, 1});
  CHECK(dlpack_view<float>(column.array())(1, 0) == 4);
  CHECK(dlpack_view<float>(second.array()).stride == 4);
  CHECK(dlpack_view<float>(second.array())(1, 1) == 6);
  // The stride of an axis of one says nothing: others set what they like.
  foreign single = six({1, 2, 1, 3}, {-7, 3, 0, 1});
  CHECK(dlpack_view<float>(single.array())(1, 2) == 6);
  foreign one = six({});
  CHECK(dlpack_view<float>(one.array()).size() == 1);
  foreign none = six({0, 3});
  CHECK(dlpack_view<float>(none.array()).size() == 0);
  DLTensor offset = second.array();
  offset.shape[0] = 1, offset.byte_offset = 8;
  CHECK(dlpack_view<float>(offset)(0, 0) == 3);
}

TEST_CASE("an array of other strides is copied, not seen") {
  foreign transposed = six({3, 2}, {1, 3}), repeated = six({2, 3}, {0, 1}), uneven = six({2, 2, 1}, {3, 2, 1});
  CHECK_THROWS_WITH_AS(
      dlpack_view<float>(transposed.array()),
      "dlpack: an array [3, 2] of strides [1, 3] is no matrix of adjacent elements; from_dlpack copies it",
      shape_error);
  CHECK_THROWS_AS(dlpack_view<float>(repeated.array()), shape_error);
  CHECK_THROWS_AS(dlpack_view<float>(uneven.array()), shape_error);
  CHECK(from_dlpack<float>(transposed.array()) == tensor<float>{{1, 4}, {2, 5}, {3, 6}});
  CHECK(from_dlpack<float>(repeated.array()) == tensor<float>{{1, 2, 3}, {1, 2, 3}});
  CHECK(from_dlpack<float>(uneven.array()) == tensor<float>({2, 2, 1}, {1, 3, 4, 6}));
  foreign reversed = six({3}, {-1});
  DLTensor backwards = reversed.array();
  backwards.byte_offset = 5 * sizeof(float);
  CHECK(from_dlpack<float>(backwards) == tensor<float>({3}, {6, 5, 4}));
}

TEST_CASE("another device, another element type, too many axes and no memory are refused") {
  foreign whole = six({2, 3});
  const auto error_of = [&](auto change) -> std::string {
    DLTensor array = whole.array();
    change(array);
    try {
      dlpack_view<float>(array);
    } catch (const error& e) {
      CHECK_THROWS_WITH(from_dlpack<float>(array), e.what());
      return e.what();
    }
    return "accepted";
  };
  CHECK(error_of([](DLTensor&) {}) == "accepted");
  CHECK(error_of([](DLTensor& t) { t.device.device_type = kDLCUDA; }) ==
        "dlpack: the array is on a device of type 2, not in host memory (type 1)");
  CHECK(error_of([](DLTensor& t) { t.dtype = {kDLFloat, 64, 1}; }) == "dlpack: the elements are float64, not float32");
  CHECK(error_of([](DLTensor& t) { t.dtype = {kDLUInt, 32, 1}; }) == "dlpack: the elements are uint32, not float32");
  CHECK(error_of([](DLTensor& t) {
          t.dtype = {kDLFloat, 32, 4};
        }) == "dlpack: the elements are float32 x 4, not float32");
  CHECK(error_of([](DLTensor& t) { t.dtype = {77, 8, 1}; }) == "dlpack: the elements are type 77 of 8, not float32");
  CHECK(error_of([](DLTensor& t) { t.ndim = 5; }) == "dlpack: rank 5 exceeds 4");
  CHECK(error_of([](DLTensor& t) { t.data = nullptr; }) == "dlpack: an array [2, 3] without memory");
  CHECK(error_of([](DLTensor& t) { t.byte_offset = 2; }) ==
        "dlpack: the elements, float32, are not aligned to 4 bytes");
  whole.extents[0] = -2;
  CHECK(error_of([](DLTensor&) {}) == "shape: extent -2 is negative");
}

TEST_CASE("docs/tensors.md") {
  tensor<float> x({2, 3}, {1, 2, 3, 4, 5, 6});
  DLManagedTensor* out = interop::to_dlpack(std::move(x)).release();  // what a PyCapsule "dltensor" holds

  const interop::dlpack_array in(out);                                  // what came in: gives it back at the end
  const view<float> rows = interop::dlpack_view<float>(in->dl_tensor);  // the same memory, as long as `in` lives
  const tensor<float> copy = interop::from_dlpack<float>(in->dl_tensor);
  CHECK(rows(1, 2) == 6);
  CHECK(copy == tensor<float>{{1, 2, 3}, {4, 5, 6}});
}
