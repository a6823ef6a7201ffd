// A driver without a device: the functions of libcuda.so.1 that gpu.go calls,
// on two devices that this host emulates. It is stricter than the real one: it
// refuses calls without a context, addresses outside of what was allocated,
// grids that do not fit and PTX for another device, and a context cannot be
// released while memory, streams or modules are left.
//
// Work on a stream is done later, by the stream's own thread, and what goes
// wrong there is told by a later call, as CUDA does it.
//
// EMULATED_CUDA_FAILS scripts one failure: "cuMemAlloc_v2 3 2" has the fourth call
// of that function, and all later ones, fail with code 2. "step 0 719" is the
// kernel itself. After a code that says the device is lost, all calls fail.
// EMULATED_CUDA_DEVICES is how many devices there are; 2.
#include <cuda.h>

#include "grid.h"

#include "step.cu"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>

namespace {

enum { MULTIPROCESSORS = 3, BLOCKS_EACH = 2, MEMORY = 1 << 30 };

struct Device {
  std::map<CUdeviceptr, size_t> memory;
  std::set<CUstream> streams;
  int modules = 0, retained = 0;
  size_t used = 0;
};

std::mutex mu; // of all that follows
Device devices[8];
int sticky;
std::string script;
std::map<std::string, int> calls;
thread_local Device *current;

std::mutex one; // grid at a time

// lost reports whether a code is of those after which nothing succeeds any more.
bool lost(int code) { return code == 46 || code == 214 || (code >= 700 && code != 701 && code != 720); }

// failure is the code by which a call is to fail, if it is; mu is held.
int failure(const char *what) {
  const char *now = getenv("EMULATED_CUDA_FAILS");
  if (!now) now = "";
  if (script != now) script = now, calls.clear(), sticky = 0;
  int n = calls[what]++;
  char name[64];
  int from, code;
  if (sscanf(now, "%63s %d %d", name, &from, &code) == 3 && !strcmp(name, what) && n >= from) {
    if (lost(code)) sticky = code;
    return code;
  }
  return sticky;
}

#define ENTER                              \
  std::unique_lock<std::mutex> lock(mu);   \
  if (int e = failure(__func__)) return (CUresult)e
#define ENTER_CONTEXT \
  ENTER;              \
  if (!current || !current->retained) return CUDA_ERROR_INVALID_CONTEXT

int count() {
  const char *n = getenv("EMULATED_CUDA_DEVICES");
  return n ? atoi(n) : 2;
}

// inside reports whether n bytes from p on are one allocation's; mu is held.
bool inside(CUdeviceptr p, size_t n) {
  auto it = current->memory.upper_bound(p);
  return it != current->memory.begin() && (--it, p - it->first + n <= it->second);
}

} // namespace

struct CUstream_st {
  std::mutex mu;
  std::condition_variable changed;
  std::deque<std::function<void()>> work;
  bool busy = false, ends = false;
  std::thread thread{[this] { run(); }};

  void run() {
    std::unique_lock<std::mutex> lock(mu);
    for (;;) {
      changed.wait(lock, [this] { return ends || !work.empty(); });
      if (work.empty()) return;
      auto f = std::move(work.front());
      work.pop_front();
      busy = true;
      lock.unlock();
      f();
      lock.lock();
      busy = false;
      changed.notify_all();
    }
  }
  void add(std::function<void()> f) {
    std::lock_guard<std::mutex> lock(mu);
    work.push_back(std::move(f));
    changed.notify_all();
  }
  void wait() {
    std::unique_lock<std::mutex> lock(mu);
    changed.wait(lock, [this] { return !busy && work.empty(); });
  }
  void end() {
    wait();
    {
      std::lock_guard<std::mutex> lock(mu);
      ends = true;
      changed.notify_all();
    }
    thread.join();
  }
};

// The kernel's arguments, all 64 bits wide, while a grid runs.
static u64 arg[14];

