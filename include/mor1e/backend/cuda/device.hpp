// The CUDA back end: cuBLAS for matrix products, kernels of our own for the rest, all on one stream.
#pragma once

#include <memory>
#include <span>
#include <utility>

#include "mor1e/backend/arithmetic.hpp"
#include "mor1e/backend/cpu/device.hpp"
#include "mor1e/backend/cuda/error.hpp"
#include "mor1e/backend/cuda/staging.hpp"
#include "mor1e/backend/device_view.hpp"
#include "mor1e/backend/pool.hpp"
#include "mor1e/backend/scratch.hpp"
#include "mor1e/backend/table_cache.hpp"

namespace mor1e::backend {

/// How matrix products of floats are computed; sums are of fp32 in all three.
/// - fp32: as written
/// - tf32: operands rounded to 10 bits of mantissa inside the tensor cores, relative error of a term 2^-11
/// - bf16: frozen weights are stored as bf16 (half the memory) and what they multiply is rounded to it, relative error
///   of a term 2^-8; so are the operands of attention; all other products as fp32
enum class cuda_products { fp32, tf32, bf16 };

struct cuda_options {
  int device = 0;  ///< its number, as CUDA counts them
  cuda_products products = cuda_products::fp32;
  int host_threads = 0;  ///< of `host()`; 0: one for each processor
};

/// Whether there is a device that can be used.
inline bool cuda_available() {
  int devices = 0;
  const bool found = cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0;
  cudaGetLastError();
  return found;
}

template <class T>
class cuda_frozen;

/// What launchers of kernels are told: where to run, and how wide the device is.
struct launch_target {
  cudaStream_t stream = nullptr;
  int multiprocessors = 1;
};

/// A device of NVIDIA. Everything is asked for in the order of one stream, and only `download`, `finish` and a first
/// use wait for it. Arrays and tapes point to it: it stays where it is. It makes its device the current one of the
/// thread that constructs it; another thread that uses it calls cudaSetDevice first. Throws a cuda_error if there is no
/// such device.
class cuda {
 public:
  template <class T>
  using view = device_view<T>;
  template <class T>
  using frozen = cuda_frozen<T>;

  explicit cuda(cuda_options options = {}) : options_(options), handles_(options.device), host_(options.host_threads) {}
  cuda(const cuda&) = delete;
  cuda& operator=(const cuda&) = delete;
  ~cuda() { cudaStreamSynchronize(handles_.stream); }

  /// Throws a cuda_error if the device's memory does not suffice.
  void* allocate(std::size_t bytes) {
    void* p = nullptr;
    if (bytes == 0) bytes = 1;
    if (handles_.stream_ordered)
      MOR1E_CUDA_CHECK(cudaMallocAsync(&p, bytes, handles_.stream));
    else
      MOR1E_CUDA_CHECK(cudaMalloc(&p, bytes));
    return p;
  }
  void deallocate(void* p) {
    if (!p) return;
    if (handles_.stream_ordered)
      cudaFreeAsync(p, handles_.stream);
    else
      cudaFree(p);
  }
  void* take(std::size_t bytes) { return kept_ ? kept_->take(bytes) : blocks_.take(bytes); }
  void give_back(void* p, std::size_t bytes) { kept_ ? kept_->give_back(p, bytes) : blocks_.give_back(p, bytes); }
  void upload(void* to, const void* from, std::size_t bytes) { staging_.upload(handles_.stream, to, from, bytes); }
  void download(void* to, const void* from, std::size_t bytes) { staging_.download(handles_.stream, to, from, bytes); }
  void finish() { MOR1E_CUDA_CHECK(cudaStreamSynchronize(handles_.stream)); }
  /// Where a copy of a table is that launches read: uploaded when its content is new. Compared by bytes, so an Entry
  /// has no padding.
  template <class Entry>
  const Entry* table(std::span<const Entry> entries) {
    return static_cast<const Entry*>(tables_.find(std::as_bytes(entries)));
  }

  /// What a function asked for, as a CUDA graph, with the memory that it took on its way: nobody else is given that,
  /// and as none goes back to the device, what was taken once is there when the same is recorded.
  class kept_work {
   public:
    explicit kept_work(cuda& device) : blocks_(device, true) {}
    kept_work(const kept_work&) = delete;
    kept_work& operator=(const kept_work&) = delete;
    ~kept_work() {
      if (graph_) cudaGraphExecDestroy(graph_);
    }

   private:
    friend class cuda;
    pool<cuda> blocks_;
    bool prepared_ = false;
    cudaGraphExec_t graph_ = nullptr;
  };

