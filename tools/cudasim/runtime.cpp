// Execution of translated kernels: device memory, threads as fibers, barriers, warp operations,
// checks, counters.
#include "runtime.hpp"

#include <algorithm>
#include <atomic>
#include <cfenv>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cxxabi.h>
#include <deque>
#include <map>
#include <mutex>
#include <random>
#include <sys/mman.h>
#include <thread>
#include <time.h>
#include <unistd.h>
#include <unordered_map>
#include <vector>

namespace cudasim {

// ---- configuration and reports --------------------------------------------------------------
static std::atomic<int> faults{0}, sticky{0};
struct Alloc {
  uint64_t size;
  const char* what;
  bool live;
};
struct Tables {  // never destroyed: used before main begins and after it ends
  std::recursive_mutex lock;
  std::map<uint64_t, Alloc> allocs;  // live and quarantined
  std::deque<uint64_t> quarantine;
  uint64_t quarantined = 0;
  std::multimap<uint64_t, uint64_t> free_blocks;  // span -> address
  std::map<uint64_t, uint64_t> pins;
};
static Tables& tables() {
  static Tables* t = new Tables;
  return *t;
}
static void at_end(int status, void*);
static void on_segv(int, siginfo_t*, void*);

Config& config() {
  static Config c;
  return c;
}

static bool flag(const char* n, bool d = false) {
  const char* s = getenv(n);
  return s && *s ? *s != '0' : d;
}

void init() {
  static bool done = false;
  if (done) return;
  done = true;
  Config& c = config();
  if (const char* s = getenv("CUDASIM_ORDER")) {
    if (!strncmp(s, "reverse", 7))
      c.order = 1;
    else if (!strncmp(s, "random", 6)) {
      c.order = 2;
      if (s[6] == ':') c.seed = strtoull(s + 7, nullptr, 0);
    } else if (*s && strcmp(s, "forward")) {
      fprintf(stderr, "cudasim: CUDASIM_ORDER=%s: expected forward, reverse or random:SEED\n", s);
      _exit(2);
    }
  }
  if (const char* s = getenv("CUDASIM_THREADS")) c.threads = std::max(1, atoi(s));
  if (const char* s = getenv("CUDASIM_ARCH")) c.arch = atoi(s);
  if (const char* s = getenv("CUDASIM_TIMEOUT")) c.timeout = atoi(s);
  if (const char* s = getenv("CUDASIM_MEMORY_MB")) c.memory = strtoull(s, nullptr, 0) << 20;
  if (const char* s = getenv("CUDASIM_STATS")) c.stats = s;
  c.race = flag("CUDASIM_RACECHECK");
  c.leaks = flag("CUDASIM_LEAKS");
  c.lax_exit = flag("CUDASIM_LAX_EXIT");
  c.lax_barrier = flag("CUDASIM_LAX_BARRIER");
  c.fill = flag("CUDASIM_FILL", true);
  c.keep_exit = flag("CUDASIM_KEEP_EXIT");
  c.quiet = flag("CUDASIM_QUIET");
  if (mmap((void*)kDevBase, kDevSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
           0) != (void*)kDevBase ||
      mmap((void*)(kDevBase + kDelta), kDevSize, PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) != (void*)(kDevBase + kDelta) ||
      mmap((void*)kShadow, kDevSize / 16 + 4096, PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) != (void*)kShadow) {
    perror("cudasim: cannot reserve address space for device memory");
    _exit(2);
  }
  struct sigaction sa {};
  sa.sa_sigaction = on_segv;
  sa.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &sa, nullptr);
  stack_t ss{};
  ss.ss_size = 64 * 1024;
  ss.ss_sp = malloc(ss.ss_size);
  sigaltstack(&ss, nullptr);
  on_exit(at_end, nullptr);
}

void warn(const char* fmt, ...) {
  faults++;
  if (config().quiet) return;
  va_list ap;
  va_start(ap, fmt);
  fprintf(stderr, "cudasim: ");
  vfprintf(stderr, fmt, ap);
  fputc('\n', stderr);
  va_end(ap);
}
int take_fault() { return sticky; }

std::string demangle(const char* n) {
  int st;
  char* d = abi::__cxa_demangle(n, nullptr, nullptr, &st);
  std::string r = d ? d : n;
  free(d);
  return r;
}

// ---- device memory -----------------------------------------------------------------------------
static uint64_t bump = kDevBase + 4096, used = 0;
static uint64_t span_of(uint64_t n) { return (n + 255) / 256 * 256 + 256; }  // 256-byte gap behind each allocation

uint64_t dev_alloc(uint64_t n, const char* what) {
  init();
  std::lock_guard g(tables().lock);
  if (n > config().memory || used + n > config().memory) return 0;
  uint64_t span = span_of(n), a = 0;
  auto it = tables().free_blocks.lower_bound(span);
  if (it != tables().free_blocks.end() && it->first <= span + span / 4) {
    a = it->second;
    uint64_t rest = it->first - span;
    tables().free_blocks.erase(it);
    if (rest >= 512) tables().free_blocks.emplace(rest, a + span);
  } else {
    if (bump + span > kDevBase + kDevSize) return 0;
    a = bump;
    bump += span;
  }
  char* sh = (char*)(kShadow + ((a - kDevBase) >> 4));
  memset(sh, 16, n / 16);
  if (n % 16) sh[n / 16] = n % 16;
  if (config().fill) memset((char*)a + kDelta, 0xFF, n);
  tables().allocs[a] = {n, what, true};
  used += n;
  return a;
}
bool dev_free(uint64_t a) {
  std::lock_guard g(tables().lock);
  auto it = tables().allocs.find(a);
  if (it == tables().allocs.end() || !it->second.live) return false;
  uint64_t n = it->second.size, span = span_of(n);
  it->second.live = false;
  used -= n;
  memset((char*)(kShadow + ((a - kDevBase) >> 4)), 0, n / 16 + 1);
  if (n >= 1 << 17)
    madvise((void*)((a + kDelta + 4095) & ~4095ull), n & ~4095ull ? (n - 4096) & ~4095ull : 0, MADV_DONTNEED);
  tables().quarantine.push_back(a);
  tables().quarantined += span;
  while (tables().quarantined > 1ull << 32 ||
         tables().quarantine.size() > 20000) {  // freed addresses are not reused for a long time
    uint64_t q = tables().quarantine.front();
    tables().quarantine.pop_front();
    auto qt = tables().allocs.find(q);
    uint64_t s = span_of(qt->second.size);
    tables().quarantined -= s;
    tables().allocs.erase(qt);
    tables().free_blocks.emplace(s, q);
  }
  return true;
}
static std::map<uint64_t, Alloc>::iterator near(uint64_t a) {
  auto it = tables().allocs.upper_bound(a);
  return it == tables().allocs.begin() ? tables().allocs.end() : std::prev(it);
}
bool is_device(const void* p) { return (uint64_t)p - kDevBase < kDevSize; }
uint64_t dev_size(const void* p, uint64_t* base) {
  std::lock_guard g(tables().lock);
  auto it = near((uint64_t)p);
  if (it == tables().allocs.end() || !it->second.live || (uint64_t)p > it->first + it->second.size) return 0;
  if (base) *base = it->first;
  return it->second.size;
}
bool dev_range(const void* p, uint64_t n) {
  uint64_t b, s = dev_size(p, &b);
  return s && (uint64_t)p + n <= b + s;
}
uint64_t dev_used() { return used; }
std::string dev_describe(uint64_t a) {
  std::lock_guard g(tables().lock);
  char s[256];
  if (a < 65536) {
    snprintf(s, sizeof s, "null pointer (0x%lx)", a);
    return s;
  }
  if (a - kDevBase >= kDevSize) {
    snprintf(s, sizeof s, "0x%lx is not device memory (a host pointer?)", a);
    return s;
  }
  auto it = near(a);
  if (it == tables().allocs.end()) return "not an allocation";
  uint64_t off = a - it->first, n = it->second.size;
  if (off < n)
    snprintf(s, sizeof s, "offset %lu of %s %lu bytes%s", off, it->second.what, n,
             it->second.live ? "" : ", already freed (use after free)");
  else {
    auto nx = std::next(it);
    if (nx != tables().allocs.end() && nx->first - a < off - n)
      snprintf(s, sizeof s, "%lu bytes before %s %lu bytes", nx->first - a, nx->second.what, nx->second.size);
    else
      snprintf(s, sizeof s, "%lu bytes past the end of %s %lu bytes%s", off - n, it->second.what, n,
               it->second.live ? "" : " (freed)");
  }
  return s;
}
void pin(void* p, uint64_t n) {
  std::lock_guard g(tables().lock);
  tables().pins[(uint64_t)p] = n;
}
bool unpin(void* p) {
  std::lock_guard g(tables().lock);
  return tables().pins.erase((uint64_t)p);
}
bool pinned(const void* p, uint64_t n) {
  std::lock_guard g(tables().lock);
  auto it = tables().pins.upper_bound((uint64_t)p);
  if (it == tables().pins.begin()) return false;
  --it;
  return (uint64_t)p + n <= it->first + it->second;
}
char* device_memory(uint64_t a) { return (char*)a + kDelta; }

