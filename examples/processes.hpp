// Programs whose work several processes share.
#pragma once

#include <chrono>
#include <thread>

#include "mor1e/distributed/process_group.hpp"
#ifdef MOR1E_MPI
#include "mor1e/distributed/mpi.hpp"
#endif
#include "program.hpp"

namespace mor1e::program {

inline void add_mpi_option(CLI::App& app, bool& mpi) {
  app.add_flag("--mpi", mpi,
               "this is one of the processes that mpirun started: each takes a part of every step and of the scoring");
}

/// f(processes): alone, or with the others that mpirun started. What fails in one of them ends all.
template <class F>
void with_processes(bool mpi, common_options& common, const F& f) {
  if (!mpi) return f(distributed::alone());
#ifdef MOR1E_MPI
  distributed::mpi_group group;
  if (!group.leads()) common.quiet = common.silent = true;
  const int code = guarded(common.name, [&] {
    try {
      f(group);
    } catch (...) {
      // What fails in all of them the first alone says, and ends the others.
      if (!group.leads()) std::this_thread::sleep_for(std::chrono::seconds(2));
      throw;
    }
  });
  if (code != success) group.abandon(code);
#else
  (void)common;
  throw value_error("--mpi: this build has no MPI; cmake -DMOR1E_MPI=ON, with libopenmpi-dev or another MPI installed");
#endif
}

}  // namespace mor1e::program
