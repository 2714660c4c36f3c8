// What is needed of oneDNN, for its versions 2 and 3, on the threads that are ours.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dnnl.hpp>
#include <initializer_list>
#include <omp.h>
#include <vector>

#include "mor1e/backend/transpose.hpp"
#include "mor1e/core/view.hpp"

namespace mor1e::backend::detail::onednn {

/// While one lives, oneDNN stays on the calling thread: the work has been divided among threads before.
class one_thread {
 public:
  one_thread() { omp_set_num_threads(1); }
  one_thread(const one_thread&) = delete;
  one_thread& operator=(const one_thread&) = delete;
  ~one_thread() { omp_set_num_threads(before_); }

 private:
  int before_ = omp_get_max_threads();
};

inline const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

inline const dnnl::stream& stream() {
  thread_local const dnnl::stream own(engine());
  return own;
}

/// oneDNN's name of a type, bf16 being what 16 bits hold.
template <class T>
inline constexpr auto type_of = dnnl::memory::data_type::undef;
template <>
inline constexpr auto type_of<float> = dnnl::memory::data_type::f32;
template <>
inline constexpr auto type_of<std::uint16_t> = dnnl::memory::data_type::bf16;
template <>
inline constexpr auto type_of<std::int8_t> = dnnl::memory::data_type::s8;
template <>
inline constexpr auto type_of<std::uint8_t> = dnnl::memory::data_type::u8;
template <>
inline constexpr auto type_of<std::int32_t> = dnnl::memory::data_type::s32;

/// A row-major matrix.
inline dnnl::memory::desc plain(const dnnl::memory::dims& extents, dnnl::memory::data_type type) {
  return {extents, type, dnnl::memory::format_tag::ab};
}

/// Working memory is passed by whoever executes it: what the library would keep for it is of the thread that made it.
inline dnnl::matmul::primitive_desc matmul(const dnnl::memory::desc& x, const dnnl::memory::desc& w,
                                           const dnnl::memory::desc& y) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
#if DNNL_VERSION_MAJOR < 3
  return {dnnl::matmul::desc(x, w, y), attributes, engine()};
#else
  return {engine(), x, w, y, attributes};
#endif
}

/// Memory of the calling thread for a primitive that asks for it.
inline dnnl::memory working_memory(const dnnl::memory::desc& asked) {
  thread_local std::vector<std::max_align_t> own;
  own.resize(std::max(own.size(), (asked.get_size() + 64) / sizeof(std::max_align_t) + 1));
  return {asked, engine(), reinterpret_cast<void*>((reinterpret_cast<std::uintptr_t>(own.data()) + 63) / 64 * 64)};
}

inline void reorder(const dnnl::memory& from, const dnnl::memory& to) {
  const one_thread alone;
  dnnl::memory source = from, target = to;
  dnnl::reorder(source, target).execute(stream(), source, target);
}

/// c = alpha op(a) op(b) + beta c. A sum of no terms would leave c as it is.
inline void gemm(transpose ta, transpose tb, float alpha, view<const float> a, view<const float> b, float beta,
                 view<float> c) {
  if (c.size() == 0) return;
  const index_t inner = ta == transpose::no ? a.cols : a.rows;
  const one_thread alone;
  dnnl::sgemm(ta == transpose::no ? 'N' : 'T', tb == transpose::no ? 'N' : 'T', c.rows, c.cols, inner, alpha, a.data,
              a.stride, b.data, b.stride, beta, c.data, c.stride);
}

/// Without the map of arguments that the C++ interface makes for each call.
inline void execute(const dnnl::primitive& primitive, std::initializer_list<dnnl_exec_arg_t> arguments) {
  const one_thread alone;
  dnnl::error::wrap_c_api(
      dnnl_primitive_execute(primitive.get(), stream().get(), int(arguments.size()), arguments.begin()),
      "oneDNN could not multiply");
}

}  // namespace mor1e::backend::detail::onednn