// ---- threads, warps, blocks --------------------------------------------------------------------
extern "C" void cudasim_switch(void** save, void* to);
asm(R"(
.text
.globl cudasim_switch
.type cudasim_switch,@function
cudasim_switch:
  pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
  movq %rsp,(%rdi)
  movq %rsi,%rsp
  popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
  popq %rcx
  jmp *%rcx
.size cudasim_switch,.-cudasim_switch
)");

struct Fiber {
  char* stack;
  uint64_t size;
  int color;
};
enum State : uint8_t { kReady, kBarrier, kWarp, kActive, kDone };
struct Pending {
  uint64_t a = 0;
  uint32_t size = 0;
  char old[32];
  std::string msg;
};
struct Thread {
  Ctx c;
  Fiber* f = nullptr;
  uint32_t site = 0;
  int bar = 0;
};
struct Coll {
  uint32_t mask = 0, arrived = 0, site = 0;
  int kind = 0;
  bool open = false;
  void (*finish)(Block&, uint32_t warp, Coll&) = nullptr;
  uint64_t val[32];
  uint32_t aux[32];
};
struct Warp {
  uint32_t gone = 0;
  uint64_t res[32];
  std::vector<Coll*> colls;
};
struct Barrier {
  uint32_t arrived = 0, expected = 0, site = 0;
  int any = 0, all = 1, cnt = 0;
};

// shared-memory race detection: one cell per byte
struct Touch {
  uint32_t serial = 0, epoch = 0, clock = 0, site = 0;
  uint16_t thread = 0;
  uint8_t atomic = 0;
};
struct Cell {
  Touch w, r[2];
};

struct Totals {
  uint64_t launches = 0, blocks = 0, threads = 0, ld_bytes = 0, st_bytes = 0, atomic_bytes = 0, sh_loads = 0,
           sh_stores = 0, sh_ld_bytes = 0, sh_st_bytes = 0, barriers = 0, warp_ops = 0, mma = 0, mma_flops = 0;
  uint64_t ld_req = 0, ld_sectors = 0, ld_min = 0, st_req = 0, st_sectors = 0, st_min = 0, sh_req = 0, sh_waves = 0,
           lost = 0;
  Counts n;
  double seconds = 0;
  void add(const Totals& o) {
    const uint64_t* s = (const uint64_t*)&o;
    uint64_t* d = (uint64_t*)this;
    constexpr size_t k = offsetof(Totals, seconds) / 8;
    for (size_t i = 0; i < k; i++) d[i] += s[i];
    seconds += o.seconds;
  }
};
struct Occur {
  uint64_t addr[32];
  uint32_t mask = 0, size = 0;
};
struct SiteWarp {
  std::vector<uint32_t> next = std::vector<uint32_t>(32);
  std::deque<Occur> occ;
  uint32_t base = 0;
  int access = 0;
  bool shared = false;
};

struct Launch {
  KernelInfo* info;
  const Kernel* k;
  Dim grid, dim;
  uint32_t n;
  uint64_t dyn, dynoff, total;
  const char* params;
  uint64_t nparams, gridws = 0;
  bool coop = false, mt = false, instr = false;
  std::atomic<uint64_t> next{0};
  uint64_t blocks;
  std::atomic<bool> stop{false};
  Totals totals;
  std::mutex m;
  std::vector<uint64_t> perm;
};

struct Worker;
struct Block {
  Worker* w;
  Launch* l;
  std::vector<Thread> th;
  std::vector<Warp> warps;
  Barrier bars[16];
  uint32_t n = 0, done = 0;
  bool fatal = false, plain = false;
  int order = 0;
  void* sp[1024];
  uint8_t st[1024], wait[1024];  // per thread: saved stack pointer, state, barrier + 16 * mode
  uint16_t ring[4096];
  uint32_t head = 0, count = 0;
  uint32_t cur = 0;
  Dim id;
  Totals t;
  uint32_t epoch = 0, serial = 0;
  std::vector<Cell> cells;
  std::vector<uint32_t> vc;  // vc: per warp 32x32 clocks
  Pending pend;
  std::unordered_map<uint64_t, SiteWarp> sites;
  uint64_t occs = 0;
  uint32_t nactive = 0;
  void push_back(uint32_t i) { ring[(head + count++) & 4095] = i; }
  void push_front(uint32_t i) {
    head = (head - 1) & 4095;
    ring[head] = i;
    count++;
  }
  int pop();
};
struct Worker {
  Block b;
  void* sched = nullptr;
  std::vector<Fiber*> pool;
  std::vector<char> smem;
  char* sm = nullptr;
  std::mt19937_64 rng;
  int color = 0;
  bool busy = false;
};
static thread_local Worker* W = nullptr;

inline int Block::pop() {
  if (!count) return -1;
  if (order == 2) {
    uint32_t k = w->rng() % count;
    std::swap(ring[head], ring[(head + k) & 4095]);
  }
  int i = ring[head];
  head = (head + 1) & 4095;
  count--;
  return i;
}
static std::string where(Ctx& c) {
  char s[200];
  snprintf(s, sizeof s, "block (%u,%u,%u), thread (%u,%u,%u)", c.ctaid[0], c.ctaid[1], c.ctaid[2], c.tid[0], c.tid[1],
           c.tid[2]);
  return s;
}
static std::string place(const Launch* l, uint32_t site) {
  if (site >= l->info->nsites) return "";
  const Site& s = l->k->sites[site];
  std::string r;
  if (s.file >= 0) {
    std::string f = l->k->files[s.file];
    auto p = f.rfind('/');
    r = " at " + (p == std::string::npos ? f : f.substr(p + 1)) + ":" + std::to_string(s.line);
  }
  return r + " [" + s.text + "]";
}
static void report(Launch* l, int error, const std::string& msg) {
  std::lock_guard g(tables().lock);
  int z = 0;
  sticky.compare_exchange_strong(z, error);
  l->stop = true;
  warn("kernel %s: %s", demangle(l->k->name).c_str(), msg.c_str());
}
void fail(Ctx& c, int error, uint32_t site, const char* fmt, ...) {
  char s[600];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(s, sizeof s, fmt, ap);
  va_end(ap);
  Block& b = *c.block;
  report(b.l, error, std::string(s) + ", " + where(c) + place(b.l, site));
  b.fatal = true;
  void* dummy;
  cudasim_switch(&dummy, b.w->sched);
  __builtin_unreachable();
}

static void fiber_main();
static Fiber* get_fiber(Worker& w) {
  if (!w.pool.empty()) {
    Fiber* f = w.pool.back();
    w.pool.pop_back();
    return f;
  }
  uint64_t size = 256 * 1024;
  char* p =
      (char*)mmap(nullptr, size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) {
    perror("cudasim: thread stack");
    _exit(2);
  }
  mprotect(p, 4096, PROT_NONE);
  return new Fiber{p + 4096, size, w.color++ % 61};
}
static void* start(Fiber* f) {  // stacks start at different offsets: avoids cache-set conflicts
  void** top = (void**)(f->stack + f->size - 64 - f->color * 192);
  top = (void**)((uint64_t)top & ~15ull);
  *--top = nullptr;
  *--top = (void*)fiber_main;
  for (int i = 0; i < 6; i++) *--top = nullptr;
  return top;
}
static inline void resume(Block& b, uint32_t i, void** save) {
  if (__builtin_expect(!b.sp[i], 0)) {
    Thread& n = b.th[i];
    n.f = get_fiber(*b.w);
    b.sp[i] = start(n.f);
  }
  b.cur = i;
  cudasim_switch(save, b.sp[i]);
}
static inline void block_here(Block& b, uint32_t t) {  // t cannot go on: run another thread
  int i = b.pop();
  if ((uint32_t)i == t) return;
  if (i >= 0)
    resume(b, i, &b.sp[t]);
  else
    cudasim_switch(&b.sp[t], b.w->sched);
}

