// The CUDA runtime API on the CPU. Streams run at once, in program order; a stream that is being
// captured records instead.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cuda_runtime_api.h>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>
#include <vector>

#include "runtime.hpp"

using namespace cudasim;
using E = cudaError_t;
static thread_local E last = cudaSuccess;
static E ret(int e) {
  if (e) last = (E)e;
  return (E)e;
}
static E now() {
  int f = take_fault();
  return ret(f);
}  // a fault on the device shows at every later call
static E bad(const char* f, const std::string& why, E e = cudaErrorInvalidValue) {
  warn("%s: %s", f, why.c_str());
  return ret(e);
}

// ---- streams, graphs ------------------------------------------------------------------------------
using Op = std::function<int()>;
struct CUgraph_st {
  std::vector<Op> ops;
};
struct CUgraphExec_st {
  std::vector<Op> ops;
};
struct Capture {
  CUgraph_st* graph;
  cudaStream_t origin;
  cudaStreamCaptureMode mode;
  bool broken = false;
};
struct CUstream_st {
  unsigned flags = 0;
  int priority = 0;
  Capture* cap = nullptr;
};
struct CUevent_st {
  bool recorded = false;
  unsigned flags = 0;
  Capture* cap = nullptr;
  std::chrono::steady_clock::time_point t;
};
struct State {
  std::recursive_mutex m;
  std::set<cudaStream_t> streams;
  std::set<cudaEvent_t> events;
  int captures = 0;
  CUstream_st default_stream[3];
};
static State& state() {
  static State* s = new State;
  return *s;
}  // never destroyed: used before main begins and after it ends
static CUstream_st* get(cudaStream_t s) {
  if ((uintptr_t)s <= 2) return &state().default_stream[(uintptr_t)s];
  std::lock_guard g(state().m);
  return state().streams.count(s) ? s : nullptr;
}
int cudasim::submit(void* stream, Op op) {
  CUstream_st* s = get((cudaStream_t)stream);
  if (!s) return cudaErrorInvalidResourceHandle;
  if (s->cap) {
    s->cap->graph->ops.push_back(std::move(op));
    return 0;
  }
  return op();
}
static bool breaks_capture() {  // a call that is not allowed while a stream is captured in global mode
  std::lock_guard g(state().m);
  bool hit = false;
  if (!state().captures) return false;
  for (auto s : state().streams)
    if (s->cap && s->cap->mode == cudaStreamCaptureModeGlobal) {
      s->cap->broken = hit = true;
    }
  return hit;
}
#define NO_CAPTURE(name) \
  if (breaks_capture())  \
  return bad(name, "not permitted while a stream is being captured", cudaErrorStreamCaptureUnsupported)

// ---- kernels registered by the compiler's host code ------------------------------------------------
struct Symbol {
  uint64_t addr, size;
};
struct Config4 {
  dim3 g, b;
  size_t s;
  void* st;
};
static std::unordered_map<const void*, KernelInfo*>& kernels() {
  static auto* k = new std::unordered_map<const void*, KernelInfo*>;
  return *k;
}
static std::unordered_map<const void*, Symbol>& symbols() {
  static auto* k = new std::unordered_map<const void*, Symbol>;
  return *k;
}
static thread_local std::vector<Config4> pushed;
static KernelInfo* kernel(const void* f) {
  auto it = kernels().find(f);
  return it == kernels().end() ? nullptr : it->second;
}

static E launch_on(const void* f, dim3 g, dim3 b, void** args, size_t dyn, cudaStream_t st, bool coop = false) {
  KernelInfo* k = kernel(f);
  if (!k)
    return bad("launch", "this function is not a kernel of the program (or an extended address was passed)",
               cudaErrorInvalidDeviceFunction);
  if (int e = take_fault()) return ret(e);
  std::string p = pack_params(k, args);
  return ret(submit(st, [=] { return launch(k, {g.x, g.y, g.z}, {b.x, b.y, b.z}, dyn, p, coop); }));
}

