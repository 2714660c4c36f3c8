// Header-only or compiled: the one switch.
//
// A header declares; its definitions that are not templates stand in the `.ipp` beside it, which the header includes
// at its end unless MOR1E_COMPILED is defined (the target mor1e::compiled defines it and holds the definitions).
#pragma once

#ifdef MOR1E_COMPILED
#define MOR1E_INLINE
#else
#define MOR1E_INLINE inline
#endif

// What kernels of a GPU call as well: nvcc compiles it for both sides.
#ifdef __CUDACC__
#define MOR1E_HD __host__ __device__
#else
#define MOR1E_HD
#endif
