// Instructions and device functions against host results.
#include <cassert>
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cstring>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>
#include <cuda_pipeline.h>
#include <mma.h>

#include "check.hpp"
namespace cg = cooperative_groups;

template <class F>
__global__ void each(F f, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) f(i);
}

// ---- integers ----
struct Ints {
  const unsigned *a, *b;
  unsigned long long* o;
};
constexpr int kInts = 32;
__host__ __device__ inline unsigned rotl(unsigned x, unsigned n) {
  n &= 31;
  return n ? x << n | x >> (32 - n) : x;
}
__global__ void ints(Ints p, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  unsigned a = p.a[i], b = p.b[i];
  unsigned long long* o = p.o + (size_t)i * kInts;
  int j = 0;
  unsigned long long w = (unsigned long long)a << 32 | b;
  o[j++] = __popc(a);
  o[j++] = __clz(a);
  o[j++] = __brev(a);
  o[j++] = __ffs(a);
  o[j++] = __byte_perm(a, b, 0x6172);
  o[j++] = __umulhi(a, b);
  o[j++] = (unsigned)__mulhi((int)a, (int)b);
  o[j++] = __umul64hi(w, ~w);
  o[j++] = __funnelshift_l(a, b, 13);
  o[j++] = __funnelshift_r(a, b, 45);
  o[j++] = a / (b | 1);
  o[j++] = a % (b | 1);
  o[j++] = (unsigned)((int)a / ((int)b | 1));
  o[j++] = w / (a | 1);
  o[j++] = (unsigned long long)((long long)w % ((long long)b | 1));
  o[j++] = (a & b) ^ (~a | 0x55);
  o[j++] = __sad((int)a, (int)b, 5u);
  o[j++] = __popcll(w);
  o[j++] = __clzll(w);
  o[j++] = __brevll(w);
  o[j++] = rotl(a, b);
  o[j++] = (unsigned)__dp4a((int)a, (int)b, 7);
  unsigned lo, hi;
  asm("add.cc.u32 %0, %2, %3; addc.u32 %1, %2, %3;" : "=r"(lo), "=r"(hi) : "r"(a), "r"(b));
  o[j++] = lo;
  o[j++] = hi;
  asm("sub.cc.u32 %0, %2, %3; subc.u32 %1, %2, %3;" : "=r"(lo), "=r"(hi) : "r"(a), "r"(b));
  o[j++] = lo;
  o[j++] = hi;
  asm("mad.lo.cc.u32 %0, %2, %3, %2; madc.hi.u32 %1, %2, %3, 0;" : "=r"(lo), "=r"(hi) : "r"(a), "r"(b));
  o[j++] = lo;
  o[j++] = hi;
  unsigned x;
  asm("bfe.u32 %0, %1, 5, 9;" : "=r"(x) : "r"(a));
  o[j++] = x;
  asm("bfe.s32 %0, %1, 3, 7;" : "=r"(x) : "r"(a));
  o[j++] = x;
  asm("bfi.b32 %0, %1, %2, 8, 12;" : "=r"(x) : "r"(a), "r"(b));
  o[j++] = x;
  asm("lop3.b32 %0, %1, %2, %3, 0xe8;" : "=r"(x) : "r"(a), "r"(b), "r"(0x0ff0f00fu));
  o[j++] = x;
}
static void ref_ints(unsigned a, unsigned b, unsigned long long* o) {
  int j = 0;
  unsigned long long w = (unsigned long long)a << 32 | b;
  auto brev = [](unsigned x) {
    unsigned r = 0;
    for (int i = 0; i < 32; i++) r |= (x >> i & 1) << (31 - i);
    return r;
  };
  o[j++] = __builtin_popcount(a);
  o[j++] = a ? __builtin_clz(a) : 32;
  o[j++] = brev(a);
  o[j++] = __builtin_ffs(a);
  {
    unsigned long long v = (unsigned long long)b << 32 | a;
    o[j++] = ((v >> 16) & 255) | ((v >> 56) & 255) << 8 | ((v >> 8) & 255) << 16 | ((v >> 48) & 255) << 24;
  }
  o[j++] = (unsigned)((unsigned long long)a * b >> 32);
  o[j++] = (unsigned)((long long)(int)a * (int)b >> 32);
  o[j++] = (unsigned long long)((unsigned __int128)w * ~w >> 64);
  o[j++] = (unsigned)(((unsigned long long)b << 32 | a) << 13 >> 32);
  o[j++] = (unsigned)(((unsigned long long)b << 32 | a) >> 13);
  o[j++] = a / (b | 1);
  o[j++] = a % (b | 1);
  o[j++] = (unsigned)((int)a / ((int)b | 1));
  o[j++] = w / (a | 1);
  o[j++] = (unsigned long long)((long long)w % ((long long)(int)b | 1));
  o[j - 1] = (unsigned long long)((long long)w % ((long long)b | 1));
  o[j++] = (a & b) ^ (~a | 0x55);
  {
    long long d = (long long)(int)a - (int)b;
    o[j++] = (unsigned)((d < 0 ? -d : d) + 5);
  }
  o[j++] = __builtin_popcountll(w);
  o[j++] = w ? __builtin_clzll(w) : 64;
  o[j++] = (unsigned long long)brev(b) << 32 | brev(a);
  o[j++] = rotl(a, b);
  {
    int s = 7;
    for (int i = 0; i < 4; i++) s += (int)(signed char)(a >> 8 * i) * (signed char)(b >> 8 * i);
    o[j++] = (unsigned)s;
  }
  unsigned long long s = (unsigned long long)a + b;
  o[j++] = (unsigned)s;
  o[j++] = (unsigned)(a + b + (s >> 32));
  o[j++] = a - b;
  o[j++] = a - b - (a < b);
  unsigned long long m = (unsigned long long)a * b, l = (m & 0xffffffff) + a;
  o[j++] = (unsigned)l;
  o[j++] = (unsigned)((m >> 32) + (l >> 32));
  o[j++] = (a >> 5) & 511;
  o[j++] = (unsigned)((int)(a << 22) >> 25);
  o[j++] = (b & ~(0xfffu << 8)) | (a & 0xfff) << 8;
  unsigned c = 0x0ff0f00fu;
  o[j++] = (a & b) | (a & c) | (b & c);
}