extern "C" {
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
char __cudaInitModule(void**) { return 0; }
void __cudaRegisterFunction(void** mod, const char* host, char*, const char* name, int, void*, void*, void*, void*,
                            int*) {
  KernelInfo* k = find_kernel(mod, name);
  if (!k) {
    warn("kernel %s is registered but was not translated", name);
    return;
  }
  kernels()[host] = k;
}
void __cudaRegisterVar(void** mod, char* host, char*, const char* name, int, size_t size, int, int) {
  uint64_t n = 0, a = find_var(mod, name, &n);
  if (a)
    symbols()[host] = {a, n};
  else
    symbols()[host] = {0, size};
}
void __cudaRegisterManagedVar(void**, void**, char*, const char* name, int, size_t, int, int) {
  warn("__managed__ variable %s is not covered", name);
}
unsigned __cudaPushCallConfiguration(dim3 g, dim3 b, size_t s, void* st) {
  pushed.push_back({g, b, s, st});
  return 0;
}
E __cudaPopCallConfiguration(dim3* g, dim3* b, size_t* s, void* st) {
  Config4 c = pushed.back();
  pushed.pop_back();
  *g = c.g;
  *b = c.b;
  *s = c.s;
  *(void**)st = c.st;
  return cudaSuccess;
}
E __cudaGetKernel(cudaKernel_t* k, const void* f) {
  *k = (cudaKernel_t)f;
  return cudaSuccess;
}
E __cudaLaunchKernel(cudaKernel_t k, dim3 g, dim3 b, void** a, size_t s, cudaStream_t st) {
  return launch_on((const void*)k, g, b, a, s, st);
}
E __cudaLaunchKernel_ptsz(cudaKernel_t k, dim3 g, dim3 b, void** a, size_t s, cudaStream_t st) {
  return launch_on((const void*)k, g, b, a, s, st);
}
E cudaLaunchKernel(const void* f, dim3 g, dim3 b, void** a, size_t s, cudaStream_t st) {
  return launch_on(f, g, b, a, s, st);
}
E cudaLaunchCooperativeKernel(const void* f, dim3 g, dim3 b, void** a, size_t s, cudaStream_t st) {
  return launch_on(f, g, b, a, s, st, true);
}
E cudaLaunchKernelExC(const cudaLaunchConfig_t* c, const void* f, void** a) {
  bool coop = false;
  for (unsigned i = 0; i < c->numAttrs; i++) {
    if (c->attrs[i].id == cudaLaunchAttributeCooperative) coop = c->attrs[i].val.cooperative;
    if (c->attrs[i].id == cudaLaunchAttributeClusterDimension &&
        c->attrs[i].val.clusterDim.x * c->attrs[i].val.clusterDim.y * c->attrs[i].val.clusterDim.z > 1)
      return bad("cudaLaunchKernelExC", "clusters are not covered", cudaErrorNotSupported);
  }
  return launch_on(f, c->gridDim, c->blockDim, a, c->dynamicSmemBytes, c->stream, coop);
}
E cudaGetKernel(cudaKernel_t* k, const void* f) {
  *k = (cudaKernel_t)f;
  return ret(kernel(f) ? cudaSuccess : cudaErrorInvalidDeviceFunction);
}
E cudaGetFuncBySymbol(cudaFunction_t* k, const void* f) {
  *k = (cudaFunction_t)f;
  return ret(kernel(f) ? cudaSuccess : cudaErrorInvalidDeviceFunction);
}

// ---- memory ------------------------------------------------------------------------------------------
static E alloc(void** p, size_t n, const char* f) {
  if (!p) return bad(f, "null result pointer");
  if (E e = now()) return e;
  if (!n) {
    *p = nullptr;
    return cudaSuccess;
  }
  *p = (void*)dev_alloc(n, "an allocation of");
  return *p ? cudaSuccess : ret(cudaErrorMemoryAllocation);
}
static E release(void* p, const char* f) {
  if (!p) return cudaSuccess;
  int e = take_fault();
  if (!dev_free((uint64_t)p)) return bad(f, "not the start of a live device allocation: " + dev_describe((uint64_t)p));
  return ret(e);
}
E cudaMalloc(void** p, size_t n) {
  NO_CAPTURE("cudaMalloc");
  return alloc(p, n, "cudaMalloc");
}
E cudaFree(void* p) {
  init();
  if (!p) return now();
  NO_CAPTURE("cudaFree");
  return release(p, "cudaFree");
}
E cudaMallocAsync(void** p, size_t n, cudaStream_t) { return alloc(p, n, "cudaMallocAsync"); }
E cudaFreeAsync(void* p, cudaStream_t s) {
  return ret(submit(s, [=] { return (int)release(p, "cudaFreeAsync"); }));
}
E cudaMallocPitch(void** p, size_t* pitch, size_t w, size_t h) {
  *pitch = (w + 511) / 512 * 512;
  return alloc(p, *pitch * h, "cudaMallocPitch");
}
E cudaMallocHost(void** p, size_t n) {
  init();
  *p = aligned_alloc(4096, (n + 4095) / 4096 * 4096 + 4096);
  if (!*p) return ret(cudaErrorMemoryAllocation);
  pin(*p, n);
  return cudaSuccess;
}
E cudaHostAlloc(void** p, size_t n, unsigned) { return cudaMallocHost(p, n); }
E cudaFreeHost(void* p) {
  if (!p) return cudaSuccess;
  if (!unpin(p)) return bad("cudaFreeHost", "not pinned host memory");
  free(p);
  return cudaSuccess;
}
E cudaHostRegister(void* p, size_t n, unsigned) {
  pin(p, n);
  return cudaSuccess;
}
E cudaHostUnregister(void* p) { return unpin(p) ? cudaSuccess : ret(cudaErrorHostMemoryNotRegistered); }
E cudaHostGetDevicePointer(void** d, void* h, unsigned) {
  *d = h;
  return cudaSuccess;
}
E cudaHostGetFlags(unsigned* f, void*) {
  *f = 0;
  return cudaSuccess;
}
E cudaMallocManaged(void** p, size_t n, unsigned) {
  E e = cudaMallocHost(p, n);
  if (!e) memset(*p, 0, n);
  return e;
}  // host memory that kernels may reach
E cudaMemGetInfo(size_t* f, size_t* t) {
  init();
  *t = config().memory;
  *f = config().memory - std::min<uint64_t>(dev_used(), config().memory);
  return now();
}

// Address of n bytes for the CPU; kind is 'h', 'd' or '?'. Null with a report when they are not valid.
static char* view(const char* f, const char* role, const void* p, size_t n, char kind) {
  if (is_device(p)) {
    if (kind == 'h') {
      bad(f, std::string(role) + " is a device pointer, the copy kind says host");
      return nullptr;
    }
    if (!dev_range(p, n)) {
      bad(f, std::string(role) + " range of " + std::to_string(n) + " bytes: " + dev_describe((uint64_t)p) + ", end " +
                 dev_describe((uint64_t)p + n));
      return nullptr;
    }
    return storage(p);
  }
  if (!p) {
    bad(f, std::string(role) + " is null");
    return nullptr;
  }
  if (kind == 'd' && !pinned(p, n)) {
    bad(f, std::string(role) + " is a host pointer, the copy kind says device");
    return nullptr;
  }
  return (char*)p;
}
static bool kinds(int k, char* d, char* s) {
  switch (k) {
    case 0: *d = *s = 'h'; return true;
    case 1:
      *d = 'd';
      *s = 'h';
      return true;
    case 2:
      *d = 'h';
      *s = 'd';
      return true;
    case 3: *d = *s = 'd'; return true;
    case 4: *d = *s = '?'; return true;
  }
  return false;
}
static int copy2d(const char* f, void* d, size_t dp, const void* s, size_t sp, size_t w, size_t h, int kind) {
  char kd, ks;
  if (!kinds(kind, &kd, &ks)) return bad(f, "copy kind", cudaErrorInvalidMemcpyDirection);
  if (!w || !h) return 0;
  if (h > 1 && (dp < w || sp < w)) return bad(f, "pitch below width", cudaErrorInvalidPitchValue);
  char* a = view(f, "destination", d, dp * (h - 1) + w, kd);
  if (!a) return cudaErrorInvalidValue;
  char* b = view(f, "source", s, sp * (h - 1) + w, ks);
  if (!b) return cudaErrorInvalidValue;
  for (size_t i = 0; i < h; i++) memmove(a + i * dp, b + i * sp, w);
  count_copy(is_device(d), is_device(s), w * h);
  return 0;
}
static E copy(const char* f, void* d, size_t dp, const void* s, size_t sp, size_t w, size_t h, int kind,
              cudaStream_t st) {
  if (E e = now()) return e;
  return ret(submit(st, [=] { return copy2d(f, d, dp, s, sp, w, h, kind); }));
}
E cudaMemcpy(void* d, const void* s, size_t n, cudaMemcpyKind k) {
  NO_CAPTURE("cudaMemcpy");
  return copy("cudaMemcpy", d, n, s, n, n, 1, k, nullptr);
}
E cudaMemcpyAsync(void* d, const void* s, size_t n, cudaMemcpyKind k, cudaStream_t st) {
  return copy("cudaMemcpyAsync", d, n, s, n, n, 1, k, st);
}
E cudaMemcpy2D(void* d, size_t dp, const void* s, size_t sp, size_t w, size_t h, cudaMemcpyKind k) {
  NO_CAPTURE("cudaMemcpy2D");
  return copy("cudaMemcpy2D", d, dp, s, sp, w, h, k, nullptr);
}
E cudaMemcpy2DAsync(void* d, size_t dp, const void* s, size_t sp, size_t w, size_t h, cudaMemcpyKind k,
                    cudaStream_t st) {
  return copy("cudaMemcpy2DAsync", d, dp, s, sp, w, h, k, st);
}
E cudaMemcpyPeer(void* d, int, const void* s, int, size_t n) { return cudaMemcpy(d, s, n, cudaMemcpyDeviceToDevice); }
E cudaMemcpyPeerAsync(void* d, int, const void* s, int, size_t n, cudaStream_t st) {
  return cudaMemcpyAsync(d, s, n, cudaMemcpyDeviceToDevice, st);
}
static E fill(const char* f, void* d, size_t pitch, int v, size_t w, size_t h, cudaStream_t st) {
  if (E e = now()) return e;
  if (!w || !h) return cudaSuccess;
  return ret(submit(st, [=] {
    char* p = view(f, "destination", d, pitch * (h - 1) + w, 'd');
    if (!p) return (int)cudaErrorInvalidValue;
    for (size_t i = 0; i < h; i++) memset(p + i * pitch, v, w);
    return 0;
  }));
}
E cudaMemset(void* d, int v, size_t n) {
  NO_CAPTURE("cudaMemset");
  return fill("cudaMemset", d, n, v, n, 1, nullptr);
}
E cudaMemsetAsync(void* d, int v, size_t n, cudaStream_t s) { return fill("cudaMemsetAsync", d, n, v, n, 1, s); }
E cudaMemset2D(void* d, size_t p, int v, size_t w, size_t h) { return fill("cudaMemset2D", d, p, v, w, h, nullptr); }
E cudaMemset2DAsync(void* d, size_t p, int v, size_t w, size_t h, cudaStream_t s) {
  return fill("cudaMemset2DAsync", d, p, v, w, h, s);
}
E cudaMemPrefetchAsync(const void*, size_t, cudaMemLocation, unsigned, cudaStream_t) { return cudaSuccess; }
E cudaPointerGetAttributes(cudaPointerAttributes* a, const void* p) {
  *a = {};
  if (is_device(p) && dev_size(p, nullptr)) {
    a->type = cudaMemoryTypeDevice;
    a->devicePointer = (void*)p;
  } else if (pinned(p, 1)) {
    a->type = cudaMemoryTypeHost;
    a->devicePointer = a->hostPointer = (void*)p;
  } else {
    a->type = cudaMemoryTypeUnregistered;
    a->device = -1;
    a->hostPointer = (void*)p;
  }
  return cudaSuccess;
}
static E symbol(const char* f, const void* s, size_t off, size_t n, char** d) {
  auto it = symbols().find(s);
  if (it == symbols().end() || !it->second.addr) return bad(f, "not a device symbol", cudaErrorInvalidSymbol);
  if (off + n > it->second.size) return bad(f, "range outside the symbol");
  *d = (char*)it->second.addr + off;
  return cudaSuccess;
}
E cudaMemcpyToSymbolAsync(const void* s, const void* h, size_t n, size_t off, cudaMemcpyKind k, cudaStream_t st) {
  char* d;
  if (E e = symbol("cudaMemcpyToSymbol", s, off, n, &d)) return e;
  return copy("cudaMemcpyToSymbol", d, n, h, n, n, 1, k, st);
}
E cudaMemcpyToSymbol(const void* s, const void* h, size_t n, size_t off, cudaMemcpyKind k) {
  return cudaMemcpyToSymbolAsync(s, h, n, off, k, nullptr);
}
E cudaMemcpyFromSymbolAsync(void* h, const void* s, size_t n, size_t off, cudaMemcpyKind k, cudaStream_t st) {
  char* d;
  if (E e = symbol("cudaMemcpyFromSymbol", s, off, n, &d)) return e;
  return copy("cudaMemcpyFromSymbol", h, n, d, n, n, 1, k, st);
}
E cudaMemcpyFromSymbol(void* h, const void* s, size_t n, size_t off, cudaMemcpyKind k) {
  return cudaMemcpyFromSymbolAsync(h, s, n, off, k, nullptr);
}
E cudaGetSymbolAddress(void** d, const void* s) {
  char* p;
  E e = symbol("cudaGetSymbolAddress", s, 0, 0, &p);
  if (!e) *d = p;
  return e;
}
E cudaGetSymbolSize(size_t* n, const void* s) {
  auto it = symbols().find(s);
  if (it == symbols().end()) return ret(cudaErrorInvalidSymbol);
  *n = it->second.size;
  return cudaSuccess;
}

// memory pools: one pool, no caching
static struct CUmemPoolHandle_st* const the_pool = (struct CUmemPoolHandle_st*)0x1000;
static uint64_t threshold = 0;
E cudaDeviceGetDefaultMemPool(cudaMemPool_t* p, int) {
  *p = the_pool;
  return cudaSuccess;
}
E cudaDeviceGetMemPool(cudaMemPool_t* p, int) {
  *p = the_pool;
  return cudaSuccess;
}
E cudaDeviceSetMemPool(int, cudaMemPool_t) { return cudaSuccess; }
E cudaMemPoolCreate(cudaMemPool_t* p, const cudaMemPoolProps*) {
  *p = the_pool;
  return cudaSuccess;
}
E cudaMemPoolDestroy(cudaMemPool_t) { return cudaSuccess; }
E cudaMemPoolTrimTo(cudaMemPool_t, size_t) { return cudaSuccess; }
E cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr a, void* v) {
  if (a == cudaMemPoolAttrReleaseThreshold) threshold = *(uint64_t*)v;
  return cudaSuccess;
}
E cudaMemPoolGetAttribute(cudaMemPool_t, cudaMemPoolAttr a, void* v) {
  switch (a) {
    case cudaMemPoolAttrReleaseThreshold: *(uint64_t*)v = threshold; break;
    case cudaMemPoolAttrReservedMemCurrent:
    case cudaMemPoolAttrUsedMemCurrent:
    case cudaMemPoolAttrReservedMemHigh:
    case cudaMemPoolAttrUsedMemHigh: *(uint64_t*)v = dev_used(); break;
    default: *(int*)v = 1;
  }
  return cudaSuccess;
}
E cudaMallocFromPoolAsync(void** p, size_t n, cudaMemPool_t, cudaStream_t) {
  return alloc(p, n, "cudaMallocFromPoolAsync");
}