static void flush_pending(Block& b);
static void race_check(Block& b, Ctx& c, uint32_t a, uint32_t size, uint32_t site, int access);
static void finish_thread(Block& b, Thread& t) {
  b.st[t.c.lin] = kDone;
  b.done++;
  b.t.n.f32 += t.c.n.f32;
  b.t.n.f64 += t.c.n.f64;
  b.t.n.f16 += t.c.n.f16;
  b.t.n.special += t.c.n.special;
  if (b.pend.size) flush_pending(b);
  Warp& w = b.warps[t.c.lin / 32];
  w.gone |= 1u << (t.c.lin % 32);
  for (Coll* k : w.colls)
    if (k->open && (k->mask & ~w.gone) == k->arrived) {
      k->open = false;
      k->finish(b, t.c.lin / 32, *k);
      for (uint32_t l = 0; l < 32; l++)
        if (k->arrived >> l & 1) {
          b.st[t.c.lin / 32 * 32 + l] = kReady;
          b.push_front(t.c.lin / 32 * 32 + l);
        }
    }
}
static void leave(Block& b, Thread& t) {  // t is done; its fiber may be reused
  Fiber* f = t.f;
  t.f = nullptr;
  int i = b.pop();
  Worker& w = *b.w;
  void* dummy;
  if (i < 0) {
    w.pool.push_back(f);
    cudasim_switch(&dummy, w.sched);
    __builtin_unreachable();
  }
  Thread& n = b.th[i];
  if (b.sp[i]) {
    w.pool.push_back(f);
    resume(b, i, &dummy);
    __builtin_unreachable();
  }
  n.f = f;
  b.sp[i] = f->stack;
  b.cur = i;
}
static void fiber_main() {
  Block& b = W->b;
  if (b.plain) {  // no thread of this kernel ever waits: run them in a loop
    Ctx& c = b.th[0].c;
    const Dim& d = b.l->dim;
    KernelFn fn = b.l->k->fn;
    const char* p = b.l->params;
    int order = config().order;
    std::vector<uint32_t> perm;
    if (order == 2) {
      perm.resize(b.n);
      for (uint32_t i = 0; i < b.n; i++) perm[i] = i;
      std::shuffle(perm.begin(), perm.end(), b.w->rng);
    }
    if (order == 0 && d.y == 1 && d.z == 1) {
      c.tid[1] = c.tid[2] = 0;
      for (uint32_t i = 0; i < b.n; i++) {
        c.lin = c.tid[0] = i;
        fn(c, p);
        if (b.pend.size) flush_pending(b);
      }
    } else
      for (uint32_t q = 0; q < b.n; q++) {
        uint32_t i = order == 0 ? q : order == 1 ? b.n - 1 - q : perm[q];
        c.lin = i;
        c.tid[0] = i % d.x;
        c.tid[1] = i / d.x % d.y;
        c.tid[2] = i / (d.x * d.y);
        fn(c, p);
      }
    b.t.n.f32 += c.n.f32;
    b.t.n.f64 += c.n.f64;
    b.t.n.f16 += c.n.f16;
    b.t.n.special += c.n.special;
    b.done = b.n;
    void* dummy;
    cudasim_switch(&dummy, b.w->sched);
  }
  for (;;) {
    Thread& t = b.th[b.cur];
    b.l->k->fn(t.c, b.l->params);
    finish_thread(b, t);
    leave(b, t);
  }
}
void exit_thread(Ctx& c) {  // exit inside a device function: abandon this stack, go on with another thread
  Block& b = *c.block;
  void* dummy;
  if (b.plain) fail(c, 719, ~0u, "exit inside a device function of a kernel without barriers is not covered");
  Thread& t = b.th[c.lin];
  finish_thread(b, t);
  Fiber* f = t.f;
  t.f = nullptr;
  b.w->pool.push_back(f);
  int i = b.pop();
  if (i < 0)
    cudasim_switch(&dummy, b.w->sched);
  else
    resume(b, i, &dummy);
  __builtin_unreachable();
}
void yield_thread(Ctx& c) {
  c.spin = 2000;
  Block& b = *c.block;
  if (b.l->stop && b.l->mt) {
    b.fatal = true;
    void* d;
    cudasim_switch(&d, b.w->sched);
  }
  if (b.plain || !b.count) {
    if (b.l->mt) std::this_thread::yield();
    return;
  }
  b.push_back(c.lin);
  block_here(b, c.lin);
}

// ---- barriers -------------------------------------------------------------------------------------
static void release_barrier(Block& b, Barrier& k) {
  b.epoch++;
  b.t.barriers++;
  uint32_t id = &k - b.bars;
  const int value[4] = {0, k.any, k.all, k.cnt};
  auto one = [&](uint32_t i) {
    if (b.st[i] == kBarrier && (b.wait[i] & 15) == id) {
      b.st[i] = kReady;
      if (b.wait[i] >> 4) b.th[i].bar = value[b.wait[i] >> 4];
      b.push_back(i);
    }
  };
  if (b.order == 1)
    for (uint32_t i = b.n; i-- > 0;) one(i);
  else
    for (uint32_t i = 0; i < b.n; i++) one(i);
  k.arrived = 0;
  k.any = 0;
  k.all = 1;
  k.cnt = 0;
  k.expected = 0;
}
int barrier(Ctx& c, uint32_t id, uint32_t count, int pred, int mode, bool wait, uint32_t site) {
  Block& b = *c.block;
  if (b.pend.size) flush_pending(b);
  if (id > 15) fail(c, 719, site, "barrier number %u is over 15", id);
  if (count % 32) fail(c, 719, site, "barrier thread count %u is not a multiple of 32", count);
  Barrier& k = b.bars[id];
  uint32_t want = count ? std::min(count, (b.n + 31) / 32 * 32) : b.n;
  if (count && count >= b.n) want = b.n;
  if (k.arrived && k.expected != want) fail(c, 719, site, "barrier %u: threads wait with different thread counts", id);
  if (!count && k.arrived && k.site != site && !config().lax_barrier && mode == 0)
    fail(c, 719, site, "divergent barrier: threads of one block wait at different barriers, the other%s",
         place(b.l, k.site).c_str());
  k.site = site;
  k.expected = want;
  k.arrived++;
  k.any |= !!pred;
  k.all &= !!pred;
  k.cnt += !!pred;
  Thread& t = b.th[c.lin];
  if (!wait) {
    if (k.arrived == want) release_barrier(b, k);
    return 0;
  }
  b.wait[c.lin] = id | mode << 4;
  b.st[c.lin] = kBarrier;
  t.site = site;
  if (k.arrived == want) release_barrier(b, k);
  block_here(b, c.lin);
  return mode ? t.bar : 0;
}