// ---- floating point ----
constexpr int kFloats = 40;
__global__ void floats(const float* a, const float* b, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float x = a[i], y = b[i], ax = fabsf(x);
  float* o = out + (size_t)i * kFloats;
  int j = 0;
  o[j++] = expf(x);
  o[j++] = logf(ax);
  o[j++] = sinf(x);
  o[j++] = cosf(x);
  o[j++] = tanhf(x);
  o[j++] = sqrtf(ax);
  o[j++] = rsqrtf(ax);
  o[j++] = x / y;
  o[j++] = powf(ax, y);
  o[j++] = erff(x);
  o[j++] = __expf(x);
  o[j++] = __logf(ax);
  o[j++] = __fdividef(x, y);
  o[j++] = fmaxf(x, NAN);
  o[j++] = fminf(x, y);
  o[j++] = fmodf(x, y);
  o[j++] = log1pf(ax);
  o[j++] = exp2f(x);
  o[j++] = rintf(x * 10);
  o[j++] = floorf(x);
  o[j++] = (float)(int)(x * 100);
  o[j++] = (float)__float2int_rn(x * 100);
  o[j++] = (float)lrintf(x);
  o[j++] = roundf(x * 3);
  o[j++] = __fadd_rd(x, y * 1e-8f);
  o[j++] = __fadd_ru(x, y * 1e-8f);
  o[j++] = __fmul_rz(x, y);
  o[j++] = __fmaf_rd(x, y, 1e-9f);
  o[j++] = __fdiv_ru(x, y);
  o[j++] = __fsqrt_rd(ax);
  o[j++] = __half2float(__float2half(x));
  o[j++] = __half2float(__hfma(__float2half(x), __float2half(y), __float2half(1.f)));
  o[j++] = __bfloat162float(__float2bfloat16(x));
  o[j++] = __bfloat162float(__hmul(__float2bfloat16(x), __float2bfloat16(y)));
  __half2 h2 = __hmul2(__floats2half2_rn(x, y), __floats2half2_rn(y, x));
  o[j++] = __low2float(h2) + __high2float(h2);
  __nv_bfloat162 b2 = __hadd2(__floats2bfloat162_rn(x, y), __floats2bfloat162_rn(1.f, 2.f));
  o[j++] = __bfloat162float(b2.x) - __bfloat162float(b2.y);
  float tf;
  asm("{.reg .b32 r; cvt.rna.tf32.f32 r, %1; mov.b32 %0, r;}" : "=f"(tf) : "f"(x));
  o[j++] = tf;
  o[j++] = (float)(exp((double)x) - sin((double)y));
  o[j++] = __half2float(__float2half_rz(x));
  o[j++] = __int_as_float(0x7fc00000) > x ? 1.f : 2.f;
}
static float tf32(float x) {
  unsigned u;
  memcpy(&u, &x, 4);
  u = (u + 0x1000) & ~0x1fffu;
  memcpy(&x, &u, 4);
  return x;
}
static float bf(float x) { return __bfloat162float(__float2bfloat16(x)); }
static float hf(float x) { return __half2float(__float2half(x)); }
static float rnd(double v, int dir) {
  float f = (float)v;
  if (dir < 0 && f > v) f = std::nextafter(f, -INFINITY);
  if (dir > 0 && f < v) f = std::nextafter(f, INFINITY);
  return f;
}
static void ref_floats(float x, float y, float* o) {
  int j = 0;
  float ax = std::fabs(x);
  o[j++] = exp(x);
  o[j++] = log(ax);
  o[j++] = sin(x);
  o[j++] = cos(x);
  o[j++] = tanh(x);
  o[j++] = std::sqrt(ax);
  o[j++] = 1 / std::sqrt((double)ax);
  o[j++] = x / y;
  o[j++] = pow(ax, y);
  o[j++] = erf(x);
  o[j++] = exp(x);
  o[j++] = log(ax);
  o[j++] = x / y;
  o[j++] = x;
  o[j++] = x < y ? x : y;
  o[j++] = std::fmod(x, y);
  o[j++] = log1p(ax);
  o[j++] = exp2(x);
  o[j++] = std::nearbyint(x * 10);
  o[j++] = std::floor(x);
  o[j++] = std::trunc(x * 100);
  o[j++] = std::nearbyint(x * 100);
  o[j++] = std::nearbyint(x);
  o[j++] = std::round(x * 3);
  double t = (double)x + y * 1e-8f;
  o[j++] = rnd(t, -1);
  o[j++] = rnd(t, 1);
  {
    double p = (double)x * y;
    o[j++] = rnd(p, p > 0 ? -1 : 1);
  }
  o[j++] = rnd((double)x * y + 1e-9f, -1);
  o[j++] = rnd((double)x / y, 1);
  o[j++] = rnd(std::sqrt((double)ax), -1);
  o[j++] = hf(x);
  o[j++] = hf(hf(x) * hf(y) + 1.0);
  o[j++] = bf(x);
  o[j++] = bf(bf(x) * bf(y));
  o[j++] = 2 * hf(hf(x) * hf(y));
  o[j++] = bf(bf(x) + 1) - bf(bf(y) + 2);
  o[j++] = tf32(x);
  o[j++] = (float)(exp((double)x) - sin((double)y));
  {
    float h = hf(x);
    if (std::fabs(h) > ax) {
      __half q = __float2half(x);
      unsigned short u;
      memcpy(&u, &q, 2);
      u--;
      memcpy(&q, &u, 2);
      h = __half2float(q);
    }
    o[j++] = h;
  }
  o[j++] = 2.f;
}