// ---- device ---------------------------------------------------------------------------------------------
E cudaGetDeviceCount(int* n) {
  init();
  *n = getenv("CUDASIM_NO_DEVICE") ? 0 : 1;
  return *n ? cudaSuccess : ret(cudaErrorNoDevice);
}
E cudaGetDevice(int* d) {
  *d = 0;
  return cudaSuccess;
}
E cudaSetDevice(int d) { return d == 0 ? cudaSuccess : ret(cudaErrorInvalidDevice); }
E cudaInitDevice(int d, unsigned, unsigned) { return cudaSetDevice(d); }
E cudaSetDeviceFlags(unsigned) { return cudaSuccess; }
E cudaGetDeviceFlags(unsigned* f) {
  *f = 0;
  return cudaSuccess;
}
E cudaDeviceReset() { return cudaSuccess; }
E cudaDriverGetVersion(int* v) {
  *v = 13000;
  return cudaSuccess;
}
E cudaRuntimeGetVersion(int* v) {
  *v = CUDART_VERSION;
  return cudaSuccess;
}
E cudaDeviceSynchronize() {
  NO_CAPTURE("cudaDeviceSynchronize");
  return now();
}
E cudaDeviceCanAccessPeer(int* c, int, int) {
  *c = 0;
  return cudaSuccess;
}
E cudaDeviceGetLimit(size_t* v, cudaLimit) {
  *v = 1 << 20;
  return cudaSuccess;
}
E cudaDeviceSetLimit(cudaLimit, size_t) { return cudaSuccess; }
E cudaDeviceSetCacheConfig(cudaFuncCache) { return cudaSuccess; }
E cudaDeviceGetStreamPriorityRange(int* lo, int* hi) {
  if (lo) *lo = 0;
  if (hi) *hi = -5;
  return cudaSuccess;
}
E cudaDeviceGetPCIBusId(char* s, int n, int) {
  snprintf(s, n, "0000:00:00.0");
  return cudaSuccess;
}
E cudaDeviceGetAttribute(int* v, cudaDeviceAttr a, int dev) {
  if (dev) return ret(cudaErrorInvalidDevice);
  switch (a) {
    case cudaDevAttrMaxThreadsPerBlock:
    case cudaDevAttrMaxBlockDimX:
    case cudaDevAttrMaxBlockDimY: *v = 1024; break;
    case cudaDevAttrMaxBlockDimZ: *v = 64; break;
    case cudaDevAttrMaxGridDimX: *v = 2147483647; break;
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ: *v = 65535; break;
    case cudaDevAttrMaxSharedMemoryPerBlock: *v = kDefaultShared; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *v = kMaxShared; break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *v = 164 * 1024; break;
    case cudaDevAttrReservedSharedMemoryPerBlock: *v = 1024; break;
    case cudaDevAttrTotalConstantMemory: *v = 65536; break;
    case cudaDevAttrWarpSize: *v = 32; break;
    case cudaDevAttrMaxRegistersPerBlock:
    case cudaDevAttrMaxRegistersPerMultiprocessor: *v = 65536; break;
    case cudaDevAttrClockRate: *v = 1000000; break;
    case cudaDevAttrMultiProcessorCount: *v = 4; break;
    case cudaDevAttrMaxThreadsPerMultiProcessor: *v = 2048; break;
    case cudaDevAttrMaxBlocksPerMultiprocessor: *v = 32; break;
    case cudaDevAttrComputeCapabilityMajor: *v = config().arch / 10; break;
    case cudaDevAttrComputeCapabilityMinor: *v = config().arch % 10; break;
    case cudaDevAttrL2CacheSize: *v = 4 << 20; break;
    case cudaDevAttrMemoryClockRate: *v = 1000000; break;
    case cudaDevAttrGlobalMemoryBusWidth: *v = 256; break;
    case cudaDevAttrUnifiedAddressing:
    case cudaDevAttrCooperativeLaunch:
    case cudaDevAttrMemoryPoolsSupported:
    case cudaDevAttrManagedMemory:
    case cudaDevAttrConcurrentKernels:
    case cudaDevAttrStreamPrioritiesSupported:
    case cudaDevAttrCanMapHostMemory:
    case cudaDevAttrGlobalL1CacheSupported:
    case cudaDevAttrLocalL1CacheSupported: *v = 1; break;
    default: *v = 0;
  }
  return cudaSuccess;
}
E cudaGetDeviceProperties(cudaDeviceProp* p, int dev) {
  if (dev) return ret(cudaErrorInvalidDevice);
  init();
  memset(p, 0, sizeof *p);
  snprintf(p->name, sizeof p->name, "cudasim (CPU)");
  p->totalGlobalMem = config().memory;
  p->sharedMemPerBlock = kDefaultShared;
  p->sharedMemPerBlockOptin = kMaxShared;
  p->sharedMemPerMultiprocessor = 164 * 1024;
  p->reservedSharedMemPerBlock = 1024;
  p->regsPerBlock = p->regsPerMultiprocessor = 65536;
  p->warpSize = 32;
  p->maxThreadsPerBlock = 1024;
  p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024;
  p->maxThreadsDim[2] = 64;
  p->maxGridSize[0] = 2147483647;
  p->maxGridSize[1] = p->maxGridSize[2] = 65535;
  p->totalConstMem = 65536;
  p->major = config().arch / 10;
  p->minor = config().arch % 10;
  p->multiProcessorCount = 4;
  p->maxThreadsPerMultiProcessor = 2048;
  p->maxBlocksPerMultiProcessor = 32;
  p->l2CacheSize = 4 << 20;
  p->memoryBusWidth = 256;
  p->memPitch = 1u << 30;
  p->textureAlignment = 512;
  p->unifiedAddressing = p->managedMemory = p->concurrentKernels = p->cooperativeLaunch = p->memoryPoolsSupported =
      p->canMapHostMemory = p->streamPrioritiesSupported = p->globalL1CacheSupported = p->localL1CacheSupported = 1;
  return cudaSuccess;
}
E cudaChooseDevice(int* d, const cudaDeviceProp*) {
  *d = 0;
  return cudaSuccess;
}

