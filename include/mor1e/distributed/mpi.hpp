// A group of processes that mpirun has started. Needs MPI; the rest of the library does not.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <mpi.h>

#include <climits>

#include "mor1e/core/error.hpp"
#include "mor1e/distributed/process_group.hpp"

namespace mor1e::distributed {

/// All processes of MPI_COMM_WORLD. One at a time in a process, and never again once it is gone. MPI's own errors end
/// all processes.
class mpi_group final : public process_group {
 public:
  mpi_group() {
    int provided = 0;
    require<error>(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided) == MPI_SUCCESS,
                   "MPI cannot be started");
    MPI_Comm_rank(MPI_COMM_WORLD, &index_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
  }
  ~mpi_group() override { MPI_Finalize(); }
  mpi_group(const mpi_group&) = delete;
  mpi_group& operator=(const mpi_group&) = delete;

  int index() const override { return index_; }
  int size() const override { return size_; }

  void exchange(const std::byte* mine, std::byte* theirs, std::size_t bytes) override {
    MPI_Alltoall(mine, count(bytes), MPI_BYTE, theirs, count(bytes), MPI_BYTE, MPI_COMM_WORLD);
  }
  void gather(const std::byte* mine, std::byte* all, std::size_t bytes) override {
    MPI_Allgather(mine, count(bytes), MPI_BYTE, all, count(bytes), MPI_BYTE, MPI_COMM_WORLD);
  }
  void broadcast(std::byte* data, std::size_t bytes) override {
    MPI_Bcast(data, count(bytes), MPI_BYTE, 0, MPI_COMM_WORLD);
  }

  /// Ends all processes, which may be waiting for this one.
  [[noreturn]] void abandon(int exit_code) {
    MPI_Abort(MPI_COMM_WORLD, exit_code);
    std::abort();
  }

 private:
  static int count(std::size_t bytes) {
    require<value_error>(bytes <= std::size_t(INT_MAX), "MPI: a message of ", bytes, " bytes; at most ", INT_MAX);
    return int(bytes);
  }

  int index_ = 0, size_ = 1;
};

}  // namespace mor1e::distributed