// ---- warp and block operations ----
__global__ void warps(int* out) {  // 20 values per thread
  int t = threadIdx.x, lane = t & 31;
  int* o = out + t * 20;
  int j = 0;
  unsigned F = ~0u;
  o[j++] = __shfl_xor_sync(F, t, 5);
  o[j++] = __shfl_up_sync(F, t, 3);
  o[j++] = __shfl_down_sync(F, t, 7);
  o[j++] = __shfl_sync(F, t, 9);
  o[j++] = __shfl_xor_sync(F, t, 3, 8);
  o[j++] = __shfl_down_sync(F, t, 2, 16);
  o[j++] = __shfl_up_sync(F, t, 1, 4);
  o[j++] = __shfl_sync(F, t, 5, 4);
  o[j++] = __ballot_sync(F, lane % 3 == 0);
  o[j++] = __any_sync(F, lane == 31);
  o[j++] = __all_sync(F, lane < 31);
  o[j++] = __match_any_sync(F, lane % 5);
  int pr;
  __match_all_sync(F, 7, &pr);
  o[j++] = pr;
  o[j++] = __reduce_add_sync(F, lane);
  o[j++] = __reduce_max_sync(F, lane ^ 21);
  if (lane < 12)
    o[j] = __shfl_xor_sync(0xfff, t, 1) + __popc(__activemask());
  else
    o[j] = __reduce_min_sync(0xfffff000, lane);
  j++;
  auto tile = cg::tiled_partition<8>(cg::this_thread_block());
  o[j++] = cg::reduce(tile, lane, cg::plus<int>());
  o[j++] = tile.shfl_down(lane, 1);
  o[j++] = __syncthreads_count(t % 2);
  double d = __shfl_xor_sync(F, t * 0.5, 1);
  o[j++] = (int)(d * 2);
}
__global__ void atomics(int* i, unsigned* u, unsigned long long* l, float* f, double* d, __half2* h,
                        __nv_bfloat162* b) {
  int t = blockIdx.x * blockDim.x + threadIdx.x;
  atomicAdd(i, t);
  atomicMax(i + 1, t);
  atomicMin(i + 2, -t);
  atomicCAS(i + 3, t, t + 1);
  atomicExch(i + 4, 99);
  atomicAnd(u, ~(1u << (t & 31)));
  atomicOr(u + 1, 1u << (t & 31));
  atomicXor(u + 2, t);
  atomicInc(u + 3, 9);
  atomicSub(u + 4, 1);
  atomicAdd(l, (unsigned long long)t << 20);
  atomicMax(l + 1, (unsigned long long)t << 33);
  atomicAdd(f, 0.5f);
  atomicAdd(d, 0.25);
  atomicAdd(h, __floats2half2_rn(1.f, 2.f));
  atomicAdd(b, __floats2bfloat162_rn(1.f, 0.5f));
  __shared__ int s;
  if (threadIdx.x == 0) s = 0;
  __syncthreads();
  atomicAdd(&s, 1);
  __syncthreads();
  if (threadIdx.x == 0) atomicAdd(i + 5, s);
}
__global__ void spin_lock(int* lock, int* value) {
  for (bool done = false; !done;)
    if (atomicCAS(lock, 0, 1) == 0) {
      volatile int* v = value;
      *v = *v + 1;
      __threadfence();
      atomicExch(lock, 0);
      done = true;
    }
}