// ---- warp operations -----------------------------------------------------------------------------
static void race_sync(Block& b, uint32_t w, uint32_t mask) {  // join the clocks of the lanes in mask
  uint32_t* v = &b.vc[w * 1024];
  uint32_t top[32] = {};
  for (uint32_t i = 0; i < 32; i++)
    if (mask >> i & 1)
      for (uint32_t j = 0; j < 32; j++) top[j] = std::max(top[j], v[i * 32 + j]);
  for (uint32_t i = 0; i < 32; i++)
    if (mask >> i & 1) {
      memcpy(v + i * 32, top, sizeof top);
      v[i * 32 + i]++;
    }
}
static uint64_t collect(Ctx& c, int kind, uint32_t mask, uint64_t v, uint32_t aux, uint32_t site,
                        void (*finish)(Block&, uint32_t, Coll&)) {
  Block& b = *c.block;
  uint32_t wi = c.lin / 32, lane = c.lin % 32;
  Warp& w = b.warps[wi];
  if (b.pend.size) flush_pending(b);
  if (__builtin_expect(!(mask >> lane & 1), 0))
    fail(c, 719, site, "warp operation: lane %u is not in its own mask 0x%08x", lane, mask);
  Coll* k = nullptr;
  Coll* idle = nullptr;
  for (Coll* x : w.colls) {
    if (!x->open)
      idle = x;
    else if (x->mask == mask && x->kind == kind && !(x->arrived >> lane & 1)) {
      k = x;
      break;
    }
  }
  if (!k) {
    if (!idle) w.colls.push_back(idle = new Coll);
    k = idle;
    k->open = true;
    k->mask = mask;
    k->kind = kind;
    k->arrived = 0;
    k->site = site;
    k->finish = finish;
  }
  k->arrived |= 1u << lane;
  k->val[lane] = v;
  k->aux[lane] = aux;
  if (k->arrived == (mask & ~w.gone)) {
    k->open = false;
    b.t.warp_ops++;
    finish(b, wi, *k);
    if (config().race) race_sync(b, wi, k->arrived);
    uint32_t rest = k->arrived & ~(1u << lane);
    if (b.order == 1)
      for (uint32_t r = rest; r;) {
        uint32_t l = __builtin_ctz(r);
        r &= r - 1;
        b.st[wi * 32 + l] = kReady;
        b.push_front(wi * 32 + l);
      }
    else
      for (uint32_t r = rest; r;) {
        uint32_t l = 31 - __builtin_clz(r);
        r &= ~(1u << l);
        b.st[wi * 32 + l] = kReady;
        b.push_front(wi * 32 + l);
      }
  } else {
    b.st[c.lin] = kWarp;
    b.th[c.lin].site = site;
    block_here(b, c.lin);
  }
  return w.res[lane];
}
template <int Mode>
static void fin_shfl(Block& b, uint32_t w, Coll& k) {
  for (uint32_t L = 0; L < 32; L++)
    if (k.arrived >> L & 1) {
      int bv = k.aux[L] & 31, cl = k.aux[L] >> 8 & 31, sg = k.aux[L] >> 16 & 31, mx = (L & sg) | (cl & ~sg), j;
      bool p;
      if (Mode == 0) {
        j = (int)L - bv;
        p = j >= mx;
      } else if (Mode == 1) {
        j = L + bv;
        p = j <= mx;
      } else if (Mode == 2) {
        j = L ^ bv;
        p = j <= mx;
      } else {
        j = (L & sg) | (bv & ~sg);
        p = j <= mx;
      }
      if (!p) j = L;
      uint64_t r = (uint32_t)k.val[j & 31] | (uint64_t)p << 32;
      if (!(k.arrived >> (j & 31) & 1)) r |= 1ull << 33 | (uint64_t)j << 40;
      b.warps[w].res[L] = r;
    }
}
uint32_t shfl(Ctx& c, int mode, uint32_t v, uint32_t bb, uint32_t cc, uint32_t mask, bool& ok, uint32_t site) {
  static void (*const f[])(Block&, uint32_t, Coll&) = {fin_shfl<0>, fin_shfl<1>, fin_shfl<2>, fin_shfl<3>};
  uint64_t r = collect(c, mode, mask, v, (bb & 31) | (cc & 31) << 8 | (cc >> 8 & 31) << 16, site, f[mode]);
  if (__builtin_expect(r >> 33 & 1, 0))
    fail(c, 719, site, "shuffle reads lane %u, which is outside the mask 0x%08x or has exited",
         (unsigned)(r >> 40 & 31), mask);
  ok = r >> 32 & 1;
  return (uint32_t)r;
}
template <int Mode>
static void fin_vote(Block& b, uint32_t w, Coll& k) {
  uint32_t bal = 0;
  for (uint32_t L = 0; L < 32; L++)
    if ((k.arrived >> L & 1) && k.val[L]) bal |= 1u << L;
  for (uint32_t L = 0; L < 32; L++)
    if (k.arrived >> L & 1) {
      uint64_t r = bal;
      if (Mode == 1 || Mode == 2) {
        uint32_t m = 0;
        for (uint32_t j = 0; j < 32; j++)
          if ((k.arrived >> j & 1) && k.val[j] == k.val[L]) m |= 1u << j;
        r = Mode == 1 ? m : m == k.arrived ? m : 0;
      }
      if (Mode == 4) r = bal == k.arrived;
      if (Mode == 5) r = bal == 0 || bal == k.arrived;
      if (Mode == 6) r = bal != 0;
      b.warps[w].res[L] = r;
    }
}
uint64_t vote(Ctx& c, int mode, uint32_t mask, uint64_t v, uint32_t site) {
  static void (*const f[])(Block&, uint32_t, Coll&) = {fin_vote<0>, fin_vote<1>, fin_vote<2>, fin_vote<3>,
                                                       fin_vote<4>, fin_vote<5>, fin_vote<6>};
  return collect(c, 4 + mode, mask, v, 0, site, f[mode]);
}
static void fin_redux(Block& b, uint32_t w, Coll& k) {
  int mode = k.kind - 16;
  bool first = true;
  uint32_t r = 0;
  for (uint32_t L = 0; L < 32; L++)
    if (k.arrived >> L & 1) {
      uint32_t x = (uint32_t)k.val[L];
      if (first) {
        r = x;
        first = false;
        continue;
      }
      switch (mode) {
        case 0:
        case 1: r += x; break;
        case 2: r = std::min(r, x); break;
        case 3: r = (uint32_t)std::min((int)r, (int)x); break;
        case 4: r = std::max(r, x); break;
        case 5: r = (uint32_t)std::max((int)r, (int)x); break;
        case 6:
        case 7: r &= x; break;
        case 8:
        case 9: r |= x; break;
        default: r ^= x;
      }
    }
  for (uint32_t L = 0; L < 32; L++)
    if (k.arrived >> L & 1) b.warps[w].res[L] = r;
}
uint32_t redux(Ctx& c, int mode, uint32_t mask, uint32_t v, uint32_t site) {
  return (uint32_t)collect(c, 16 + mode, mask, v, 0, site, fin_redux);
}
// The lanes that reach the same activemask before anything else can run count as converged.
uint32_t activemask(Ctx& c, uint32_t site) {
  Block& b = *c.block;
  Thread& t = b.th[c.lin];
  b.st[c.lin] = kActive;
  t.site = site;
  b.nactive++;
  block_here(b, c.lin);
  return (uint32_t)b.warps[c.lin / 32].res[c.lin % 32];
}
static bool resolve_active(Block& b) {
  for (uint32_t w = 0; w * 32 < b.n; w++) {
    uint32_t m = 0, site = 0;
    for (uint32_t l = 0; l < 32 && w * 32 + l < b.n; l++) {
      Thread& t = b.th[w * 32 + l];
      if (b.st[w * 32 + l] == kActive && (!m || t.site == site)) {
        site = t.site;
        m |= 1u << l;
      }
    }
    if (!m) continue;
    for (uint32_t l = 0; l < 32; l++)
      if (m >> l & 1) {
        b.warps[w].res[l] = m;
        b.st[w * 32 + l] = kReady;
        b.nactive--;
        b.push_back(w * 32 + l);
      }
    return true;
  }
  return false;
}

