// Tensors and views as text. Apart, so that only who prints parses <ostream> and <iomanip>.
//
//     std::cout << std::setprecision(3) << x << '\n';
//
//     float32 [4096, 576]
//       0.121  -0.07   1.32  ...    0.4   0.23  -0.11
#pragma once

#include <algorithm>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "mor1e/core/dtype.hpp"
#include "mor1e/core/tensor.hpp"

namespace mor1e {

namespace detail {

/// The indices of an axis that are printed: all of a short one, both ends of a long one with -1 between them.
inline std::vector<index_t> shown_indices(index_t extent) {
  constexpr index_t most = 8, end = 3;
  std::vector<index_t> out;
  for (index_t i = 0; i < extent; ++i) {
    if (extent > most && i == end) {
      out.push_back(-1);
      i = extent - end;
    }
    out.push_back(i);
  }
  return out;
}

/// The elements below "dtype shape", each column right-aligned; a blank line where an axis before the last two goes on.
template <class T>
void print_elements(std::ostream& out, const shape& extents, view<const T> values) {
  out.width(0);  // meant for one number
  out << full_name_of(dtype_of<T>) << ' ' << extents;
  if (values.empty()) return;
  const std::vector<index_t> rows = shown_indices(values.rows), columns = shown_indices(values.cols);
  std::vector<std::string> cells;
  std::vector<std::size_t> widths(columns.size());
  std::ostringstream number;
  number.copyfmt(out);
  for (const index_t i : rows)
    for (std::size_t k = 0; k < columns.size(); ++k) {
      number.str("");
      if (i < 0 || columns[k] < 0)
        number << "...";
      else
        number << +values(i, columns[k]);
      widths[k] = std::max(widths[k], number.str().size());
      cells.push_back(number.str());
    }
  const index_t together = extents.rank() > 2 ? extents[extents.rank() - 2] : values.rows;
  for (std::size_t r = 0, cell = 0; r < rows.size(); ++r) {
    out << (r > 0 && rows[r] > 0 && rows[r] % together == 0 ? "\n\n" : "\n");
    for (std::size_t k = 0; k < columns.size(); ++k, ++cell)
      out << "  " << std::string(widths[k] - cells[cell].size(), ' ') << cells[cell];
  }
}

}  // namespace detail

/// "float32 [4096, 576]" and below it the elements, of many rows or columns the first and the last three. A tensor of
/// higher rank is shown as its matrix. Precision and notation of numbers are those of the stream.
template <class T>
std::ostream& operator<<(std::ostream& out, const tensor<T>& values) {
  detail::print_elements<T>(out, values.data() ? values.extents() : shape{0}, values);
  return out;
}

/// The same of a view, whose shape is [rows, columns].
template <class T>
std::ostream& operator<<(std::ostream& out, view<T> values) {
  detail::print_elements<std::remove_const_t<T>>(out, {values.rows, values.cols}, values);
  return out;
}

}  // namespace mor1e