// ---- matrix instructions ----
__global__ void wmma_tile(const __half* A, const __nv_bfloat16* Ab, const __half* B, const __nv_bfloat16* Bb, float* C,
                          float* D) {
  using namespace nvcuda::wmma;
  fragment<matrix_a, 16, 16, 16, __half, row_major> a;
  fragment<matrix_b, 16, 16, 16, __half, col_major> b;
  fragment<accumulator, 16, 16, 16, float> c;
  fill_fragment(c, 1.f);
  load_matrix_sync(a, A, 16);
  load_matrix_sync(b, B, 16);
  mma_sync(c, a, b, c);
  for (int i = 0; i < c.num_elements; i++) c.x[i] *= 2;
  store_matrix_sync(C, c, 16, mem_row_major);
  fragment<matrix_a, 16, 16, 16, __nv_bfloat16, row_major> a2;
  fragment<matrix_b, 16, 16, 16, __nv_bfloat16, row_major> b2;
  fill_fragment(c, 0.f);
  load_matrix_sync(a2, Ab, 16);
  load_matrix_sync(b2, Bb, 16);
  mma_sync(c, a2, b2, c);
  store_matrix_sync(D, c, 16, mem_col_major);
}
__global__ void mma_tiles(const float* A, const float* B, float* T, const __nv_bfloat16* Ab, const __nv_bfloat16* Bb,
                          float* U) {  // tf32 16x8x8; bf16 16x8x16 through cp.async and ldmatrix
  int t = threadIdx.x, g = t >> 2, q = t & 3;
  unsigned a[4], b[2];
  float c[4] = {};
  auto bits = [](float x) { return __float_as_uint(x); };
  a[0] = bits(A[g * 8 + q]);
  a[1] = bits(A[(g + 8) * 8 + q]);
  a[2] = bits(A[g * 8 + q + 4]);
  a[3] = bits(A[(g + 8) * 8 + q + 4]);
  b[0] = bits(B[q * 8 + g]);
  b[1] = bits(B[(q + 4) * 8 + g]);
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  T[g * 8 + 2 * q] = c[0];
  T[g * 8 + 2 * q + 1] = c[1];
  T[(g + 8) * 8 + 2 * q] = c[2];
  T[(g + 8) * 8 + 2 * q + 1] = c[3];
  __shared__ __align__(16) __nv_bfloat16 sa[256], sb[128];
  __pipeline_memcpy_async(sa + t * 8, Ab + t * 8, 16);
  if (t < 16) __pipeline_memcpy_async(sb + t * 8, Bb + t * 8, 16);
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  unsigned pa = (unsigned)__cvta_generic_to_shared(sa + (t % 16) * 16 + (t / 16) * 8),
           pb = (unsigned)__cvta_generic_to_shared(sb + (t % 16) * 8);
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(a[0]), "=r"(a[1]), "=r"(a[2]), "=r"(a[3])
               : "r"(pa));
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];" : "=r"(b[0]), "=r"(b[1]) : "r"(pb));
  for (float& x : c) x = 0;
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  U[g * 8 + 2 * q] = c[0];
  U[g * 8 + 2 * q + 1] = c[1];
  U[(g + 8) * 8 + 2 * q] = c[2];
  U[(g + 8) * 8 + 2 * q + 1] = c[3];
}
// ---- language features ----
__device__ int data[4] = {3, 1, 4, 1};
__device__ int* table_of_pointers[2] = {data, data + 2};
struct Op {
  __device__ virtual float f(float x) const = 0;
};
struct Twice : Op {
  __device__ float f(float x) const override { return 2 * x; }
};
struct Square : Op {
  __device__ float f(float x) const override { return x * x; }
};
__device__ __noinline__ int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
__global__ void language(int* o, float* f, const float4* v, float4* w) {
  int t = threadIdx.x, local[16];
  for (int i = 0; i < 16; i++) local[i] = i * t;
  int k = o[0] & 15;
  o[1 + t] = local[(k + t) & 15];
  if (t == 0) {
    o[40] = *table_of_pointers[1] + table_of_pointers[0][1];
    o[41] = fib(10);
    Twice a;
    Square b;
    Op* p = o[0] > 3 ? (Op*)&a : (Op*)&b;
    f[0] = p->f(5.f);
    int* m = (int*)malloc(64);
    m[15] = 77;
    o[42] = m[15];
    free(m);
  }
  w[t] = make_float4(v[t].w, v[t].z, v[t].y, v[t].x);
  switch (t & 7) {
    case 0: o[50 + t] = 10; break;
    case 1: o[50 + t] = 21; break;
    case 2: o[50 + t] = 32; break;
    case 3: o[50 + t] = 5; break;
    case 4: o[50 + t] = 8; break;
    case 5: o[50 + t] = 13; break;
    default: o[50 + t] = -1;
  }
  if (t == 3) printf("printf %d %.3f %s %c %lld %5u|\n", t, 1.5, "text", 'x', 1ll << 40, 7u);
  assert(t < 32);
}
__global__ void fp8(const float* x, float* y) {
  int t = threadIdx.x;
  __nv_fp8_e4m3 a(x[t]);
  __nv_fp8_e5m2 b(x[t]);
  y[2 * t] = float(a);
  y[2 * t + 1] = float(b);
}
__global__ void coop(int* x) {
  cg::grid_group g = cg::this_grid();
  int b = blockIdx.x;
  if (threadIdx.x == 0) x[b] = b + 1;
  g.sync();
  if (threadIdx.x == 0) x[8 + b] = x[(b + 1) % gridDim.x];
}