// ---- matrix instructions --------------------------------------------------------------------------
static float half_f(uint32_t w, int h, int kind) {
  uint16_t u = w >> (16 * h);
  if (kind == 1) return bits<float>((uint32_t)u << 16);
  f16 x;
  x.u = u;
  return x;
}
struct MmaArgs {
  const uint32_t *a, *b, *c;
  uint32_t* d;
};
static void fin_mma(Block& bl, uint32_t w, Coll& k) {
  int kind = (k.kind - 64) / 64, K = k.aux[__builtin_ctz(k.arrived)];
  MmaArgs* g[32];
  for (int i = 0; i < 32; i++) g[i] = (MmaArgs*)k.val[i];
  bl.t.mma++;
  bl.t.mma_flops += 2ull * 16 * 8 * K;
  if (kind >= 4) {  // 8-bit integers
    for (int L = 0; L < 32; L++)
      for (int i = 0; i < 4; i++) {
        int r = L / 4 + 8 * (i >> 1), n = 2 * (L % 4) + (i & 1);
        int32_t s = (int32_t)g[L]->c[i];
        for (int x = 0; x < K; x++) {
          uint32_t av = g[(r & 7) * 4 + (x & 15) / 4]->a[(r >> 3) + 2 * (x >> 4)] >> (8 * (x & 3)),
                   bv = g[n * 4 + (x & 15) / 4]->b[x >> 4] >> (8 * (x & 3));
          s += kind == 4 ? (int)(int8_t)av * (int8_t)bv : (int)(uint8_t)av * (uint8_t)bv;
        }
        g[L]->d[i] = (uint32_t)s;
      }
    return;
  }
  alignas(64) float A[16][16], B[16][8], C[16][8];
  if (kind == 2)
    for (int L = 0; L < 32; L++) {
      int r = L / 4, q = L % 4;
      for (int h = 0; h < (K + 3) / 4; h++) {
        A[r][q + 4 * h] = to_tf32<R_rz>(bits<float>(g[L]->a[2 * h]));
        A[r + 8][q + 4 * h] = to_tf32<R_rz>(bits<float>(g[L]->a[2 * h + 1]));
        B[q + 4 * h][r] = to_tf32<R_rz>(bits<float>(g[L]->b[h]));
      }
    }
  else
    for (int L = 0; L < 32; L++) {
      int r = L / 4, q = L % 4;
      for (int h = 0; h < K / 8; h++)
        for (int e = 0; e < 2; e++) {
          A[r][2 * q + e + 8 * h] = half_f(g[L]->a[2 * h], e, kind);
          A[r + 8][2 * q + e + 8 * h] = half_f(g[L]->a[2 * h + 1], e, kind);
          B[2 * q + e + 8 * h][r] = half_f(g[L]->b[h], e, kind);
        }
    }
  for (int L = 0; L < 32; L++)
    for (int i = 0; i < 4; i++)
      C[L / 4 + 8 * (i >> 1)][2 * (L % 4) + (i & 1)] =
          kind == 3 ? half_f(g[L]->c[i >> 1], i & 1, 0) : bits<float>(g[L]->c[i]);
  for (int r = 0; r < 16; r++)
    for (int x = 0; x < K; x++) {
      float a = A[r][x];
      for (int n = 0; n < 8; n++) C[r][n] += a * B[x][n];
    }
  for (int L = 0; L < 32; L++)
    for (int i = 0; i < 4; i++) {
      float v = C[L / 4 + 8 * (i >> 1)][2 * (L % 4) + (i & 1)];
      if (kind == 3) {
        uint32_t h = f16(v).u;
        g[L]->d[i >> 1] = (i & 1) ? (g[L]->d[i >> 1] & 0xffff) | h << 16 : h;
      } else
        g[L]->d[i] = bits<uint32_t>(v);
    }
}
static void full_warp(Ctx& c, const char* what, uint32_t site) {
  Block& b = *c.block;
  if (b.warps[c.lin / 32].gone) fail(c, 719, site, "%s needs all 32 lanes of the warp", what);
}
void mma(Ctx& c, int kind, int k, const uint32_t* a, const uint32_t* b, const uint32_t* cc, uint32_t* d,
         uint32_t site) {
  full_warp(c, "mma", site);
  MmaArgs g{a, b, cc, d};
  collect(c, 64 + 64 * kind + k, ~0u, (uint64_t)&g, k, site, fin_mma);
}
static void fin_wmma(Block& bl, uint32_t w, Coll& k) {
  int kind = k.kind - 1024, shape = k.aux[0], M = shape / 10000, N = shape / 100 % 100, K = shape % 100;
  MmaArgs* g[32];
  for (int i = 0; i < 32; i++) g[i] = (MmaArgs*)k.val[i];
  bl.t.mma++;
  bl.t.mma_flops += 2ull * M * N * K;
  auto get = [&](const uint32_t* MmaArgs::*p, int e, int per, bool half) {
    const uint32_t* r = g[e / per]->*p;
    int i = e % per;
    return half ? half_f(r[i / 2], i & 1, kind == 1 ? 1 : 0) : bits<float>(r[i]);
  };
  bool hin = kind != 2, hacc = kind == 3;
  static thread_local float A[32 * 16], B[16 * 32], C[32 * 32];
  for (int e = 0; e < M * K; e++) {
    A[e] = get(&MmaArgs::a, e, M * K / 32, hin);
    if (kind == 2) A[e] = to_tf32<R_rz>(A[e]);
  }
  for (int e = 0; e < K * N; e++) {
    B[e] = get(&MmaArgs::b, e, K * N / 32, hin);
    if (kind == 2) B[e] = to_tf32<R_rz>(B[e]);
  }
  for (int e = 0; e < M * N; e++) C[e] = get(&MmaArgs::c, e, M * N / 32, hacc);
  for (int i = 0; i < M; i++)
    for (int x = 0; x < K; x++)
      for (int n = 0; n < N; n++) C[i * N + n] += A[i * K + x] * B[x * N + n];
  int per = M * N / 32;
  for (int e = 0; e < M * N; e++) {
    uint32_t* d = g[e / per]->d;
    int i = e % per;
    if (hacc) {
      uint32_t h = f16(C[e]).u;
      d[i / 2] = (i & 1) ? (d[i / 2] & 0xffff) | h << 16 : h;
    } else
      d[i] = bits<uint32_t>(C[e]);
  }
}
void wmma_mma(Ctx& c, int kind, int shape, int, int, const uint32_t* a, const uint32_t* b, const uint32_t* cc,
              uint32_t* d, uint32_t site) {
  full_warp(c, "wmma", site);
  MmaArgs g{a, b, cc, d};
  collect(c, 1024 + kind, ~0u, (uint64_t)&g, shape, site, fin_wmma);
}
struct Rows {
  uint32_t addr, all[32];
};
static void fin_addr(Block&, uint32_t, Coll& k) {
  uint32_t a[32];
  for (int i = 0; i < 32; i++) a[i] = ((Rows*)k.val[i])->addr;
  for (int i = 0; i < 32; i++) memcpy(((Rows*)k.val[i])->all, a, sizeof a);
}
void ldmatrix(Ctx& c, int n, bool trans, uint32_t addr, uint32_t* r, uint32_t site) {
  full_warp(c, "ldmatrix", site);
  Rows q;
  q.addr = addr;
  collect(c, 512 + n, ~0u, (uint64_t)&q, 0, site, fin_addr);
  uint32_t L = c.lin % 32;
  if (!config().stats.empty() && (int)L < 8 * n)
    sptr<16, 0>(c, c.sb, c.sn, q.all[L], site);  // counted as one 16-byte row per address lane
  for (int m = 0; m < n; m++) {
    auto row = [&](uint32_t i) {
      uint32_t a = q.all[m * 8 + i];
      if (a + 16 > c.block->l->total || a % 16) sptr<16, 0>(c, c.sb, 0, a, site);
      if (config().race) race_check(*c.block, c, a, 16, site, kLoad);
      return c.sb + a;
    };
    if (!trans)
      r[m] = LD<uint32_t>(row(L / 4) + (L % 4) * 4);
    else
      r[m] = LD<uint16_t>(row(L % 4 * 2) + L / 4 * 2) | (uint32_t)LD<uint16_t>(row(L % 4 * 2 + 1) + L / 4 * 2) << 16;
  }
}
void stmatrix(Ctx& c, int n, bool trans, uint32_t addr, const uint32_t* r, uint32_t site) {
  full_warp(c, "stmatrix", site);
  Rows q;
  q.addr = addr;
  collect(c, 528 + n, ~0u, (uint64_t)&q, 0, site, fin_addr);
  uint32_t L = c.lin % 32;
  for (int m = 0; m < n; m++) {
    auto at = [&](uint32_t i, uint32_t off, uint32_t size) {
      return slow_shared(c, q.all[m * 8 + i] + off, size, site, kStore);
    };
    if (!trans)
      ST<uint32_t>(at(L / 4, (L % 4) * 4, 4), r[m]);
    else {
      ST<uint16_t>(at(L % 4 * 2, L / 4 * 2, 2), (uint16_t)r[m]);
      ST<uint16_t>(at(L % 4 * 2 + 1, L / 4 * 2, 2), (uint16_t)(r[m] >> 16));
    }
  }
}

// ---- counters: lanes of one instruction are grouped per warp and occurrence ------------------------
static void count_group(Block& b, const Occur& o, int access, bool shared) {
  if (shared) {  // waves: the most distinct words that fall into one of 32 banks
    std::vector<uint64_t> words;
    for (int i = 0; i < 32; i++)
      if (o.mask >> i & 1)
        for (uint32_t j = 0; j < o.size || j < 1; j += 4) words.push_back((o.addr[i] + j) / 4);
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    uint32_t bank[32] = {}, mx = 0;
    for (uint64_t x : words) mx = std::max(mx, ++bank[x % 32]);
    b.t.sh_req++;
    b.t.sh_waves += mx;
    return;
  }
  uint64_t sec[64 * 2], n = 0, bytes = 0;
  std::vector<uint64_t> a;
  for (int i = 0; i < 32; i++)
    if (o.mask >> i & 1) {
      a.push_back(o.addr[i]);
      for (uint64_t s = o.addr[i] / 32; s <= (o.addr[i] + o.size - 1) / 32; s++)
        if (n < 128) sec[n++] = s;
    }
  std::sort(a.begin(), a.end());
  a.erase(std::unique(a.begin(), a.end()), a.end());
  bytes = a.size() * o.size;
  std::sort(sec, sec + n);
  n = std::unique(sec, sec + n) - sec;
  if (access == kLoad || access == kVolLoad) {
    b.t.ld_req++;
    b.t.ld_sectors += n;
    b.t.ld_min += (bytes + 31) / 32;
  } else {
    b.t.st_req++;
    b.t.st_sectors += n;
    b.t.st_min += (bytes + 31) / 32;
  }
}
static void group(Block& b, Ctx& c, uint64_t a, uint32_t size, uint32_t site, int access, bool shared) {
  uint32_t warp = c.lin / 32, lane = c.lin % 32, lanes = std::min(32u, b.n - warp * 32);
  SiteWarp& s = b.sites[(uint64_t)warp << 33 | (uint64_t)shared << 32 | site];
  s.access = access;
  s.shared = shared;
  uint32_t i = s.next[lane]++ - s.base;
  if (i >= s.occ.size()) {
    if (b.occs > 400000) {
      b.t.lost++;
      s.next[lane]--;
      return;
    }
    b.occs += i + 1 - s.occ.size();
    s.occ.resize(i + 1);
  }
  Occur& o = s.occ[i];
  o.addr[lane] = a;
  o.size = size;
  o.mask |= 1u << lane;
  while (!s.occ.empty() && (uint32_t)__builtin_popcount(s.occ.front().mask) == lanes) {
    count_group(b, s.occ.front(), access, shared);
    s.occ.pop_front();
    s.base++;
    b.occs--;
  }
}
static void drain(Block& b) {
  for (auto& [k, s] : b.sites)
    for (auto& o : s.occ) count_group(b, o, s.access, s.shared);
  b.sites.clear();
  b.occs = 0;
}

