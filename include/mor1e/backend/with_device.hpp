// The one place where a program picks its back end.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "mor1e/backend/cpu.hpp"
#ifdef MOR1E_WITH_CUDA
#include "mor1e/backend/cuda.hpp"
#endif
#include "mor1e/core/error.hpp"

namespace mor1e {

struct device_options {
  std::string backend = "cpu";
  int threads = 0;                ///< of the host; 0: one for each processor
  std::string products = "fp32";  ///< fp32, bf16, or of one back end tf32 or int8: see `cpu_products`, `cuda_products`
};

/// What is wrong with a back end's name in this build; empty if nothing is.
inline std::string check_backend(std::string_view name) {
  if (name == "cpu") return {};
#ifdef MOR1E_WITH_CUDA
  if (name == "cuda") return {};
#endif
  return name == "cuda" ? "this build has no CUDA back end" : text("'", name, "' is neither cpu nor cuda");
}

/// The same of a way to compute products.
inline std::string check_products(std::string_view name) {
  const bool known = name == "fp32" || name == "tf32" || name == "bf16" || name == "int8";
  return known ? std::string() : text("'", name, "' is none of fp32, tf32, bf16, int8");
}

/// f(device) with the device that the options name: f is compiled for each back end of the build. Returns what f does.
/// Throws `value_error` for a back end that there is not.
template <class F>
decltype(auto) with_device(const device_options& options, F&& f) {
  std::string problem = check_backend(options.backend);
  require<value_error>(problem.empty(), "--backend: ", problem);
  problem = check_products(options.products);
  require<value_error>(problem.empty(), "--products: ", problem);
#ifdef MOR1E_WITH_CUDA
  if (options.backend == "cuda") {
    require<value_error>(options.products != "int8", "--products: int8 is of the CPU");
    const cuda_products products = options.products == "bf16"   ? cuda_products::bf16
                                   : options.products == "tf32" ? cuda_products::tf32
                                                                : cuda_products::fp32;
    cuda device({.products = products, .host_threads = options.threads});
    return std::forward<F>(f)(device);
  }
#endif
  require<value_error>(options.products != "tf32", "--products: tf32 is of a CUDA device");
  const cpu_products products = options.products == "bf16"   ? cpu_products::bf16
                                : options.products == "int8" ? cpu_products::int8
                                                             : cpu_products::fp32;
  problem = backend::products_problem(products);
  require<value_error>(problem.empty(), "--products: ", problem);
  cpu device(options.threads, products);
  return std::forward<F>(f)(device);
}

}  // namespace mor1e
