// Stands for libcuda when a program is linked: every function of it, EACH of
// which build.sh lists, hands on to the one of the libcuda.so.1 that is there
// when the program runs.
//
// gorgonia.org/cu ends the program if cuInit fails. This one never does: when
// there is no driver, or it has no device, every other function fails with what
// cuInit would have said, so that a worker may train on the CPU instead.
#include <dlfcn.h>

static int why = 100; // CUDA_ERROR_NO_DEVICE

static int absent(void) { return why; }

#if defined(__x86_64__)
#define JUMP(f) "jmp *" #f "_at(%rip)\n"
#elif defined(__aarch64__)
#define JUMP(f) "adrp x16, " #f "_at\nldr x16, [x16, :lo12:" #f "_at]\nbr x16\n"
#else
#error "x86-64 or arm64"
#endif

#define FUNCTION(f)                                                         \
  __attribute__((used)) static void *f##_at = absent;                       \
  __asm__(".text\n.globl " #f "\n.hidden " #f "\n.type " #f ", %function\n" #f ":\n" JUMP(f) \
          ".size " #f ", .-" #f "\n");
EACH(FUNCTION)

// Nothing of this is exported: the driver's calls of itself stay its own.
__attribute__((visibility("hidden"))) int cuInit(unsigned flags) {
  void *library = dlopen("libcuda.so.1", RTLD_NOW);
  if (!library) return 0;
  int (*init)(unsigned) = (int (*)(unsigned))dlsym(library, "cuInit");
  int code = init ? init(flags) : why;
  if (code) {
    why = code;
    return 0;
  }
  void *found;
#define FIND(f) \
  if ((found = dlsym(library, #f))) f##_at = found;
  EACH(FIND)
  return 0;
}