// ---- slow paths of memory access -----------------------------------------------------------------
static const char* verb(int a) { return a == kLoad || a == kVolLoad ? "load" : a == kAtomic ? "atomic" : "store"; }
char* slow_global(Ctx& c, uint64_t a, uint32_t size, uint32_t site, int access) {
  Block& b = *c.block;
  uint64_t o = a - kDevBase;
  if (o < kDevSize) {
    if (b.pend.size) flush_pending(b);
    uint32_t al = size & (size - 1) ? 1 : size;
    if (a & (al - 1))
      fail(c, 716, site, "misaligned global %s of %u bytes: %s", verb(access), size, dev_describe(a).c_str());
    for (uint64_t p = o; p < o + size;) {
      uint64_t e = std::min<uint64_t>(o + size, (p | 15) + 1);
      if (*(uint8_t*)(kShadow + (p >> 4)) < e - (p & ~15ull))
        fail(c, 700, site, "out-of-bounds global %s of %u bytes: %s", verb(access), size, dev_describe(a).c_str());
      p = e;
    }
    if (!config().stats.empty()) {
      if (access == kAtomic)
        b.t.atomic_bytes += size;
      else {
        (access == kLoad || access == kVolLoad ? b.t.ld_bytes : b.t.st_bytes) += size;
        group(b, c, a, size, site, access, false);
      }
    }
    return (char*)(a + kDelta);
  }
  if (a - kSharedWindow < 1u << 24) return slow_shared(c, (uint32_t)(a - kSharedWindow), size, site, access);
  Fiber* f = b.th[b.plain ? 0 : c.lin].f;
  if (a >= (uint64_t)f->stack && a + size <= (uint64_t)f->stack + f->size) return (char*)a;
  if (a >= (uint64_t)c.params && a + size <= (uint64_t)c.params + b.l->nparams + 16) return (char*)a;
  if (pinned((void*)a, size)) return (char*)a;
  fail(c, 700, site, "global %s of %u bytes: %s", verb(access), size, dev_describe(a).c_str());
}
char* slow_local(Ctx& c, uint64_t a, uint32_t size, uint32_t site) {
  Block& b = *c.block;
  Fiber* f = b.th[b.plain ? 0 : c.lin].f;
  if (a >= (uint64_t)f->stack && a + size <= (uint64_t)f->stack + f->size && b.l->k->local == 0) return (char*)a;
  char here;
  if (a >= (uint64_t)&here - 4096 && a + size <= (uint64_t)f->stack + f->size) return (char*)a;
  fail(c, 700, site, "local memory access out of range (0x%lx)", a);
}

// Two accesses to a shared byte, at least one a plain write, are a race unless a block barrier or a
// chain of warp synchronisations lies between them.
static bool ordered(Block& b, Ctx& c, const Touch& t) {
  if (t.serial != b.serial || t.thread == c.lin || t.epoch != b.epoch) return true;
  return t.thread / 32 == c.lin / 32 && b.vc[c.lin / 32 * 1024 + c.lin % 32 * 32 + t.thread % 32] >= t.clock;
}
static void flush_pending(Block& b) {
  Pending p = std::move(b.pend);
  b.pend = {};
  if (memcmp(b.w->sm + p.a, p.old, p.size)) {  // two writes of the same value are harmless
    report(b.l, 719, p.msg);
    b.fatal = true;
    void* dummy;
    cudasim_switch(&dummy, b.w->sched);
  }
}
static void race_check(Block& b, Ctx& c, uint32_t a, uint32_t size, uint32_t site, int access) {
  bool write = access == kStore || access == kAtomic || access == kVolStore, soft = access >= kAtomic;
  uint32_t clk = b.vc[c.lin / 32 * 1024 + c.lin % 32 * 32 + c.lin % 32];
  for (uint32_t i = a; i < a + size; i++) {
    Cell& x = b.cells[i];
    const Touch* bad = nullptr;
    const char* kind = "";
    if (!ordered(b, c, x.w) && !(soft && x.w.atomic)) {
      bad = &x.w;
      kind = write ? "write after write" : "read after write";
    }
    if (!bad && write)
      for (Touch& r : x.r)
        if (!ordered(b, c, r) && !(soft && r.atomic)) {
          bad = &r;
          kind = "write after read";
        }
    if (bad) {
      char s[400];
      snprintf(s, sizeof s, "race on shared memory offset %u (%s): this %s", i, kind, verb(access));
      std::string m = s;
      m += ", " + where(c) + place(b.l, site) + "; other by thread number " + std::to_string(bad->thread) +
           place(b.l, bad->site);
      if (write && bad == &x.w) {
        if (!b.pend.size) {
          b.pend.a = a;
          b.pend.size = size;
          memcpy(b.pend.old, b.w->sm + a, size);
          b.pend.msg = m;
        }
        break;
      }
      report(b.l, 719, m);
      b.fatal = true;
      void* dummy;
      cudasim_switch(&dummy, b.w->sched);
    }
  }
  Touch t{b.serial, b.epoch, clk, site, (uint16_t)c.lin, (uint8_t)soft};
  for (uint32_t i = a; i < a + size; i++) {
    Cell& x = b.cells[i];
    if (write) x.w = t;
    if (!write || access == kAtomic) {
      if (x.r[0].serial == b.serial && x.r[0].thread / 32 != c.lin / 32) x.r[1] = x.r[0];
      x.r[0] = t;
    }
  }
}
char* slow_shared(Ctx& c, uint32_t a, uint32_t size, uint32_t site, int access) {
  Block& b = *c.block;
  uint64_t total = b.l->total;
  if (b.pend.size) flush_pending(b);
  if ((uint64_t)a + size > total)
    fail(c, 700, site, "shared %s of %u bytes at offset %u, but the block has %lu bytes (%lu dynamic)", verb(access),
         size, a, total, b.l->dyn);
  if (a & (size - 1)) fail(c, 716, site, "misaligned shared %s of %u bytes at offset %u", verb(access), size, a);
  if (!config().stats.empty()) {
    bool ld = access == kLoad || access == kVolLoad;
    (ld ? b.t.sh_loads : b.t.sh_stores)++;
    (ld ? b.t.sh_ld_bytes : b.t.sh_st_bytes) += size;
    group(b, c, a, size, site, access, true);
  }
  if (config().race) race_check(b, c, a, size, site, access);
  return b.w->sm + a;
}

// ---- device library ---------------------------------------------------------------------------------
static std::string dev_string(uint64_t a) {
  std::string s;
  for (; dev_range((void*)a, 1); a++) {
    char ch = *storage((void*)a);
    if (!ch) break;
    s += ch;
  }
  return s;
}
void device_printf(Ctx& c, uint64_t fmt, uint64_t args) {
  std::string f = dev_string(fmt), out;
  const char* p = (const char*)(is_device((void*)args) ? storage((void*)args) : (char*)args);
  uint64_t off = 0;
  auto arg = [&](auto v) {
    using T = decltype(v);
    off = (off + sizeof(T) - 1) / sizeof(T) * sizeof(T);
    memcpy(&v, p + off, sizeof v);
    off += sizeof v;
    return v;
  };
  for (size_t i = 0; i < f.size(); i++) {
    if (f[i] != '%') {
      out += f[i];
      continue;
    }
    if (i + 1 < f.size() && f[i + 1] == '%') {
      out += '%';
      i++;
      continue;
    }
    std::string spec = "%";
    size_t j = i + 1;
    int lng = 0;
    for (; j < f.size() && !strchr("diouxXcsfFeEgGaAp", f[j]); j++) {
      if (f[j] == '*')
        spec += std::to_string(arg(0));
      else {
        if (f[j] == 'l') lng++;
        if (f[j] == 'z' || f[j] == 'j' || f[j] == 't') lng = 2;
        spec += f[j];
      }
    }
    if (j >= f.size()) break;
    char ch = f[j], buf[512];
    spec += ch;
    i = j;
    if (strchr("fFeEgGaA", ch))
      snprintf(buf, sizeof buf, spec.c_str(), arg(0.0));
    else if (ch == 's') {
      uint64_t s = arg((uint64_t)0);
      snprintf(buf, sizeof buf, spec.c_str(),
               is_device((void*)s) ? dev_string(s).c_str()
               : s                 ? (const char*)s
                                   : "(null)");
    } else if (ch == 'p')
      snprintf(buf, sizeof buf, "0x%lx", arg((uint64_t)0));
    else if (lng)
      snprintf(buf, sizeof buf, spec.c_str(), arg((uint64_t)0));
    else
      snprintf(buf, sizeof buf, spec.c_str(), arg((uint32_t)0));
    out += buf;
  }
  std::lock_guard g(tables().lock);
  fputs(out.c_str(), stdout);
}
void device_assert(Ctx& c, uint64_t msg, uint64_t file, uint32_t line, uint64_t func) {
  fail(c, 710, ~0u, "%s:%u: %s: assertion `%s` failed", dev_string(file).c_str(), line, dev_string(func).c_str(),
       dev_string(msg).c_str());
}
uint64_t device_malloc(Ctx&, uint64_t n) { return dev_alloc(n ? n : 1, "a device-side allocation of"); }
void device_free(Ctx& c, uint64_t p) {
  if (p && !dev_free(p)) fail(c, 719, ~0u, "device-side free of %s", dev_describe(p).c_str());
}
__attribute__((noinline)) double slow_round(int op, int mode, double a, double b, double cc, bool single) {
  int old = fegetround();
  fesetround(mode == R_rz ? FE_TOWARDZERO : mode == R_rm ? FE_DOWNWARD : FE_UPWARD);
  volatile double x = a, y = b, z = cc, r = 0;
  volatile float fx = a, fy = b, fr = 0;
  switch (op) {
    case '+': r = x + y; break;
    case '-': r = x - y; break;
    case '*': r = x * y; break;
    case '/':
      if (single) {
        fr = fx / fy;
        r = fr;
      } else
        r = x / y;
      break;
    case 's':
      if (single) {
        fr = __builtin_sqrtf(fx);
        r = fr;
      } else
        r = __builtin_sqrt(x);
      break;
    case 'f': r = __builtin_fma(x, y, z);
  }
  fesetround(old);
  return r;
}

