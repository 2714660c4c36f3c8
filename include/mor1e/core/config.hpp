// Header-only or compiled, and for which processors: the two macros.
//
// A header declares; its definitions that are not templates stand in the `.ipp` beside it, which the header includes
// at its end unless MOR1E_COMPILED is defined (the target mor1e::compiled defines it and holds the definitions).
#pragma once

#ifdef MOR1E_COMPILED
#define MOR1E_INLINE
#else
#define MOR1E_INLINE inline
#endif

/// Before a function that kernels call too.
#ifdef __CUDACC__
#define MOR1E_HD __host__ __device__
// "operator view<const T> will not be called": it is constrained to T that are not constant.
#pragma nv_diag_suppress 554
// "unrecognized GCC pragma": nvcc hands it on to the compiler of the host, which knows it.
#pragma nv_diag_suppress 1675
#else
#define MOR1E_HD
#endif

/// Before a function of numbers that loops over rows call: always inlined, as a compiler that has inlined much of a
/// large unit stops, and a loop with a call in it is not vectorised.
#define MOR1E_SCALAR [[gnu::always_inline]] MOR1E_HD