// ---- errors -------------------------------------------------------------------------------------------------
E cudaGetLastError() {
  E e = last;
  last = cudaSuccess;
  if (int f = take_fault()) return (E)f;
  return e;
}
E cudaPeekAtLastError() {
  if (int f = take_fault()) return (E)f;
  return last;
}
static const struct {
  E e;
  const char *n, *s;
} errors[] = {
#define X(e, s) \
  { e, #e, s }
    X(cudaSuccess, "no error"),
    X(cudaErrorInvalidValue, "invalid argument"),
    X(cudaErrorMemoryAllocation, "out of memory"),
    X(cudaErrorInitializationError, "initialization error"),
    X(cudaErrorInvalidConfiguration, "invalid configuration argument"),
    X(cudaErrorInvalidPitchValue, "invalid pitch argument"),
    X(cudaErrorInvalidSymbol, "invalid device symbol"),
    X(cudaErrorInvalidMemcpyDirection, "invalid copy direction for memcpy"),
    X(cudaErrorInsufficientDriver, "CUDA driver version is insufficient for CUDA runtime version"),
    X(cudaErrorInvalidDeviceFunction, "invalid device function"),
    X(cudaErrorNoDevice, "no CUDA-capable device is detected"),
    X(cudaErrorInvalidDevice, "invalid device ordinal"),
    X(cudaErrorInvalidResourceHandle, "invalid resource handle"),
    X(cudaErrorNotReady, "device not ready"),
    X(cudaErrorIllegalAddress, "an illegal memory access was encountered"),
    X(cudaErrorLaunchOutOfResources, "too many resources requested for launch"),
    X(cudaErrorLaunchTimeout, "the launch timed out and was terminated"),
    X(cudaErrorAssert, "device-side assert triggered"),
    X(cudaErrorHostMemoryNotRegistered, "pointer does not correspond to a registered memory region"),
    X(cudaErrorIllegalInstruction, "an illegal instruction was encountered"),
    X(cudaErrorMisalignedAddress, "misaligned address"),
    X(cudaErrorLaunchFailure, "unspecified launch failure"),
    X(cudaErrorCooperativeLaunchTooLarge, "too many blocks in cooperative launch"),
    X(cudaErrorNotSupported, "operation not supported"),
    X(cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing"),
    X(cudaErrorStreamCaptureInvalidated, "operation failed due to a previous error during capture"),
    X(cudaErrorStreamCaptureUnmatched, "the stream capture was not initiated in this stream"),
    X(cudaErrorStreamCaptureUnjoined, "capturing stream has unjoined work"),
    X(cudaErrorIllegalState, "the operation cannot be performed in the present state"),
    X(cudaErrorUnknown, "unknown error")};
#undef X
const char* cudaGetErrorName(E e) {
  for (auto& x : errors)
    if (x.e == e) return x.n;
  return "unrecognized error code";
}
const char* cudaGetErrorString(E e) {
  for (auto& x : errors)
    if (x.e == e) return x.s;
  return "unrecognized error code";
}

// ---- function attributes, occupancy ------------------------------------------------------------------------
E cudaFuncGetAttributes(cudaFuncAttributes* a, const void* f) {
  KernelInfo* k = kernel(f);
  if (!k) return ret(cudaErrorInvalidDeviceFunction);
  memset(a, 0, sizeof *a);
  a->sharedSizeBytes = k->k->shared;
  a->localSizeBytes = k->k->local;
  a->maxThreadsPerBlock = k->k->maxntid;
  a->numRegs = 32;
  a->ptxVersion = a->binaryVersion = config().arch;
  a->maxDynamicSharedSizeBytes = k->max_dyn;
  a->preferredShmemCarveout = -1;
  return cudaSuccess;
}
E cudaFuncSetAttribute(const void* f, cudaFuncAttribute a, int v) {
  KernelInfo* k = kernel(f);
  if (!k) return ret(cudaErrorInvalidDeviceFunction);
  if (a == cudaFuncAttributeMaxDynamicSharedMemorySize) {
    if (v < 0 || v + k->k->shared > kMaxShared)
      return bad("cudaFuncSetAttribute",
                 "dynamic shared memory over " + std::to_string(kMaxShared - k->k->shared) + " bytes");
    k->max_dyn = v;
  }
  return cudaSuccess;
}
E cudaFuncSetCacheConfig(const void*, cudaFuncCache) { return cudaSuccess; }
E cudaFuncGetName(const char** n, const void* f) {
  KernelInfo* k = kernel(f);
  if (!k) return ret(cudaErrorInvalidDeviceFunction);
  *n = k->k->name;
  return cudaSuccess;
}
E cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* n, const void* f, int threads, size_t dyn, unsigned) {
  KernelInfo* k = kernel(f);
  if (!k) return ret(cudaErrorInvalidDeviceFunction);
  if (threads <= 0) return ret(cudaErrorInvalidValue);
  uint64_t sh = k->k->shared + dyn + 1024;
  *n = (uint32_t)threads > k->k->maxntid || sh > 164 * 1024
           ? 0
           : (int)std::min<uint64_t>({32, 2048u / ((threads + 31) / 32 * 32), 164 * 1024 / sh});
  return cudaSuccess;
}
E cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* n, const void* f, int threads, size_t dyn) {
  return cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(n, f, threads, dyn, 0);
}
E cudaOccupancyAvailableDynamicSMemPerBlock(size_t* n, const void* f, int blocks, int) {
  KernelInfo* k = kernel(f);
  if (!k) return ret(cudaErrorInvalidDeviceFunction);
  *n = std::min<size_t>(kMaxShared, 164 * 1024 / std::max(1, blocks) - 1024) - k->k->shared;
  return cudaSuccess;
}