// ---- modules ------------------------------------------------------------------------------------------
struct Mod {
  std::string id;
  std::unordered_map<std::string, KernelInfo*> kernels;
  std::map<std::string, std::pair<uint64_t, uint64_t>> vars;
};
void** module_add(const char* id, const KernelRef* k, uint32_t nk, const Var* v, uint32_t nv) {
  init();
  std::lock_guard g(tables().lock);
  Mod* m = new Mod;
  m->id = id;
  for (uint32_t i = 0; i < nk; i++) m->kernels[k[i].kernel->name] = new KernelInfo{k[i].kernel, k[i].nsites, id};
  for (uint32_t i = 0; i < nv; i++) {
    uint64_t a = dev_alloc(std::max<uint64_t>(v[i].size, 1), "a __device__ variable of");
    used -= v[i].size;
    memset(storage((void*)a), 0, v[i].size);
    if (v[i].ninit) memcpy(storage((void*)a), v[i].init, v[i].ninit);
    *v[i].addr = a;
    m->vars[v[i].name] = {a, v[i].size};
  }
  for (uint32_t i = 0; i < nv; i++)
    for (uint32_t j = 0; j < v[i].nfix; j++) {
      const Init& f = v[i].fix[j];
      if (f.func) {
        ST<uint64_t>(storage((void*)(*v[i].addr + f.off)), *f.func);
        continue;
      }
      auto it = m->vars.find(f.symbol);
      if (it == m->vars.end()) continue;  // a function that no kernel uses
      ST<uint64_t>(storage((void*)(*v[i].addr + f.off)), it->second.first + f.add);
    }
  return (void**)m;
}
KernelInfo* find_kernel(void** mod, const char* name) {
  Mod* m = (Mod*)mod;
  auto it = m->kernels.find(name);
  return it == m->kernels.end() ? nullptr : it->second;
}
uint64_t find_var(void** mod, const char* name, uint64_t* size) {
  Mod* m = (Mod*)mod;
  auto it = m->vars.find(name);
  if (it == m->vars.end()) return 0;
  if (size) *size = it->second.second;
  return it->second.first;
}
std::string pack_params(KernelInfo* k, void** args) {
  std::string p;
  for (uint32_t i = 0; i < k->k->nparams; i++) {
    const Param& q = k->k->params[i];
    if (p.size() < q.off + q.size) p.resize(q.off + q.size);
    memcpy(p.data() + q.off, args[i], q.size);
  }
  return p;
}

// ---- launch ---------------------------------------------------------------------------------------------
static std::mutex workers_lock;
static std::vector<Worker*> workers;
static Worker* get_worker() {
  std::lock_guard g(workers_lock);
  for (Worker* w : workers)
    if (!w->busy) {
      w->busy = true;
      return w;
    }
  Worker* w = new Worker;
  w->busy = true;
  w->smem.resize(256 * 1024 + 4096);
  w->sm = (char*)(((uint64_t)w->smem.data() + 1023) & ~1023ull);
  w->b.w = w;
  workers.push_back(w);
  return w;
}
static void run_block(Worker& w, Launch& l, uint64_t index) {
  Block& b = w.b;
  const Kernel* k = l.k;
  b.l = &l;
  b.n = l.n;
  b.done = 0;
  b.fatal = false;
  b.head = b.count = 0;
  b.plain = !k->blocks;
  b.nactive = 0;
  b.pend = {};
  b.id = {(uint32_t)(index % l.grid.x), (uint32_t)(index / l.grid.x % l.grid.y),
          (uint32_t)(index / ((uint64_t)l.grid.x * l.grid.y))};
  memset(w.sm, 0xFF, l.total);
  b.epoch++;
  b.serial++;
  uint32_t nth = b.plain ? 1 : b.n;
  if (b.th.size() < nth) b.th.resize(nth);
  for (auto& x : b.bars) {
    x.arrived = 0;
    x.any = 0;
    x.all = 1;
    x.cnt = 0;
  }
  b.order = config().order;
  for (uint32_t i = 0; i < nth; i++) {
    Thread& t = b.th[i];
    Ctx& c = t.c;
    b.st[i] = kReady;
    b.sp[i] = nullptr;
    t.f = nullptr;
    c.block = &b;
    c.lin = i;
    c.tid[0] = i % l.dim.x;
    c.tid[1] = i / l.dim.x % l.dim.y;
    c.tid[2] = i / (l.dim.x * l.dim.y);
    c.ntid[0] = l.dim.x;
    c.ntid[1] = l.dim.y;
    c.ntid[2] = l.dim.z;
    c.nctaid[0] = l.grid.x;
    c.nctaid[1] = l.grid.y;
    c.nctaid[2] = l.grid.z;
    c.ctaid[0] = b.id.x;
    c.ctaid[1] = b.id.y;
    c.ctaid[2] = b.id.z;
    c.dyn = l.dyn;
    c.dynoff = l.dynoff;
    c.mt = l.mt;
    c.lim = l.instr ? 0 : kDevSize;
    c.sn = l.instr ? 0 : l.total;
    c.sb = w.sm;
    c.params = l.params;
    c.gridws = l.gridws;
    c.spin = 2000;
    c.n = {};
  }
  uint32_t nw = (b.n + 31) / 32;
  if (b.warps.size() < nw) b.warps.resize(nw);
  for (uint32_t i = 0; i < nw; i++) {
    Warp& x = b.warps[i];
    x.gone = i * 32 + 32 > b.n ? ~((1u << (b.n - i * 32)) - 1) : 0;
    for (Coll* q : x.colls) q->open = false;
  }
  if (config().race) {
    b.vc.assign(nw * 1024, 0);
    for (uint32_t i = 0; i < nw; i++)
      for (int j = 0; j < 32; j++) b.vc[i * 1024 + j * 33] = 1;
    if (b.cells.size() < l.total) b.cells.resize(l.total);
  }
  if (b.plain) {
    resume(b, 0, &w.sched);
    Fiber*& f = b.th[0].f;
    if (f) {
      w.pool.push_back(f);
      f = nullptr;
    }
  } else {
    for (uint32_t i = 0; i < b.n; i++) b.push_back(config().order == 1 ? b.n - 1 - i : i);
    while (b.done < b.n && !b.fatal) {
      int i = b.pop();
      if (i >= 0) {
        resume(b, i, &w.sched);
        continue;
      }
      if (b.nactive && resolve_active(b)) continue;
      // nobody can run: a barrier that exited threads will never reach, or a deadlock
      bool freed = false;
      uint32_t in_warp = 0, at_bar = 0, site = 0, wsite = 0;
      for (uint32_t t = 0; t < b.n; t++) {
        if (b.st[t] == kWarp) {
          in_warp++;
          wsite = b.th[t].site;
        }
        if (b.st[t] == kBarrier) {
          at_bar++;
          site = b.th[t].site;
        }
      }
      if (config().lax_exit)
        for (auto& x : b.bars)
          if (x.arrived && x.arrived + b.done >= x.expected) {
            release_barrier(b, x);
            freed = true;
          }
      if (freed) continue;
      char s[300];
      if (at_bar && !in_warp)
        snprintf(s, sizeof s,
                 "divergent barrier: %u threads wait, %u threads of the block have exited or wait elsewhere, block "
                 "(%u,%u,%u)",
                 at_bar, b.n - at_bar, b.id.x, b.id.y, b.id.z);
      else
        snprintf(s, sizeof s,
                 "deadlock: %u threads wait in a warp operation, %u at a barrier, %u have exited, block (%u,%u,%u)",
                 in_warp, at_bar, b.done, b.id.x, b.id.y, b.id.z);
      report(&l, 719, s + place(&l, in_warp ? wsite : site));
      b.fatal = true;
    }
    if (b.fatal)
      for (uint32_t i = 0; i < b.n; i++)
        if (b.th[i].f) {
          w.pool.push_back(b.th[i].f);
          b.th[i].f = nullptr;
        }
  }
  if (!b.fatal && b.pend.size) {
    Pending p = std::move(b.pend);
    b.pend = {};
    if (memcmp(w.sm + p.a, p.old, p.size)) {
      report(&l, 719, p.msg);
      b.fatal = true;
    }
  }
  b.t.blocks++;
  b.t.threads += b.n;
  if (!b.sites.empty()) drain(b);
}
static void run_blocks(Launch& l, bool one) {
  Worker* w = get_worker();
  Worker* old = W;
  W = w;
  w->rng.seed(config().seed);
  w->b.t = {};
  for (;;) {
    uint64_t i = l.next.fetch_add(1);
    if (i >= l.blocks || l.stop) break;
    run_block(*w, l, l.perm.empty() ? i : l.perm[i]);
    if (one) break;
  }
  {
    std::lock_guard g(l.m);
    l.totals.add(w->b.t);
  }
  W = old;
  std::lock_guard g(workers_lock);
  w->busy = false;
}
static std::map<std::string, Totals>& totals() {
  static auto* t = new std::map<std::string, Totals>;
  return *t;
}
struct Copies {
  std::atomic<uint64_t> n{0}, bytes{0};
};
static Copies& copies(int direction) {  // host to device, device to host, device to device
  static auto* c = new Copies[3];
  return c[direction];
}
void count_copy(bool to_device, bool from_device, uint64_t bytes) {
  if (!to_device && !from_device) return;
  Copies& c = copies(!from_device ? 0 : !to_device ? 1 : 2);
  ++c.n;
  c.bytes += bytes;
}
static std::atomic<const char*> running{nullptr};
static void on_alarm(int) {
  const char* k = running;
  dprintf(2, "cudasim: time limit (CUDASIM_TIMEOUT) reached in kernel %s\n", k ? k : "(none)");
  _exit(124);
}