static void body() {
  step((const Op *)arg[0], (const Phase *)arg[1], arg[2], arg[3],
       (float *)arg[4], (float *)arg[5], (float *)arg[6], (float *)arg[7],
       (float *)arg[8], (float *)arg[9], (float *)arg[10], (float *)arg[11],
       (const int *)arg[12], (u64 *)arg[13]);
}

extern "C" {

CUresult cuInit(unsigned flags) {
  ENTER;
  return flags ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult cuDriverGetVersion(int *version) {
  ENTER;
  *version = 12090;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *n) {
  ENTER;
  *n = count();
  return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice *d, int ordinal) {
  ENTER;
  if (ordinal < 0 || ordinal >= count()) return CUDA_ERROR_INVALID_DEVICE;
  *d = ordinal;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char *name, int n, CUdevice) {
  ENTER;
  snprintf(name, n, "Emulated GPU");
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int *v, CUdevice_attribute a, CUdevice) {
  ENTER;
  switch (a) {
  case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *v = MULTIPROCESSORS; break;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *v = 8; break;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *v = 9; break;
  case CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH: *v = 1; break;
  default: return CUDA_ERROR_INVALID_VALUE;
  }
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxSetFlags(CUdevice, unsigned flags) {
  ENTER;
  return flags == CU_CTX_SCHED_BLOCKING_SYNC ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *c, CUdevice d) {
  ENTER;
  devices[d].retained++;
  *c = (CUcontext)&devices[d];
  return CUDA_SUCCESS;
}

// Releasing works on a lost device too, and ends what could not be ended there.
CUresult cuDevicePrimaryCtxRelease(CUdevice d) {
  std::unique_lock<std::mutex> lock(mu);
  Device &g = devices[d];
  if (!g.retained) return CUDA_ERROR_INVALID_CONTEXT;
  if (--g.retained) return CUDA_SUCCESS;
  bool left = !sticky && (!g.memory.empty() || !g.streams.empty() || g.modules);
  std::set<CUstream> streams = std::move(g.streams);
  lock.unlock();
  for (CUstream s : streams) s->end(), delete s;
  lock.lock();
  for (auto &m : g.memory) free((void *)m.first);
  g = Device();
  return left ? CUDA_ERROR_ILLEGAL_STATE : CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext c) {
  ENTER;
  current = (Device *)c;
  return CUDA_SUCCESS;
}

CUresult cuModuleLoadData(CUmodule *m, const void *image) {
  ENTER_CONTEXT;
  const char *text = (const char *)image;
  if (!strstr(text, ".entry step(") || !strstr(text, ".target sm_86\n")) return CUDA_ERROR_INVALID_PTX;
  current->modules++;
  *m = (CUmodule)current;
  return CUDA_SUCCESS;
}

CUresult cuModuleUnload(CUmodule m) {
  ENTER_CONTEXT;
  if (m != (CUmodule)current || !current->modules) return CUDA_ERROR_INVALID_HANDLE;
  current->modules--;
  return CUDA_SUCCESS;
}

CUresult cuModuleGetFunction(CUfunction *f, CUmodule m, const char *name) {
  ENTER_CONTEXT;
  if (m != (CUmodule)current) return CUDA_ERROR_INVALID_HANDLE;
  if (strcmp(name, "step")) return CUDA_ERROR_NOT_FOUND;
  *f = (CUfunction)&step;
  return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *n, CUfunction f, int threads, size_t) {
  ENTER_CONTEXT;
  if (f != (CUfunction)&step || threads != THREADS) return CUDA_ERROR_INVALID_VALUE;
  *n = BLOCKS_EACH;
  return CUDA_SUCCESS;
}

CUresult cuMemGetInfo(size_t *free, size_t *total) {
  ENTER_CONTEXT;
  *total = MEMORY;
  *free = MEMORY - current->used;
  return CUDA_SUCCESS;
}

CUresult cuMemAlloc(CUdeviceptr *p, size_t n) {
  ENTER_CONTEXT;
  void *m = n && n <= MEMORY - current->used ? aligned_alloc(256, (n + 255) / 256 * 256) : 0;
  if (!m) return CUDA_ERROR_OUT_OF_MEMORY;
  memset(m, 0xff, n); // NaN
  *p = (CUdeviceptr)m;
  current->memory[*p] = n;
  current->used += n;
  return CUDA_SUCCESS;
}

CUresult cuMemFree(CUdeviceptr p) {
  ENTER_CONTEXT;
  auto it = current->memory.find(p);
  if (it == current->memory.end()) return CUDA_ERROR_INVALID_VALUE;
  current->used -= it->second;
  current->memory.erase(it);
  free((void *)p);
  return CUDA_SUCCESS;
}

CUresult cuStreamCreate(CUstream *s, unsigned flags) {
  ENTER_CONTEXT;
  if (flags != CU_STREAM_NON_BLOCKING) return CUDA_ERROR_INVALID_VALUE;
  *s = new CUstream_st;
  current->streams.insert(*s);
  return CUDA_SUCCESS;
}

CUresult cuStreamDestroy(CUstream s) {
  ENTER_CONTEXT;
  if (!current->streams.erase(s)) return CUDA_ERROR_INVALID_HANDLE;
  lock.unlock();
  s->end();
  delete s;
  return CUDA_SUCCESS;
}

CUresult cuStreamSynchronize(CUstream s) {
  ENTER_CONTEXT;
  if (!current->streams.count(s)) return CUDA_ERROR_INVALID_HANDLE;
  lock.unlock();
  s->wait();
  lock.lock();
  return (CUresult)sticky;
}

CUresult cuMemcpyHtoDAsync(CUdeviceptr dst, const void *src, size_t n, CUstream s) {
  ENTER_CONTEXT;
  if (!current->streams.count(s) || !inside(dst, n)) return CUDA_ERROR_INVALID_VALUE;
  std::string staged((const char *)src, n);
  s->add([=] { memcpy((void *)dst, staged.data(), n); });
  return CUDA_SUCCESS;
}

CUresult cuMemcpyDtoHAsync(void *dst, CUdeviceptr src, size_t n, CUstream s) {
  ENTER_CONTEXT;
  if (!current->streams.count(s) || !inside(src, n)) return CUDA_ERROR_INVALID_VALUE;
  s->add([=] { memcpy(dst, (const void *)src, n); });
  lock.unlock();
  s->wait(); // as copies to pageable memory do
  lock.lock();
  return (CUresult)sticky;
}

CUresult cuMemsetD32Async(CUdeviceptr dst, unsigned v, size_t n, CUstream s) {
  ENTER_CONTEXT;
  if (!current->streams.count(s) || !inside(dst, 4 * n)) return CUDA_ERROR_INVALID_VALUE;
  s->add([=] { for (size_t i = 0; i < n; i++) ((unsigned *)dst)[i] = v; });
  return CUDA_SUCCESS;
}

CUresult cuLaunchCooperativeKernel(CUfunction f, unsigned x, unsigned y, unsigned z, unsigned tx, unsigned ty, unsigned tz,
                                   unsigned shared, CUstream s, void **args) {
  ENTER_CONTEXT;
  if (f != (CUfunction)&step || y != 1 || z != 1 || tx != THREADS || ty != 1 || tz != 1 || shared || !current->streams.count(s))
    return CUDA_ERROR_INVALID_VALUE;
  if (!x || x > MULTIPROCESSORS * BLOCKS_EACH) return CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE;
  std::vector<u64> given;
  for (int i = 0; i < 14; i++) given.push_back(*(u64 *)args[i]);
  s->add([=] {
    {
      std::lock_guard<std::mutex> lock(mu);
      if (failure("step")) return;
    }
    std::lock_guard<std::mutex> lock(one);
    for (int i = 0; i < 14; i++) arg[i] = given[i];
    if (!shim::launch(x, tx, sizeof(Shared), shim::FORWARDS, body)) {
      std::lock_guard<std::mutex> lock(mu);
      sticky = CUDA_ERROR_LAUNCH_TIMEOUT;
    }
  });
  return CUDA_SUCCESS;
}

} // extern "C"
