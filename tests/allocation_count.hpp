// Counts what a program asks of the heap. Include it in one file of a program: it replaces the global operator new, and
// malloc and aligned_alloc of glibc. Ours are operator new (containers) and aligned_alloc (tensors, slabs); nothing of
// ours calls malloc, so that what is counted there is Eigen (panels of a product too large for the stack) and the C
// library.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MOR1E_COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define MOR1E_COUNTS_ALLOCATIONS 0
#endif
#endif
// A sanitizer has an allocator of its own, which must not be replaced.
#if !defined(MOR1E_COUNTS_ALLOCATIONS) && defined(__GLIBC__)
#define MOR1E_COUNTS_ALLOCATIONS 1
#elif !defined(MOR1E_COUNTS_ALLOCATIONS)
#define MOR1E_COUNTS_ALLOCATIONS 0
#endif

namespace mor1e::testing {

/// Calls since the program began, of all threads.
struct allocation_count {
  long containers = 0;  ///< operator new
  long buffers = 0;     ///< aligned_alloc
  long foreign = 0;     ///< malloc

  long ours() const { return containers + buffers; }
  friend allocation_count operator-(allocation_count a, allocation_count b) {
    return {a.containers - b.containers, a.buffers - b.buffers, a.foreign - b.foreign};
  }
};

namespace detail {
inline std::atomic<long> containers{0}, buffers{0}, foreign{0};
}
inline allocation_count allocations() { return {detail::containers, detail::buffers, detail::foreign}; }

}  // namespace mor1e::testing

#if MOR1E_COUNTS_ALLOCATIONS
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t bytes) {
  mor1e::testing::detail::foreign.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  mor1e::testing::detail::buffers.fetch_add(1, std::memory_order_relaxed);
  return __libc_memalign(alignment, bytes);
}
}

[[gnu::noinline]] void* operator new(std::size_t bytes) {
  mor1e::testing::detail::containers.fetch_add(1, std::memory_order_relaxed);
  if (void* p = __libc_malloc(bytes ? bytes : 1)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { __libc_free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { __libc_free(p); }
#endif
