// Support code for translated PTX. Included by every generated file, so it stays light.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

namespace cudasim {

#define CUDASIM_INLINE inline __attribute__((always_inline))
#define CUDASIM_COLD __attribute__((noinline, cold))

// ---- address map ----------------------------------------------------------------------------
// Device addresses are numbers inside a reserved, inaccessible range; the bytes live kDelta higher.
// Host code that dereferences a device pointer therefore faults at once. One shadow byte per 16
// bytes holds how many of them may be accessed (0: not allocated).
constexpr uint64_t kDevBase = 0x200000000000ull;
constexpr uint64_t kDevSize = 1ull << 38;
constexpr uint64_t kDelta = 0x100000000000ull;
constexpr uint64_t kShadow = 0x380000000000ull;
constexpr uint64_t kSharedWindow = 0x100000000000ull;  // generic address of shared memory offset 0

struct Site {
  int file, line;
  const char* text;
};  // one per memory, barrier or warp instruction
struct Counts {
  uint64_t f32 = 0, f64 = 0, f16 = 0, special = 0;
};
struct Block;

// What translated code sees of its CUDA thread.
struct Ctx {
  uint32_t tid[3], ntid[3], ctaid[3], nctaid[3];
  uint32_t lin = 0;     // linear thread index in the block
  uint32_t dyn = 0;     // size of dynamic shared memory
  uint32_t dynoff = 0;  // offset of dynamic shared memory
  bool mt = false;      // several host threads run blocks: atomics must be real
  uint64_t lim = 0;     // kDevSize, or 0 when every access must take the slow path
  uint64_t sn = 0;      // bytes of shared memory, or 0 likewise
  char* sb = nullptr;   // shared memory
  const char* params = nullptr;
  Block* block = nullptr;
  uint64_t gridws = 0;  // workspace of a cooperative launch
  int spin = 0;
  Counts n;
};

enum Access { kLoad = 0, kStore = 1, kAtomic = 2, kVolLoad = 3, kVolStore = 4 };

// ---- implemented in runtime.cpp ---------------------------------------------------------------
[[noreturn]] void fail(Ctx&, int error, uint32_t site, const char* fmt, ...) __attribute__((format(printf, 4, 5)));
char* slow_global(Ctx&, uint64_t a, uint32_t size, uint32_t site, int access);
char* slow_shared(Ctx&, uint32_t a, uint32_t size, uint32_t site, int access);
char* slow_local(Ctx&, uint64_t a, uint32_t size, uint32_t site);
int barrier(Ctx&, uint32_t id, uint32_t count, int pred, int mode, bool wait, uint32_t site);
void yield_thread(Ctx&);
[[noreturn]] void exit_thread(Ctx&);
uint32_t shfl(Ctx&, int mode, uint32_t v, uint32_t b, uint32_t c, uint32_t mask, bool& ok, uint32_t site);
uint64_t vote(Ctx&, int mode, uint32_t mask, uint64_t v, uint32_t site);  // 0 ballot 1 match.any 2 match.all 3 sync
uint32_t redux(Ctx&, int mode, uint32_t mask, uint32_t v, uint32_t site);
uint32_t activemask(Ctx&, uint32_t site);
void mma(Ctx&, int kind, int k, const uint32_t* a, const uint32_t* b, const uint32_t* c, uint32_t* d, uint32_t site);
void ldmatrix(Ctx&, int n, bool trans, uint32_t addr, uint32_t* r, uint32_t site);
void stmatrix(Ctx&, int n, bool trans, uint32_t addr, const uint32_t* r, uint32_t site);
void wmma_mma(Ctx&, int kind, int shape, int acol, int bcol, const uint32_t* a, const uint32_t* b, const uint32_t* c,
              uint32_t* d, uint32_t site);
void device_printf(Ctx&, uint64_t fmt, uint64_t args);
[[noreturn]] void device_assert(Ctx&, uint64_t msg, uint64_t file, uint32_t line, uint64_t func);
uint64_t device_malloc(Ctx&, uint64_t n);
void device_free(Ctx&, uint64_t p);
char* device_memory(uint64_t a);  // storage behind a device address, unchecked

using KernelFn = void (*)(Ctx&, const char*);
struct Param {
  uint32_t off, size;
};
struct Kernel {
  const char* name;
  KernelFn fn;
  bool blocks;  // blocks: has barriers, warp operations or spin waits
  uint32_t shared, local;
  uint32_t maxntid;
  const Param* params;
  uint32_t nparams;
  const Site* sites;
  const char* const* files;
};
struct KernelRef {
  const Kernel* kernel;
  uint32_t nsites;
};
struct Init {
  uint32_t off;
  const char* symbol;
  int64_t add;
  const uint64_t* func;
};  // address inside an initialiser
struct Var {
  const char* name;
  uint64_t* addr;
  uint64_t size, align;
  const unsigned char* init;
  uint64_t ninit;
  const Init* fix;
  uint32_t nfix;
  bool constant;
};
void** module_add(const char* id, const KernelRef* k, uint32_t nk, const Var* v, uint32_t nv);

// ---- number types ------------------------------------------------------------------------------
template <class T, class F>
CUDASIM_INLINE T bits(F f) {
  return __builtin_bit_cast(T, f);
}
// double -> float rounded to odd: a later rounding to fewer bits is then the correct single one
CUDASIM_INLINE float odd(double d) {
  float f = (float)d;
  if ((double)f == d || f != f || std::isinf(d)) return f;
  uint32_t u = bits<uint32_t>(f);
  if (std::fabs((double)f) > std::fabs(d)) u--;  // toward zero
  return bits<float>(u | 1u);
}
CUDASIM_INLINE uint16_t bf16_rn(float f) {
  uint32_t b = bits<uint32_t>(f);
  return f != f ? 0x7fff : (uint16_t)((b + 0x7fffu + ((b >> 16) & 1)) >> 16);
}
struct f16 {
  uint16_t u;
  f16() = default;
  CUDASIM_INLINE explicit f16(float f) : u(bits<uint16_t>((_Float16)f)) {}
  CUDASIM_INLINE explicit f16(double d) : u(bits<uint16_t>((_Float16)odd(d))) {}
  CUDASIM_INLINE operator float() const { return (float)bits<_Float16>(u); }
};
struct bf16 {
  uint16_t u;
  bf16() = default;
  CUDASIM_INLINE explicit bf16(float f) : u(bf16_rn(f)) {}
  CUDASIM_INLINE explicit bf16(double d) : u(bf16_rn(odd(d))) {}
  CUDASIM_INLINE operator float() const { return bits<float>((uint32_t)u << 16); }
};
template <class H>
struct h2 {
  H lo, hi;
};
using f16x2 = h2<f16>;
using bf16x2 = h2<bf16>;
template <class T>
constexpr bool is_half = std::is_same_v<T, f16> || std::is_same_v<T, bf16>;
template <class T>
constexpr bool is_pair = std::is_same_v<T, f16x2> || std::is_same_v<T, bf16x2>;
template <class T>
constexpr bool is_fp = std::is_same_v<T, float> || std::is_same_v<T, double> || is_half<T>;
CUDASIM_INLINE float f32c(uint32_t u) { return bits<float>(u); }
CUDASIM_INLINE double f64c(uint64_t u) { return bits<double>(u); }

// ---- memory ---------------------------------------------------------------------------------
template <uint32_t N, int A>
CUDASIM_INLINE char* gptr(Ctx& c, uint64_t lim, uint64_t a, uint32_t site) {
  uint64_t o = a - kDevBase;
  constexpr uint32_t M = N > 16 ? 16 : N;
  if (__builtin_expect(o < lim, 1) && !(a & (N - 1)) && *(const uint8_t*)(kShadow + (o >> 4)) >= (o & 15) + M &&
      (N <= 16 || *(const uint8_t*)(kShadow + (o >> 4) + 1) == 16))
    return (char*)(a + kDelta);
  return slow_global(c, a, N, site, A);
}
template <uint32_t N, int A>
CUDASIM_INLINE char* sptr(Ctx& c, char* sb, uint64_t sn, uint32_t a, uint32_t site) {
  if (__builtin_expect((uint64_t)a + N <= sn, 1) && !(a & (N - 1))) return sb + a;
  return slow_shared(c, a, N, site, A);
}
template <uint32_t N>
CUDASIM_INLINE char* lptr(Ctx& c, uint64_t a, const char* depot, uint64_t dn, uint32_t site) {
  if (__builtin_expect(a - (uint64_t)depot + N <= dn && a >= (uint64_t)depot, 1)) return (char*)a;
  return slow_local(c, a, N, site);
}
template <class T>
CUDASIM_INLINE T LD(const char* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class T>
CUDASIM_INLINE void ST(char* p, T v) {
  std::memcpy(p, &v, sizeof v);
}
template <class T>
CUDASIM_INLINE T LDV(Ctx& c, const char* p) {
  if (--c.spin < 0) yield_thread(c);
  T v;
  asm volatile("" ::: "memory");
  std::memcpy(&v, p, sizeof v);
  asm volatile("" ::: "memory");
  return v;
}
template <class T>
CUDASIM_INLINE void STV(Ctx&, char* p, T v) {
  asm volatile("" ::: "memory");
  std::memcpy(p, &v, sizeof v);
  asm volatile("" ::: "memory");
}

// ---- atomics ----------------------------------------------------------------------------------
template <class T>
struct UIntOf {
  using type = std::conditional_t<sizeof(T) == 2, uint16_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>;
};
template <class T, class F>
CUDASIM_INLINE T rmw(Ctx& c, char* p, F f) {
  using U = typename UIntOf<T>::type;
  if (--c.spin < 0) yield_thread(c);
  if (!c.mt) {
    T o = LD<T>(p);
    ST<T>(p, f(o));
    return o;
  }
  U o = __atomic_load_n((U*)p, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n((U*)p, &o, bits<U>(f(bits<T>(o))), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
  }
  return bits<T>(o);
}
template <class T>
CUDASIM_INLINE T plus(T a, T b) {
  if constexpr (is_pair<T>)
    return {plus(a.lo, b.lo), plus(a.hi, b.hi)};
  else if constexpr (is_half<T>)
    return T((float)a + (float)b);
  else if constexpr (std::is_integral_v<T>)
    return (T)((std::make_unsigned_t<T>)a + (std::make_unsigned_t<T>)b);
  else
    return a + b;
}
template <class T>
CUDASIM_INLINE T minus(T a, T b) {
  if constexpr (is_pair<T>)
    return {minus(a.lo, b.lo), minus(a.hi, b.hi)};
  else if constexpr (is_half<T>)
    return T((float)a - (float)b);
  else if constexpr (std::is_integral_v<T>)
    return (T)((std::make_unsigned_t<T>)a - (std::make_unsigned_t<T>)b);
  else
    return a - b;
}
template <class T>
CUDASIM_INLINE T times(T a, T b) {
  if constexpr (is_pair<T>)
    return {times(a.lo, b.lo), times(a.hi, b.hi)};
  else if constexpr (is_half<T>)
    return T((float)a * (float)b);
  else if constexpr (std::is_same_v<T, uint16_t> || std::is_same_v<T, int16_t>)
    return (T)((uint32_t)a * (uint32_t)b);
  else if constexpr (std::is_integral_v<T>)
    return (T)((std::make_unsigned_t<T>)a * (std::make_unsigned_t<T>)b);
  else
    return a * b;
}
template <class T>
CUDASIM_INLINE bool isnan_(T a) {
  if constexpr (std::is_integral_v<T>)
    return false;
  else
    return a != a;
}
template <>
CUDASIM_INLINE bool isnan_(f16 a) {
  return (float)a != (float)a;
}
template <>
CUDASIM_INLINE bool isnan_(bf16 a) {
  return (float)a != (float)a;
}
template <class T>
CUDASIM_INLINE bool lt_(T a, T b) {
  if constexpr (is_half<T>)
    return (float)a < (float)b;
  else
    return a < b;
}
template <class T>
CUDASIM_INLINE bool signbit_(T a) {
  if constexpr (is_half<T>)
    return a.u >> 15;
  else
    return std::signbit(a);
}
// min/max: a NaN operand loses (or wins with nan=true); -0 < +0
template <class T>
CUDASIM_INLINE T min_(T a, T b, bool nan = false) {
  if constexpr (is_pair<T>)
    return {min_(a.lo, b.lo, nan), min_(a.hi, b.hi, nan)};
  else if constexpr (std::is_integral_v<T>)
    return a < b ? a : b;
  else {
    if (isnan_(a)) return nan ? a : b;
    if (isnan_(b)) return nan ? b : a;
    return lt_(a, b) ? a : lt_(b, a) ? b : signbit_(a) ? a : b;
  }
}
template <class T>
CUDASIM_INLINE T max_(T a, T b, bool nan = false) {
  if constexpr (is_pair<T>)
    return {max_(a.lo, b.lo, nan), max_(a.hi, b.hi, nan)};
  else if constexpr (std::is_integral_v<T>)
    return a > b ? a : b;
  else {
    if (isnan_(a)) return nan ? a : b;
    if (isnan_(b)) return nan ? b : a;
    return lt_(b, a) ? a : lt_(a, b) ? b : signbit_(a) ? b : a;
  }
}
template <class T>
CUDASIM_INLINE T at_add(Ctx& c, char* p, T v) {
  return rmw<T>(c, p, [&](T o) { return plus(o, v); });
}
template <class T>
CUDASIM_INLINE T at_min(Ctx& c, char* p, T v) {
  return rmw<T>(c, p, [&](T o) { return min_(o, v); });
}
template <class T>
CUDASIM_INLINE T at_max(Ctx& c, char* p, T v) {
  return rmw<T>(c, p, [&](T o) { return max_(o, v); });
}
template <class T>
CUDASIM_INLINE T at_exch(Ctx& c, char* p, T v) {
  return rmw<T>(c, p, [&](T) { return v; });
}
template <class T>
CUDASIM_INLINE T at_and(Ctx& c, char* p, T v) {
  return rmw<T>(c, p, [&](T o) { return T(o & v); });
}
template <class T>
CUDASIM_INLINE T at_or(Ctx& c, char* p, T v) {
  return rmw<T>(c, p, [&](T o) { return T(o | v); });
}
template <class T>
CUDASIM_INLINE T at_xor(Ctx& c, char* p, T v) {
  return rmw<T>(c, p, [&](T o) { return T(o ^ v); });
}
template <class T>
CUDASIM_INLINE T at_inc(Ctx& c, char* p, T v) {
  return rmw<T>(c, p, [&](T o) { return o >= v ? T(0) : T(o + 1); });
}
template <class T>
CUDASIM_INLINE T at_dec(Ctx& c, char* p, T v) {
  return rmw<T>(c, p, [&](T o) { return o == 0 || o > v ? v : T(o - 1); });
}
template <class T>
CUDASIM_INLINE T at_cas(Ctx& c, char* p, T e, T v) {
  return rmw<T>(c, p, [&](T o) { return o == e ? v : o; });
}

// ---- rounding -----------------------------------------------------------------------------------
enum Rm { R_none, R_rn, R_rz, R_rm, R_rp, R_rni, R_rzi, R_rmi, R_rpi, R_rna };
template <Rm R>
CUDASIM_INLINE float round_to(double s, double err) {  // exact value is s+err, |err| tiny
  float f = (float)s;
  if (f != f) return f;
  double d = (s - (double)f) + err;
  if (std::isinf(f)) {
    if (std::isinf(s)) return f;
    d = f > 0 ? -1 : 1;
  }
  bool down = R == R_rm || (R == R_rz && (f > 0 || (f == 0 && d > 0)));
  if (down && d < 0) return std::nextafter(f, -INFINITY);
  if (R == R_rp && d > 0) return std::nextafter(f, INFINITY);
  if (R == R_rz && f < 0 && d > 0) return std::nextafter(f, INFINITY);
  return f;
}
template <Rm R>
CUDASIM_INLINE float fma_r(float a, float b, float c) {
  double p = (double)a * b, s = p + c, bb = s - p, e = (p - (s - bb)) + ((double)c - bb);
  return round_to<R>(s, std::isfinite(e) ? e : 0);
}
double slow_round(int op, int mode, double a, double b, double c, bool single);  // op: + - * / sqrt fma
template <Rm R>
inline float add_r(float a, float b) {
  return fma_r<R>(a, 1.f, b);
}
template <Rm R>
inline float sub_r(float a, float b) {
  return fma_r<R>(a, 1.f, -b);
}
template <Rm R>
inline float mul_r(float a, float b) {
  return round_to<R>((double)a * b, 0);
}
template <Rm R>
inline float div_r(float a, float b) {
  return (float)slow_round('/', R, a, b, 0, true);
}
template <Rm R>
inline float sqrt_r(float a) {
  return (float)slow_round('s', R, a, 0, 0, true);
}
template <Rm R>
inline double fma_r(double a, double b, double c) {
  return slow_round('f', R, a, b, c, false);
}
template <Rm R>
inline double add_r(double a, double b) {
  return slow_round('+', R, a, b, 0, false);
}
template <Rm R>
inline double sub_r(double a, double b) {
  return slow_round('-', R, a, b, 0, false);
}
template <Rm R>
inline double mul_r(double a, double b) {
  return slow_round('*', R, a, b, 0, false);
}
template <Rm R>
inline double div_r(double a, double b) {
  return slow_round('/', R, a, b, 0, false);
}
template <Rm R>
inline double sqrt_r(double a) {
  return slow_round('s', R, a, 0, 0, false);
}

template <Rm R>
CUDASIM_INLINE bf16 to_bf16(float f) {
  bf16 r;
  uint32_t b = bits<uint32_t>(f);
  if (f != f) {
    r.u = 0x7fff;
    return r;
  }
  if constexpr (R == R_rz)
    r.u = b >> 16;
  else if constexpr (R == R_rm || R == R_rp) {
    r.u = b >> 16;
    bool neg = b >> 31;
    if ((b & 0xffff) && neg == (R == R_rm)) r.u++;
  } else
    r.u = bf16_rn(f);
  return r;
}
template <Rm R>
inline f16 to_f16(double d) {
  f16 r((double)d);
  if (R == R_rn || R == R_none || d != d || (double)(float)r == d) return r;
  double v = (float)r;
  bool neg = std::signbit(d);
  uint16_t mag = r.u & 0x7fff;
  bool toward0 = R == R_rz || (R == R_rm && !neg) || (R == R_rp && neg);
  if (toward0 && std::fabs(v) > std::fabs(d))
    mag--;
  else if (!toward0 && std::fabs(v) < std::fabs(d))
    mag++;
  r.u = (neg ? 0x8000 : 0) | mag;
  return r;
}
template <Rm R>
inline float to_tf32(float f) {  // 10 mantissa bits
  uint32_t b = bits<uint32_t>(f);
  if ((b & 0x7f800000) == 0x7f800000) return f;
  if (R == R_rna)
    b += 0x1000;
  else if (R == R_rn)
    b += 0xfff + ((b >> 13) & 1);
  return bits<float>(b & ~0x1fffu);
}
inline uint8_t to_fp8(float f, int mbits, bool satfinite) {  // e4m3 (mbits 3) or e5m2 (mbits 2), nearest even
  int bias = mbits == 3 ? 7 : 15;
  float mx = mbits == 3 ? 448.f : 57344.f;
  uint8_t s = std::signbit(f) ? 0x80 : 0;
  if (f != f) return 0x7f;
  float a = std::fabs(f);
  if (a > mx) {
    float half = mbits == 3 ? 464.f : 61440.f;
    if (satfinite || a < half || (a == half && mbits == 3)) {
      if (satfinite || a <= half) return s | (mbits == 3 ? 0x7e : 0x7b);
    }
    return s | (mbits == 3 ? 0x7f : 0x7c);
  }
  if (a == 0) return s;
  int e;
  std::frexp(a, &e);
  e--;
  if (e < 1 - bias) e = 1 - bias;
  float q = std::nearbyint(std::ldexp(a, mbits - e));
  int m = (int)q, be = e + bias - 1;  // m in [0, 2^(mbits+1)]
  int code = (be << mbits) + m;
  return s | (uint8_t)code;
}
inline float from_fp8(uint8_t v, int mbits) {
  int bias = mbits == 3 ? 7 : 15, e = (v & 0x7f) >> mbits, m = v & ((1 << mbits) - 1);
  float r;
  if (mbits == 3 && (v & 0x7f) == 0x7f)
    r = NAN;
  else if (mbits == 2 && e == 31)
    r = m ? NAN : INFINITY;
  else
    r = e ? std::ldexp(1.f + (float)m / (1 << mbits), e - bias) : std::ldexp((float)m / (1 << mbits), 1 - bias);
  return v & 0x80 ? -r : r;
}

// ---- conversion -----------------------------------------------------------------------------------
template <Rm R>
CUDASIM_INLINE double round_int(double d) {
  if constexpr (R == R_rni || R == R_rn)
    return std::nearbyint(d);
  else if constexpr (R == R_rmi)
    return std::floor(d);
  else if constexpr (R == R_rpi)
    return std::ceil(d);
  else
    return std::trunc(d);
}
template <class T, class F, Rm R, bool sat>
CUDASIM_INLINE T cvt(F v) {
  if constexpr (is_fp<F> && !is_fp<T>) {
    double d;
    if constexpr (std::is_same_v<F, double>)
      d = v;
    else
      d = (float)v;
    if (d != d) return sizeof(T) == 8 ? (T)(1ull << 63) : (T)0;
    d = round_int<R>(d);
    constexpr double lo = (double)std::numeric_limits<T>::min(), hi = (double)std::numeric_limits<T>::max();
    if (d <= lo) return std::numeric_limits<T>::min();
    if (d >= hi) return std::numeric_limits<T>::max();
    return (T)d;
  } else if constexpr (is_fp<T>) {
    if constexpr (is_fp<F>) {
      double d;
      if constexpr (std::is_same_v<F, double>)
        d = v;
      else
        d = (float)v;
      if constexpr (R >= R_rni && R <= R_rpi) d = round_int<R>(d);
      if constexpr (sat) d = d > 0 ? (d < 1 ? d : 1) : 0;
      if constexpr (std::is_same_v<T, double>)
        return d;
      else if constexpr (std::is_same_v<T, float>) {
        if constexpr (R == R_rz || R == R_rm || R == R_rp)
          return round_to<R>(d, 0);
        else
          return (float)d;
      } else if constexpr (std::is_same_v<T, f16>)
        return to_f16<R>(d);
      else {
        if constexpr (std::is_same_v<F, double>)
          return T(d);
        else
          return to_bf16<R>((float)d);
      }
    } else {
      if constexpr (std::is_same_v<T, double>) {
        if constexpr (R == R_rz || R == R_rm || R == R_rp) {
          __float128 q = v;
          double d = (double)v;
          if ((__float128)d > q && (R == R_rm || (R == R_rz && d > 0))) d = std::nextafter(d, -INFINITY);
          if ((__float128)d < q && (R == R_rp || (R == R_rz && d < 0))) d = std::nextafter(d, INFINITY);
          return d;
        } else
          return (double)v;
      } else if constexpr (std::is_same_v<T, float>) {
        if constexpr (R == R_rz || R == R_rm || R == R_rp) {
          float f = (float)v;
          __int128 q = v, g = std::fabs(f) < 1e30f ? (__int128)f : 0;
          if (g > q && (R == R_rm || (R == R_rz && f > 0))) f = std::nextafter(f, -INFINITY);
          if (g < q && (R == R_rp || (R == R_rz && f < 0))) f = std::nextafter(f, INFINITY);
          return f;
        } else
          return (float)v;
      } else if constexpr (std::is_same_v<T, f16>)
        return to_f16<R>((double)v);
      else
        return T((double)v);
    }
  } else {
    if constexpr (sat) {
      __int128 x = v, lo = std::numeric_limits<T>::min(), hi = std::numeric_limits<T>::max();
      return (T)(x < lo ? lo : x > hi ? hi : x);
    }
    return (T)v;
  }
}
template <class T>
CUDASIM_INLINE T relu(T x) {
  if constexpr (is_pair<T>)
    return {relu(x.lo), relu(x.hi)};
  else {
    if (isnan_(x)) return x;
    if constexpr (is_half<T>)
      return (float)x > 0 ? x : T(0.f);
    else
      return x > 0 ? x : T(0);
  }
}
template <class T>
CUDASIM_INLINE T satf(T x) {
  if constexpr (is_pair<T>)
    return {satf(x.lo), satf(x.hi)};
  else if constexpr (is_half<T>) {
    float f = x;
    return T(f > 0 ? (f < 1 ? f : 1.f) : 0.f);
  } else
    return x > 0 ? (x < 1 ? x : T(1)) : T(0);
}

// ---- arithmetic -----------------------------------------------------------------------------------
template <class T>
CUDASIM_INLINE T fma_(T a, T b, T c) {
  if constexpr (is_pair<T>)
    return {fma_(a.lo, b.lo, c.lo), fma_(a.hi, b.hi, c.hi)};
  else if constexpr (is_half<T>)
    return T((double)(float)a * (float)b + (float)c);
  else
    return std::fma(a, b, c);
}
template <class T>
CUDASIM_INLINE T mulhi(T a, T b) {
  if constexpr (sizeof(T) == 8) {
    if constexpr (std::is_signed_v<T>)
      return (T)(((__int128)a * b) >> 64);
    else
      return (T)(((unsigned __int128)a * b) >> 64);
  } else
    return (T)(((int64_t)a * (int64_t)b) >> (8 * sizeof(T)));
}
template <>
CUDASIM_INLINE uint32_t mulhi(uint32_t a, uint32_t b) {
  return (uint32_t)(((uint64_t)a * b) >> 32);
}
template <class T>
CUDASIM_INLINE T div_(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) return (T)-1;
    if constexpr (std::is_signed_v<T>)
      if (b == -1) return (T)(0 - (std::make_unsigned_t<T>)a);
    return a / b;
  } else
    return a / b;
}
template <class T>
CUDASIM_INLINE T rem_(T a, T b) {
  if (b == 0) return a;
  if constexpr (std::is_signed_v<T>)
    if (b == -1) return 0;
  return a % b;
}
template <class T>
CUDASIM_INLINE T neg_(T a) {
  if constexpr (is_pair<T>)
    return {neg_(a.lo), neg_(a.hi)};
  else if constexpr (is_half<T>) {
    a.u ^= 0x8000;
    return a;
  } else if constexpr (std::is_integral_v<T>)
    return (T)(0 - (std::make_unsigned_t<T>)a);
  else
    return -a;
}
template <class T>
CUDASIM_INLINE T abs_(T a) {
  if constexpr (is_pair<T>)
    return {abs_(a.lo), abs_(a.hi)};
  else if constexpr (is_half<T>) {
    a.u &= 0x7fff;
    return a;
  } else if constexpr (std::is_integral_v<T>)
    return a < 0 ? neg_(a) : a;
  else
    return std::fabs(a);
}
template <class T, class F>
CUDASIM_INLINE T via_float(T a, F f) {
  if constexpr (is_pair<T>)
    return {via_float(a.lo, f), via_float(a.hi, f)};
  else if constexpr (is_half<T>)
    return T((float)f((float)a));
  else
    return (T)f(a);
}
template <class T>
CUDASIM_INLINE T sqrt_(T a) {
  return via_float(a, [](auto x) { return std::sqrt(x); });
}
template <class T>
CUDASIM_INLINE T rsqrt_(T a) {
  return via_float(a, [](auto x) { return (decltype(x))(1.0 / std::sqrt((double)x)); });
}
template <class T>
CUDASIM_INLINE T rcp_(T a) {
  return via_float(a, [](auto x) { return decltype(x)(1) / x; });
}
template <class T>
CUDASIM_INLINE T ex2_(T a) {
  return via_float(a, [](auto x) { return std::exp2(x); });
}
template <class T>
CUDASIM_INLINE T lg2_(T a) {
  return via_float(a, [](auto x) { return std::log2(x); });
}
template <class T>
CUDASIM_INLINE T sin_(T a) {
  return via_float(a, [](auto x) { return std::sin(x); });
}
template <class T>
CUDASIM_INLINE T cos_(T a) {
  return via_float(a, [](auto x) { return std::cos(x); });
}
template <class T>
CUDASIM_INLINE T tanh_(T a) {
  return via_float(a, [](auto x) { return std::tanh(x); });
}
template <class T>
CUDASIM_INLINE T copysign_(T s, T v) {
  return std::copysign(v, s);
}
template <class T>
CUDASIM_INLINE T shl_(T a, uint32_t n) {
  return n >= 8 * sizeof(T) ? T(0) : (T)((std::make_unsigned_t<T>)a << n);
}
template <class T>
CUDASIM_INLINE T shr_(T a, uint32_t n) {
  if (n >= 8 * sizeof(T)) return a < 0 ? (T)-1 : T(0);
  return (T)(a >> n);
}
CUDASIM_INLINE uint32_t shf_l_wrap(uint32_t a, uint32_t b, uint32_t n) {
  n &= 31;
  return (uint32_t)(((((uint64_t)b << 32) | a) << n) >> 32);
}
CUDASIM_INLINE uint32_t shf_r_wrap(uint32_t a, uint32_t b, uint32_t n) {
  n &= 31;
  return (uint32_t)((((uint64_t)b << 32) | a) >> n);
}
CUDASIM_INLINE uint32_t shf_l_clamp(uint32_t a, uint32_t b, uint32_t n) { return n >= 32 ? a : shf_l_wrap(a, b, n); }
CUDASIM_INLINE uint32_t shf_r_clamp(uint32_t a, uint32_t b, uint32_t n) { return n >= 32 ? b : shf_r_wrap(a, b, n); }
template <unsigned L>
CUDASIM_INLINE uint32_t lop3(uint32_t a, uint32_t b, uint32_t c) {
  uint32_t r = 0;
  if constexpr (L & 1) r |= ~a & ~b & ~c;
  if constexpr (L & 2) r |= ~a & ~b & c;
  if constexpr (L & 4) r |= ~a & b & ~c;
  if constexpr (L & 8) r |= ~a & b & c;
  if constexpr (L & 16) r |= a & ~b & ~c;
  if constexpr (L & 32) r |= a & ~b & c;
  if constexpr (L & 64) r |= a & b & ~c;
  if constexpr (L & 128) r |= a & b & c;
  return r;
}
CUDASIM_INLINE uint32_t prmt(uint32_t a, uint32_t b, uint32_t s) {
  uint64_t v = ((uint64_t)b << 32) | a;
  uint32_t r = 0;
  for (int i = 0; i < 4; i++) {
    unsigned k = s >> (4 * i) & 15;
    uint8_t x = v >> (8 * (k & 7));
    if (k & 8) x = (x & 0x80) ? 0xff : 0;
    r |= (uint32_t)x << (8 * i);
  }
  return r;
}
inline uint32_t prmt_mode(int mode, uint32_t a, uint32_t b, uint32_t s) {  // f4e b4e rc8 ecl ecr rc16
  s &= 3;
  uint32_t sel = 0;
  for (uint32_t i = 0; i < 4; i++) {
    uint32_t k = mode == 0   ? s + i
                 : mode == 1 ? (s - i) & 7
                 : mode == 2 ? s
                 : mode == 3 ? (i > s ? i : s)
                 : mode == 4 ? (i < s ? i : s)
                             : (s & 1) * 2 + (i & 1);
    sel |= (k & 7) << (4 * i);
  }
  return prmt(a, b, sel);
}
template <class T>
inline T bfe(T a, uint32_t p, uint32_t n) {
  p &= 255;
  n &= 255;
  if (!n) return 0;
  unsigned W = 8 * sizeof(T);
  using U = std::make_unsigned_t<T>;
  U u = p < W ? (U)a >> p : 0;
  unsigned sb = p + n - 1 < W - 1 ? p + n - 1 : W - 1;
  bool neg = std::is_signed_v<T> && ((U)a >> sb & 1);
  if (n >= W) return p < W ? (T)(a >> p) : (neg ? (T)-1 : 0);
  u &= ((U)1 << n) - 1;
  if (neg) {
    unsigned have = p < W ? (W - p < n ? W - p : n) : 0;
    if (have < W) u |= ~(have ? ((U)1 << have) - 1 : (U)0);
  }
  return (T)u;
}
template <class T>
inline T bfi(T a, T b, uint32_t p, uint32_t n) {
  unsigned W = 8 * sizeof(T);
  p &= 255;
  n &= 255;
  if (p >= W || !n) return b;
  T m = n >= W ? ~(T)0 : (((T)1 << n) - 1);
  m <<= p;
  return (b & ~m) | ((a << p) & m);
}
CUDASIM_INLINE uint32_t bmsk(uint32_t a, uint32_t n) { return a >= 32 ? 0 : n >= 32 ? ~0u << a : ((1u << n) - 1) << a; }
CUDASIM_INLINE uint32_t clz_(uint32_t a) { return a ? __builtin_clz(a) : 32; }
CUDASIM_INLINE uint32_t clz_(uint64_t a) { return a ? __builtin_clzll(a) : 64; }
CUDASIM_INLINE uint32_t popc_(uint32_t a) { return __builtin_popcount(a); }
CUDASIM_INLINE uint32_t popc_(uint64_t a) { return __builtin_popcountll(a); }
inline uint32_t brev_(uint32_t a) {
  a = __builtin_bswap32(a);
  a = ((a >> 4) & 0x0f0f0f0f) | ((a & 0x0f0f0f0f) << 4);
  a = ((a >> 2) & 0x33333333) | ((a & 0x33333333) << 2);
  return ((a >> 1) & 0x55555555) | ((a & 0x55555555) << 1);
}
inline uint64_t brev_(uint64_t a) { return ((uint64_t)brev_((uint32_t)a) << 32) | brev_((uint32_t)(a >> 32)); }
template <class T>
inline uint32_t bfind(T a, bool shift) {
  using U = std::make_unsigned_t<T>;
  U u = a;
  if constexpr (std::is_signed_v<T>)
    if (a < 0) u = ~u;
  if (!u) return ~0u;
  uint32_t W = 8 * sizeof(T), p = sizeof(T) == 8 ? 63 - __builtin_clzll(u) : 31 - __builtin_clz((uint32_t)u);
  return shift ? W - 1 - p : p;
}
inline uint32_t fns(uint32_t mask, uint32_t base, int32_t off) {
  if (off == 0) return mask >> (base & 31) & 1 ? base : ~0u;
  int step = off > 0 ? 1 : -1, left = off > 0 ? off : -off;
  for (int i = (int)base; i >= 0 && i < 32; i += step)
    if (mask >> i & 1)
      if (--left == 0) return (uint32_t)i;
  return ~0u;
}
template <class A, class B>
inline int32_t dp4a(uint32_t a, uint32_t b, int32_t c) {
  for (int i = 0; i < 4; i++) c += (int32_t)(A)(a >> (8 * i)) * (int32_t)(B)(b >> (8 * i));
  return c;
}
template <class T>
CUDASIM_INLINE bool ord(T a, T b) {
  return !isnan_(a) && !isnan_(b);
}
template <class T>
CUDASIM_INLINE bool finite_(T a) {
  return std::isfinite((float)a);
}
inline void cp_async(char* d, const char* s, int n, int k) {
  if (k > n) k = n;
  std::memset(d + k, 0, n - k);
  std::memcpy(d, s, k);
}

}  // namespace cudasim