  /// f() as it is the first time, when libraries start and memory is taken; kept the second time; from then on without
  /// f, by one launch. f asks for nothing but primitives, and for the same each time.
  template <class F>
  void replay(kept_work& kept, F f) {
    if (!kept.graph_) {
      const borrowed_blocks own(*this, kept.blocks_);
      if (!std::exchange(kept.prepared_, true)) {
        handles_.fix_workspace();
        return f();
      }
      cudaGraph_t recorded = nullptr;
      MOR1E_CUDA_CHECK(cudaStreamBeginCapture(handles_.stream, cudaStreamCaptureModeThreadLocal));
      try {
        f();
      } catch (...) {
        cudaStreamEndCapture(handles_.stream, &recorded);
        if (recorded) cudaGraphDestroy(recorded);
        throw;
      }
      MOR1E_CUDA_CHECK(cudaStreamEndCapture(handles_.stream, &recorded));
      const cudaError_t made = cudaGraphInstantiate(&kept.graph_, recorded, 0);
      cudaGraphDestroy(recorded);
      MOR1E_CUDA_CHECK(made);
    }
    MOR1E_CUDA_CHECK(cudaGraphLaunch(kept.graph_, handles_.stream));
  }

  cpu& host() { return host_; }
  /// Kernels sum in an order of their own, whatever the number of threads on the host.
  backend::arithmetic arithmetic() const {
    const char* products[] = {"cublas", "cublas tf32", "cublas bf16"};
    return {products[int(options_.products)], 1};
  }
  const cuda_options& options() const { return options_; }
  cudaStream_t stream() const { return handles_.stream; }
  cublasHandle_t blas() const { return handles_.blas; }
  launch_target target() const { return {handles_.stream, handles_.multiprocessors}; }

 private:
  /// What the libraries hold for us, released in any case.
  struct library_handles {
    explicit library_handles(int device) {
      int devices = 0;
      MOR1E_CUDA_CHECK(cudaGetDeviceCount(&devices));
      require<cuda_error>(0 <= device && device < devices, "no CUDA device ", device, ": there are ", devices);
      MOR1E_CUDA_CHECK(cudaSetDevice(device));
      int pools = 0;
      MOR1E_CUDA_CHECK(cudaDeviceGetAttribute(&pools, cudaDevAttrMemoryPoolsSupported, device));
      stream_ordered = pools != 0;
      MOR1E_CUDA_CHECK(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
      try {
        MOR1E_CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
        MOR1E_CUDA_CHECK(cublasCreate(&blas));
        MOR1E_CUDA_CHECK(cublasSetStream(blas, stream));
      } catch (...) {
        release();
        throw;
      }
    }
    library_handles(const library_handles&) = delete;
    library_handles& operator=(const library_handles&) = delete;
    ~library_handles() { release(); }
    /// Memory of cuBLAS that stays where it is: a kept product must not take any. The size that NVIDIA names for
    /// Hopper.
    void fix_workspace() {
      constexpr std::size_t bytes = std::size_t(32) << 20;
      if (workspace) return;
      MOR1E_CUDA_CHECK(cudaMalloc(&workspace, bytes));
      MOR1E_CUDA_CHECK(cublasSetWorkspace(blas, workspace, bytes));
    }
    void release() {
      if (blas) cublasDestroy(blas);
      if (workspace) cudaFree(workspace);
      if (stream) cudaStreamDestroy(stream);
    }

    cudaStream_t stream = nullptr;
    cublasHandle_t blas = nullptr;
    void* workspace = nullptr;
    int multiprocessors = 1;
    bool stream_ordered = false;
  };
  /// While it lives, memory is taken from other blocks than the device's.
  class borrowed_blocks {
   public:
    borrowed_blocks(cuda& device, pool<cuda>& blocks) : device_(device) { device.kept_ = &blocks; }
    borrowed_blocks(const borrowed_blocks&) = delete;
    borrowed_blocks& operator=(const borrowed_blocks&) = delete;
    ~borrowed_blocks() { device_.kept_ = nullptr; }

   private:
    cuda& device_;
  };

  // In this order: memory goes back before the stream that it is returned in.
  cuda_options options_;
  library_handles handles_;
  pinned_staging staging_;
  pool<cuda> blocks_{*this};
  pool<cuda>* kept_ = nullptr;
  table_cache<cuda> tables_{*this};
  cpu host_;
};

/// Memory for the length of a call, from the blocks that the device keeps. Kernels that were launched may still use it
/// when it goes back: the next to have it comes later in the same stream.
template <class T>
using cuda_scratch = scratch<cuda, T>;

}  // namespace mor1e::backend

namespace mor1e {
using backend::cuda;
using backend::cuda_available;
using backend::cuda_options;
using backend::cuda_products;
}  // namespace mor1e