// ---- streams and events ------------------------------------------------------------------------
E cudaStreamCreateWithPriority(cudaStream_t* s, unsigned f, int p) {
  init();
  *s = new CUstream_st;
  (*s)->flags = f;
  (*s)->priority = p;
  std::lock_guard g(state().m);
  state().streams.insert(*s);
  return cudaSuccess;
}
E cudaStreamCreateWithFlags(cudaStream_t* s, unsigned f) { return cudaStreamCreateWithPriority(s, f, 0); }
E cudaStreamCreate(cudaStream_t* s) { return cudaStreamCreateWithPriority(s, 0, 0); }
E cudaStreamDestroy(cudaStream_t s) {
  std::lock_guard g(state().m);
  if (!state().streams.erase(s)) return bad("cudaStreamDestroy", "not a live stream", cudaErrorInvalidResourceHandle);
  delete s;
  return cudaSuccess;
}
static E touch(const char* f, cudaStream_t s) {
  CUstream_st* x = get(s);
  if (!x) return bad(f, "not a live stream", cudaErrorInvalidResourceHandle);
  if (x->cap) {
    x->cap->broken = true;
    return bad(f, "not permitted on a stream that is being captured", cudaErrorStreamCaptureUnsupported);
  }
  return now();
}
E cudaStreamSynchronize(cudaStream_t s) { return touch("cudaStreamSynchronize", s); }
E cudaStreamQuery(cudaStream_t s) { return touch("cudaStreamQuery", s); }
E cudaStreamGetFlags(cudaStream_t s, unsigned* f) {
  CUstream_st* x = get(s);
  if (!x) return ret(cudaErrorInvalidResourceHandle);
  *f = x->flags;
  return cudaSuccess;
}
E cudaStreamGetPriority(cudaStream_t s, int* p) {
  CUstream_st* x = get(s);
  if (!x) return ret(cudaErrorInvalidResourceHandle);
  *p = x->priority;
  return cudaSuccess;
}
E cudaStreamGetDevice(cudaStream_t, int* d) {
  *d = 0;
  return cudaSuccess;
}
E cudaStreamGetId(cudaStream_t s, unsigned long long* i) {
  *i = (uintptr_t)s;
  return cudaSuccess;
}
E cudaStreamAttachMemAsync(cudaStream_t, void*, size_t, unsigned) { return cudaSuccess; }
E cudaLaunchHostFunc(cudaStream_t s, cudaHostFn_t f, void* d) {
  return ret(submit(s, [=] {
    f(d);
    return 0;
  }));
}
E cudaStreamAddCallback(cudaStream_t s, cudaStreamCallback_t f, void* d, unsigned) {
  return ret(submit(s, [=] {
    f(s, cudaSuccess, d);
    return 0;
  }));
}
static CUevent_st* ev(cudaEvent_t e) {
  std::lock_guard g(state().m);
  return state().events.count(e) ? e : nullptr;
}
E cudaEventCreateWithFlags(cudaEvent_t* e, unsigned f) {
  *e = new CUevent_st;
  (*e)->flags = f;
  std::lock_guard g(state().m);
  state().events.insert(*e);
  return cudaSuccess;
}
E cudaEventCreate(cudaEvent_t* e) { return cudaEventCreateWithFlags(e, 0); }
E cudaEventDestroy(cudaEvent_t e) {
  std::lock_guard g(state().m);
  if (!state().events.erase(e)) return bad("cudaEventDestroy", "not a live event", cudaErrorInvalidResourceHandle);
  delete e;
  return cudaSuccess;
}
E cudaEventRecordWithFlags(cudaEvent_t e, cudaStream_t s, unsigned) {
  CUevent_st* x = ev(e);
  CUstream_st* st = get(s);
  if (!x || !st) return bad("cudaEventRecord", "not a live event or stream", cudaErrorInvalidResourceHandle);
  x->cap = st->cap;
  if (!st->cap) {
    x->recorded = true;
    x->t = std::chrono::steady_clock::now();
  }
  return now();
}
E cudaEventRecord(cudaEvent_t e, cudaStream_t s) { return cudaEventRecordWithFlags(e, s, 0); }
static E evsync(const char* f, cudaEvent_t e) {
  CUevent_st* x = ev(e);
  if (!x) return bad(f, "not a live event", cudaErrorInvalidResourceHandle);
  if (x->cap) {
    x->cap->broken = true;
    return bad(f, "event recorded in a capture", cudaErrorStreamCaptureUnsupported);
  }
  return now();
}
E cudaEventSynchronize(cudaEvent_t e) { return evsync("cudaEventSynchronize", e); }
E cudaEventQuery(cudaEvent_t e) { return evsync("cudaEventQuery", e); }
E cudaEventElapsedTime(float* ms, cudaEvent_t a, cudaEvent_t b) {
  CUevent_st *x = ev(a), *y = ev(b);
  if (!x || !y || !x->recorded || !y->recorded || ((x->flags | y->flags) & cudaEventDisableTiming))
    return bad("cudaEventElapsedTime", "event not recorded, without timing or destroyed",
               cudaErrorInvalidResourceHandle);
  *ms = std::chrono::duration<float, std::milli>(y->t - x->t).count();
  return now();
}
E cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned) {
  CUevent_st* x = ev(e);
  CUstream_st* st = get(s);
  if (!x || !st) return bad("cudaStreamWaitEvent", "not a live event or stream", cudaErrorInvalidResourceHandle);
  if (x->cap && !st->cap) st->cap = x->cap;  // the stream joins the capture
  return cudaSuccess;
}

