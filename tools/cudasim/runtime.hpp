// Shared by the parts of the runtime stand-in; not seen by translated code or by programs.
#pragma once
#include <cstddef>
#include <functional>
#include <string>

#include "device.hpp"

namespace cudasim {

struct Dim {
  uint32_t x, y, z;
};
struct Config {
  int order = 0;  // 0 forward, 1 reverse, 2 random
  uint64_t seed = 1;
  int threads = 1, arch = 80, timeout = 0;
  bool race = false, leaks = false, lax_exit = false, lax_barrier = false, fill = true, keep_exit = false,
       quiet = false;
  std::string stats;
  uint64_t memory = 8ull << 30;
  bool instrument() const { return race || !stats.empty(); }
};
Config& config();
void init();

// ---- device memory ----
uint64_t dev_alloc(uint64_t n, const char* what);  // 0 when out of memory
bool dev_free(uint64_t a);
bool is_device(const void* p);
bool dev_range(const void* p, uint64_t n);  // whole range inside one live allocation
std::string dev_describe(uint64_t a);
uint64_t dev_used();
uint64_t dev_size(const void* p, uint64_t* base);
void pin(void* p, uint64_t n);
bool unpin(void* p);
bool pinned(const void* p, uint64_t n);
inline char* storage(const void* p) { return (char*)p + kDelta; }
void warn(const char* fmt, ...)
    __attribute__((format(printf, 1, 2)));  // reported fault: the program will not exit with 0

// ---- kernels ----
struct KernelInfo {
  const Kernel* k;
  uint32_t nsites;
  const char* module;
  uint32_t max_dyn = 48 * 1024;
};
KernelInfo* find_kernel(void** module, const char* name);
uint64_t find_var(void** module, const char* name, uint64_t* size);
int launch(KernelInfo*, Dim grid, Dim block, uint64_t dyn, const std::string& params,
           bool cooperative);  // -> cudaError
std::string pack_params(KernelInfo*, void** args);
void count_copy(bool to_device, bool from_device, uint64_t bytes);
int take_fault();  // sticky device error, 0 if none
std::string demangle(const char*);
constexpr uint32_t kMaxShared = 163 * 1024, kDefaultShared = 48 * 1024;

// ---- streams ----
// Runs the operation now, or records it when the stream is being captured. Returns a cudaError.
int submit(void* stream, std::function<int()> op);

}  // namespace cudasim