int launch(KernelInfo* info, Dim grid, Dim block, uint64_t dyn, const std::string& params, bool coop) {
  if (sticky) return sticky;
  const Kernel* k = info->k;
  uint64_t n = (uint64_t)block.x * block.y * block.z;
  auto bad = [&](int e, const char* why) {
    warn("launch of %s rejected: %s (grid %u,%u,%u block %u,%u,%u shared %lu)", demangle(k->name).c_str(), why, grid.x,
         grid.y, grid.z, block.x, block.y, block.z, dyn);
    return e;
  };
  if (!n || n > 1024 || block.z > 64 || !grid.x || !grid.y || !grid.z || grid.x > 0x7fffffffu || grid.y > 65535 ||
      grid.z > 65535)
    return bad(9, "grid or block size");
  if (n > k->maxntid) return bad(1, "more threads than __launch_bounds__ allows");
  if (dyn > info->max_dyn || dyn + k->shared > kMaxShared + 1024)
    return bad(1, "too much shared memory (cudaFuncSetAttribute raises the limit)");
  if (coop && (uint64_t)grid.x * grid.y * grid.z > 256) return bad(82, "cooperative launch too large");
  Launch l;
  l.info = info;
  l.k = k;
  l.grid = grid;
  l.dim = block;
  l.n = n;
  l.dyn = dyn;
  l.dynoff = k->shared;
  l.total = k->shared + dyn;
  std::string p = params;
  p.resize(p.size() + 16);
  l.params = p.data();
  l.nparams = params.size();
  l.blocks = (uint64_t)grid.x * grid.y * grid.z;
  l.instr = config().instrument();
  l.coop = coop;
  if (flag("CUDASIM_BLOCKS_REVERSE")) {
    l.perm.resize(l.blocks);
    for (uint64_t i = 0; i < l.blocks; i++) l.perm[i] = l.blocks - 1 - i;
  }
  running = k->name;
  if (config().timeout) {
    signal(SIGALRM, on_alarm);
    alarm(config().timeout);
  }
  timespec a, z;
  clock_gettime(CLOCK_MONOTONIC, &a);
  uint64_t nt = coop ? l.blocks : std::min<uint64_t>(config().threads, l.blocks);
  l.mt = nt > 1;
  if (coop) {
    l.gridws = dev_alloc(256, "grid workspace");
    memset(storage((void*)l.gridws), 0, 256);
  }
  if (nt > 1) {
    std::vector<std::thread> ts;
    for (uint64_t i = 1; i < nt; i++) ts.emplace_back([&] { run_blocks(l, coop); });
    run_blocks(l, coop);
    for (auto& t : ts) t.join();
  } else
    run_blocks(l, false);
  if (coop) dev_free(l.gridws);
  clock_gettime(CLOCK_MONOTONIC, &z);
  if (config().timeout) alarm(0);
  running = nullptr;
  if (!config().stats.empty()) {
    l.totals.launches = 1;
    l.totals.seconds = (z.tv_sec - a.tv_sec) + 1e-9 * (z.tv_nsec - a.tv_nsec);
    std::lock_guard g(tables().lock);
    totals()[demangle(k->name)].add(l.totals);
  }
  return 0;  // faults appear at the next call, as they do on a device
}

// ---- end of program -------------------------------------------------------------------------------
static void on_segv(int, siginfo_t* si, void*) {
  uint64_t a = (uint64_t)si->si_addr;
  signal(SIGSEGV, SIG_DFL);
  if (a - kDevBase < kDevSize) {
    std::string s = dev_describe(a);
    dprintf(2, "cudasim: host code dereferenced a device pointer: 0x%lx, %s\n", a, s.c_str());
  } else if (const char* k = running)
    dprintf(2, "cudasim: fault at 0x%lx while kernel %s runs (stack overflow of a thread?)\n", a, k);
}
static std::string json_str(const std::string& s) {
  std::string r = "\"";
  for (char ch : s) {
    if (ch == '"' || ch == '\\') r += '\\';
    r += ch;
  }
  return r + "\"";
}
static void write_stats() {
  FILE* f = fopen(config().stats.c_str(), "w");
  if (!f) {
    perror(config().stats.c_str());
    return;
  }
  fprintf(f, "{\n");
  bool first = true;
  for (auto& [name, t] : totals()) {
    fprintf(f,
            "%s  %s: {\"launches\": %lu, \"blocks\": %lu, \"threads\": %lu, \"global_load_bytes\": %lu, "
            "\"global_store_bytes\": %lu, \"global_atomic_bytes\": %lu,\n",
            first ? "" : ",\n", json_str(name).c_str(), t.launches, t.blocks, t.threads, t.ld_bytes, t.st_bytes,
            t.atomic_bytes);
    fprintf(f,
            "    \"load_requests\": %lu, \"load_sectors\": %lu, \"load_sectors_min\": %lu, \"store_requests\": %lu, "
            "\"store_sectors\": %lu, \"store_sectors_min\": %lu,\n",
            t.ld_req, t.ld_sectors, t.ld_min, t.st_req, t.st_sectors, t.st_min);
    fprintf(f,
            "    \"shared_loads\": %lu, \"shared_stores\": %lu, \"shared_load_bytes\": %lu, \"shared_store_bytes\": "
            "%lu, \"shared_requests\": %lu, \"shared_waves\": %lu, \"barriers\": %lu, \"warp_ops\": %lu,\n",
            t.sh_loads, t.sh_stores, t.sh_ld_bytes, t.sh_st_bytes, t.sh_req, t.sh_waves, t.barriers, t.warp_ops);
    fprintf(f,
            "    \"flops_f32\": %lu, \"flops_f64\": %lu, \"flops_f16\": %lu, \"special\": %lu, \"mma\": %lu, "
            "\"mma_flops\": %lu, \"ungrouped\": %lu, \"seconds\": %.6f}",
            t.n.f32, t.n.f64, t.n.f16, t.n.special, t.mma, t.mma_flops, t.lost, t.seconds);
    first = false;
  }
  const char* directions[] = {"host to device", "device to host", "device to device"};
  for (int i = 0; i < 3; i++) {
    if (Copies& c = copies(i); c.n) {
      fprintf(f, "%s  \"copies, %s\": {\"copies\": %lu, \"bytes\": %lu}", first ? "" : ",\n", directions[i], c.n.load(),
              c.bytes.load());
      first = false;
    }
  }
  fprintf(f, "\n}\n");
  fclose(f);
}
static void at_end(int status, void*) {
  if (!config().stats.empty()) write_stats();
  if (config().leaks) {
    uint64_t n = 0, bytes = 0;
    for (auto& [a, x] : tables().allocs)
      if (x.live && !strcmp(x.what, "an allocation of")) {
        n++;
        bytes += x.size;
        if (n <= 10) fprintf(stderr, "cudasim: leak: %lu bytes of device memory at 0x%lx\n", x.size, a);
      }
    if (n) warn("%lu device allocations leaked, %lu bytes", n, bytes);
  }
  if (faults && !config().keep_exit) {
    fprintf(stderr, "cudasim: %d fault(s) reported; exit status 86\n", (int)faults);
    fflush(nullptr);
    _exit(86);
  }
  (void)status;
}

}  // namespace cudasim