// ---- capture and graphs -----------------------------------------------------------------------------------------
E cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode mode) {
  CUstream_st* x = get(s);
  if (!x) return bad("cudaStreamBeginCapture", "not a live stream", cudaErrorInvalidResourceHandle);
  if ((uintptr_t)s <= 1)
    return bad("cudaStreamBeginCapture", "the default stream cannot be captured", cudaErrorStreamCaptureUnsupported);
  if (x->cap) return bad("cudaStreamBeginCapture", "already being captured", cudaErrorIllegalState);
  std::lock_guard g(state().m);
  x->cap = new Capture{new CUgraph_st, s, mode};
  state().captures++;
  return cudaSuccess;
}
E cudaStreamEndCapture(cudaStream_t s, cudaGraph_t* out) {
  CUstream_st* x = get(s);
  *out = nullptr;
  if (!x || !x->cap) return bad("cudaStreamEndCapture", "not being captured", cudaErrorIllegalState);
  Capture* c = x->cap;
  if (c->origin != s)
    return bad("cudaStreamEndCapture", "capture began in another stream", cudaErrorStreamCaptureUnmatched);
  std::lock_guard g(state().m);
  state().captures--;
  for (auto t : state().streams)
    if (t->cap == c) t->cap = nullptr;
  for (auto e : state().events)
    if (e->cap == c) e->cap = nullptr;
  E r = c->broken ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
  if (r)
    delete c->graph;
  else
    *out = c->graph;
  delete c;
  return ret(r);
}
E cudaStreamIsCapturing(cudaStream_t s, cudaStreamCaptureStatus* o) {
  CUstream_st* x = get(s);
  if (!x) return ret(cudaErrorInvalidResourceHandle);
  *o = !x->cap          ? cudaStreamCaptureStatusNone
       : x->cap->broken ? cudaStreamCaptureStatusInvalidated
                        : cudaStreamCaptureStatusActive;
  return cudaSuccess;
}
E cudaStreamGetCaptureInfo(cudaStream_t s, cudaStreamCaptureStatus* o, unsigned long long* id, cudaGraph_t* g,
                           const cudaGraphNode_t**, const cudaGraphEdgeData**, size_t* n) {
  E e = cudaStreamIsCapturing(s, o);
  if (e) return e;
  CUstream_st* x = get(s);
  if (id) *id = (uintptr_t)x->cap;
  if (g) *g = x->cap ? x->cap->graph : nullptr;
  if (n) *n = 0;
  return e;
}
E cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  static thread_local cudaStreamCaptureMode cur = cudaStreamCaptureModeGlobal;
  std::swap(cur, *mode);
  return cudaSuccess;
}
E cudaGraphCreate(cudaGraph_t* g, unsigned) {
  *g = new CUgraph_st;
  return cudaSuccess;
}
E cudaGraphDestroy(cudaGraph_t g) {
  delete g;
  return cudaSuccess;
}
E cudaGraphGetNodes(cudaGraph_t g, cudaGraphNode_t* nodes, size_t* n) {
  if (nodes) return bad("cudaGraphGetNodes", "only the number of nodes is covered", cudaErrorNotSupported);
  *n = g->ops.size();
  return cudaSuccess;
}
E cudaGraphInstantiate(cudaGraphExec_t* x, cudaGraph_t g, unsigned long long) {
  if (!g) return bad("cudaGraphInstantiate", "null graph");
  *x = new CUgraphExec_st{g->ops};
  return cudaSuccess;
}
E cudaGraphInstantiateWithFlags(cudaGraphExec_t* x, cudaGraph_t g, unsigned long long f) {
  return cudaGraphInstantiate(x, g, f);
}
E cudaGraphUpload(cudaGraphExec_t, cudaStream_t) { return cudaSuccess; }
E cudaGraphExecUpdate(cudaGraphExec_t x, cudaGraph_t g, cudaGraphExecUpdateResultInfo* r) {
  if (x->ops.size() != g->ops.size()) {
    if (r) r->result = cudaGraphExecUpdateErrorTopologyChanged;
    return ret(cudaErrorGraphExecUpdateFailure);
  }
  x->ops = g->ops;
  if (r) r->result = cudaGraphExecUpdateSuccess;
  return cudaSuccess;
}
E cudaGraphLaunch(cudaGraphExec_t x, cudaStream_t s) {
  if (!x) return bad("cudaGraphLaunch", "null graph");
  if (E e = now()) return e;
  for (auto& op : x->ops)
    if (int e = submit(s, op)) return ret(e);
  return cudaSuccess;
}
E cudaGraphExecDestroy(cudaGraphExec_t x) {
  delete x;
  return cudaSuccess;
}
E cudaProfilerStart() { return cudaSuccess; }
E cudaProfilerStop() { return cudaSuccess; }
void cudasim_not_covered(const char* name) {
  warn("runtime function %s is not covered", name);
  fflush(nullptr);
  abort();
}
}
