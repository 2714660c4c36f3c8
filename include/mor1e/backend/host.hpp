// What the two host back ends share: memory, arrays, frozen weights.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "mor1e/backend/pool.hpp"
#include "mor1e/core/config.hpp"
#include "mor1e/core/row_source.hpp"
#include "mor1e/core/tensor.hpp"

namespace mor1e::backend {

/// A frozen weight [outputs, inputs] in host memory: numbers that are owned or lie in a mapped file, or rows that are
/// decoded whenever they are needed.
template <class T>
class host_frozen {
 public:
  host_frozen() = default;
  template <class Device>
  host_frozen(Device&, tensor<T> values) : owned_(std::move(values)), values_(std::as_const(owned_).matrix()) {}
  /// Leaves the values where they are: `keep` owns that memory.
  template <class Device>
  host_frozen(Device&, view<const T> values, std::shared_ptr<const void> keep)
      : values_(values), keep_(std::move(keep)) {}
  /// Keeps the stored form, and decodes rows of it for each use.
  template <class Device>
  host_frozen(Device&, std::shared_ptr<const row_source<T>> stored)
      : values_(nullptr, stored->rows(), stored->cols()), stored_(std::move(stored)) {}
  host_frozen(host_frozen&&) = default;
  host_frozen& operator=(host_frozen&&) = default;

  index_t rows() const { return values_.rows; }
  index_t cols() const { return values_.cols; }
  /// Whether rows have to be decoded: `values` is then not there.
  bool is_stored() const { return stored_ != nullptr; }
  view<const T> values() const {
    assert(!is_stored());
    return values_;
  }
  /// Rows [first, first + to.rows), copied or decoded.
  void read_rows(index_t first, view<T> to) const {
    if (is_stored()) return stored_->read_rows(first, to);
    for (index_t i = 0; i < to.rows; ++i) std::copy_n(values_.row(first + i), values_.cols, to.row(i));
  }
  /// Bytes held in memory of our own.
  std::size_t owned_bytes() const { return std::size_t(owned_.size()) * sizeof(T); }

 private:
  tensor<T> owned_;
  view<const T> values_;
  std::shared_ptr<const void> keep_;
  std::shared_ptr<const row_source<T>> stored_;
};

/// Memory of a back end whose device is the host. Addresses of arrays and tapes point to it: it stays where it is.
class host_memory {
 public:
  template <class T>
  using view = mor1e::view<T>;
  template <class T>
  using frozen = host_frozen<T>;

  host_memory() = default;
  host_memory(const host_memory&) = delete;
  host_memory& operator=(const host_memory&) = delete;

  void* allocate(std::size_t bytes) { return mor1e::detail::aligned_bytes(bytes); }
  void deallocate(void* p) { std::free(p); }
  void* take(std::size_t bytes) { return blocks_.take(bytes); }
  void give_back(void* p, std::size_t bytes) { blocks_.give_back(p, bytes); }
  void upload(void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); }
  void download(void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); }
  void finish() {}

 private:
  pool<host_memory> blocks_{*this};
};

/// A copy of a frozen weight [outputs, inputs].
template <class T>
tensor<T> read_frozen(host_memory&, const host_frozen<T>& w) {
  tensor<T> out(shape{w.rows(), w.cols()});
  w.read_rows(0, out.matrix());
  return out;
}

/// y_i = sum_j w_ij^2, added in double                                        w [outputs, inputs] -> y [1, outputs]
template <class T>
void row_squares(host_memory&, const host_frozen<T>& w, view<T> y) {
  tensor<T> row(shape{1, w.cols()});
  for (index_t i = 0; i < w.rows(); ++i) {
    w.read_rows(i, row.matrix());
    double sum = 0;
    for (index_t j = 0; j < w.cols(); ++j) sum += double(row[j]) * double(row[j]);
    y[i] = T(sum);
  }
}

/// value + beta old. With beta 0, `old` may be anything, NaN included.
template <class T>
T blend(T value, T beta, T old) {
  return beta == T(0) ? value : value + beta * old;
}

/// Block i of the `blocks` that the rows of x are cut into.
template <class T>
view<T> block(view<T> x, index_t blocks, index_t i) {
  return x.row_range(i * (x.rows / blocks), x.rows / blocks);
}

/// Whether a comes before b as the largest: a NaN before all numbers.
template <class T>
MOR1E_HD bool exceeds(T a, T b) {
  return (a > b) | ((a != a) & (b == b));
}

/// Whether a and b are equal or both NaN.
template <class T>
MOR1E_HD bool same(T a, T b) {
  return (a == b) | ((a != a) & (b != b));
}

/// Every index is below `rows`; negative ones name no row. An assertion: tapes and plans check their inputs
/// (autodiff/indices.hpp), since a GPU could not.
inline void assert_indices([[maybe_unused]] view<const std::int32_t> index, [[maybe_unused]] index_t rows) {
  assert(std::all_of(index.data, index.data + index.size(), [=](std::int32_t i) { return i < rows; }));
}

/// Each row of `ranges` begins with a range [begin, end) of `rows` rows, or an empty one.
inline void assert_row_ranges([[maybe_unused]] view<const std::int32_t> ranges, [[maybe_unused]] index_t rows) {
  for ([[maybe_unused]] index_t s = 0; s < ranges.rows; ++s) assert(0 <= ranges(s, 0) && ranges(s, 1) <= rows);
}

}  // namespace mor1e::backend