int main() {
  {
    int n = 500;
    std::vector<unsigned> a(n), b(n);
    std::mt19937 g(1);
    for (int i = 0; i < n; i++) {
      a[i] = g() >> (i % 7 * 4);
      b[i] = g() >> (i % 5 * 6);
    }
    a[0] = 0;
    Dev<unsigned> da(a), db(b);
    Dev<unsigned long long> o((size_t)n * kInts);
    ints<<<2, 256>>>({da, db, o}, n);
    auto r = o.host();
    for (int i = 0; i < n; i++) {
      unsigned long long w[kInts];
      ref_ints(a[i], b[i], w);
      for (int j = 0; j < kInts; j++) {
        if (r[i * kInts + j] != w[j])
          std::printf("ints: value %d: %llx want %llx (a %x b %x)\n", j, r[i * kInts + j], w[j], a[i], b[i]);
        CHECK(r[i * kInts + j] == w[j]);
      }
    }
  }
  {
    int n = 500;
    auto a = randoms(n, 5), b = randoms(n, 6);
    Dev<float> da(a), db(b), o((size_t)n * kFloats);
    floats<<<4, 128>>>(da, db, o, n);
    auto r = o.host();
    for (int i = 0; i < n; i++) {
      float w[kFloats];
      ref_floats(a[i], b[i], w);
      for (int j = 0; j < kFloats; j++) {
        bool exact = j >= 13 && j != 15 && j != 16 && j != 17 && j != 37;
        double tol = exact ? 0 : 3e-6 * (1 + std::fabs(w[j]));
        if (j == 15) tol = 1e-6;
        if (!(std::fabs(r[i * kFloats + j] - w[j]) <= tol))
          std::printf("floats: value %d: %.9g want %.9g (x %.9g y %.9g)\n", j, r[i * kFloats + j], w[j], a[i], b[i]);
        CHECK(std::fabs(r[i * kFloats + j] - w[j]) <= tol);
      }
    }
  }
  {
    Dev<int> o(64 * 20);
    warps<<<1, 64>>>(o);
    auto r = o.host();
    for (int t = 0; t < 64; t++) {
      int l = t & 31, b = t & 32;
      unsigned tri = 0, five = 0;
      for (int i = 0; i < 32; i++) {
        tri |= (i % 3 == 0) << i;
        five |= (unsigned)(i % 5 == l % 5) << i;
      }
      int w[20] = {t ^ 5,
                   l < 3 ? t : t - 3,
                   l + 7 > 31 ? t : t + 7,
                   b + 9,
                   t ^ 3,
                   l % 16 + 2 > 15 ? t : t + 2,
                   l % 4 ? t - 1 : t,
                   (t & ~3) + 1,
                   (int)tri,
                   1,
                   0,
                   (int)five,
                   1,
                   496,
                   31,
                   l < 12 ? (t ^ 1) + 12 : 12,
                   (l / 8) * 64 + 28,
                   l % 8 == 7 ? l : l + 1,
                   32,
                   t ^ 1};
      for (int j = 0; j < 20; j++) {
        if (r[t * 20 + j] != w[j]) std::printf("warps: thread %d value %d: %d want %d\n", t, j, r[t * 20 + j], w[j]);
        CHECK(r[t * 20 + j] == w[j]);
      }
    }
  }
  {
    Dev<int> i(std::vector<int>{0, -5, 5, 7, 0, 0});
    Dev<unsigned> u(std::vector<unsigned>{~0u, 0, 0, 0, 1000});
    Dev<unsigned long long> l(std::vector<unsigned long long>{0, 0});
    Dev<float> f(std::vector<float>{0});
    Dev<double> d(std::vector<double>{0});
    Dev<__half2> h(1);
    Dev<__nv_bfloat162> b(1);
    cudaMemset(h, 0, 4);
    cudaMemset(b, 0, 4);
    atomics<<<4, 64>>>(i, u, l, f, d, h, b);
    auto I = i.host();
    auto U = u.host();
    auto L = l.host();
    CHECK(I[0] == 255 * 128 && I[1] == 255 && I[2] == -255 && I[3] >= 8 && I[3] <= 256 && I[4] == 99 && I[5] == 256);
    CHECK(U[0] == 0 && U[1] == ~0u && U[2] == 0 && U[3] == 256 % 10 && U[4] == 744);
    CHECK(L[0] == (255ull * 128 << 20) && L[1] == 255ull << 33);
    CHECK(f.host()[0] == 128 && d.host()[0] == 64);
    CHECK(__low2float(h.host()[0]) == 256 && __high2float(h.host()[0]) == 512);
    CHECK(__bfloat162float(b.host()[0].x) == 256 && __bfloat162float(b.host()[0].y) == 128);
  }
  {
    Dev<int> l(std::vector<int>{0, 0});
    spin_lock<<<3, 96>>>(l, l.p + 1);
    CHECK(l.host()[1] == 288);
  }
  {
    std::vector<__half> A(256), B(256);
    std::vector<__nv_bfloat16> Ab(256), Bb(256);
    std::vector<float> a(256), b(256);
    for (int i = 0; i < 256; i++) {
      a[i] = (i * 37 % 19) - 9;
      b[i] = (i * 53 % 17) - 8;
      A[i] = __float2half(a[i]);
      B[i] = __float2half(b[i]);
      Ab[i] = __float2bfloat16(a[i]);
      Bb[i] = __float2bfloat16(b[i]);
    }
    Dev<__half> dA(A), dB(B);
    Dev<__nv_bfloat16> dAb(Ab), dBb(Bb);
    Dev<float> C(256), D(256), T(128), U(128), fa(a), fb(b);
    wmma_tile<<<1, 32>>>(dA, dAb, dB, dBb, C, D);
    auto c = C.host(), d = D.host();
    for (int i = 0; i < 16; i++)
      for (int j = 0; j < 16; j++) {
        double s = 1, s2 = 0;
        for (int k = 0; k < 16; k++) {
          s += a[i * 16 + k] * b[k + j * 16];
          s2 += a[i * 16 + k] * b[k * 16 + j];
        }
        CHECK(c[i * 16 + j] == 2 * s);
        CHECK(d[i + j * 16] == s2);
      }
    mma_tiles<<<1, 32>>>(fa, fb, T, dAb, dBb, U);
    auto t = T.host(), u = U.host();
    for (int i = 0; i < 16; i++)
      for (int j = 0; j < 8; j++) {
        double s = 0, s2 = 0;
        for (int k = 0; k < 8; k++) s += a[i * 8 + k] * b[k * 8 + j];
        for (int k = 0; k < 16; k++) s2 += a[i * 16 + k] * b[k * 8 + j];
        CHECK(t[i * 8 + j] == s);
        CHECK(u[i * 8 + j] == s2);
      }
  }
  {
    std::vector<int> o0(100, 0);
    o0[0] = 5;
    Dev<int> o(o0);
    Dev<float> f(1);
    std::vector<float4> v(32);
    for (int i = 0; i < 32; i++) v[i] = make_float4(i, i + .1f, i + .2f, i + .3f);
    Dev<float4> V(v), W(32);
    language<<<1, 32>>>(o, f, V, W);
    auto r = o.host();
    for (int t = 0; t < 32; t++) {
      CHECK(r[1 + t] == ((5 + t) & 15) * t);
      CHECK(W.host()[t].x == v[t].w);
      static const int sw[8] = {10, 21, 32, 5, 8, 13, -1, -1};
      CHECK(r[50 + t] == sw[t & 7]);
    }
    CHECK(r[40] == 4 + 1 && r[41] == 55 && r[42] == 77);
    CHECK(f.host()[0] == 10);
  }
  {
    std::vector<float> x(32);
    for (int i = 0; i < 32; i++) x[i] = (i - 16) * 0.37f;
    Dev<float> X(x), Y(64);
    fp8<<<1, 32>>>(X, Y);
    auto y = Y.host();
    for (int i = 0; i < 32; i++) {
      CHECK(y[2 * i] == float(__nv_fp8_e4m3(x[i])));
      CHECK(y[2 * i + 1] == float(__nv_fp8_e5m2(x[i])));
    }
  }
  {
    Dev<int> x(16);
    int* p = x;
    void* args[] = {&p};
    OK(cudaLaunchCooperativeKernel((const void*)coop, dim3(4), dim3(64), args, 0, nullptr));
    auto r = x.host();
    for (int b = 0; b < 4; b++) CHECK(r[8 + b] == (b + 1) % 4 + 1);
  }
  OK(cudaGetLastError());
  return finish();
}
