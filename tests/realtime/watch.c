/* Preloaded beneath a test: counts every call that may allocate, lock, wait or ask the system, of any thread,
 * between weft_watch_begin and weft_watch_end.
 *
 *   LD_PRELOAD=libweft_watch.so test_no_calls
 *
 * operator new and exceptions come down to malloc. What reaches the system without the C library is a seccomp
 * filter's to catch (confined.hpp). For glibc. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define VISIBLE __attribute__((visibility("default")))

static atomic_bool watching;
static atomic_long calls;
static _Atomic(const char*) first;

static void note(const char* name) {
  if (!atomic_load_explicit(&watching, memory_order_relaxed)) return;
  if (atomic_fetch_add(&calls, 1) == 0) atomic_store(&first, name);
}

VISIBLE void weft_watch_begin(void) {
  atomic_store(&first, NULL);
  atomic_store(&calls, 0);
  atomic_store(&watching, 1);
}

/* How many calls there were, and the name of the first or NULL. */
VISIBLE long weft_watch_end(const char** name) {
  atomic_store(&watching, 0);
  *name = atomic_load(&first);
  return atomic_load(&calls);
}

/* Memory: the C library's own names, as dlsym itself allocates. */
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);

VISIBLE void* malloc(size_t size) {
  note("malloc");
  return __libc_malloc(size);
}
VISIBLE void* calloc(size_t count, size_t size) {
  note("calloc");
  return __libc_calloc(count, size);
}
VISIBLE void* realloc(void* old, size_t size) {
  note("realloc");
  return __libc_realloc(old, size);
}
VISIBLE void free(void* old) {
  note("free");
  __libc_free(old);
}
VISIBLE void* memalign(size_t alignment, size_t size) {
  note("memalign");
  return __libc_memalign(alignment, size);
}
VISIBLE void* aligned_alloc(size_t alignment, size_t size) {
  note("aligned_alloc");
  return __libc_memalign(alignment, size);
}
VISIBLE int posix_memalign(void** result, size_t alignment, size_t size) {
  note("posix_memalign");
  void* memory = __libc_memalign(alignment, size);
  if (memory) *result = memory;
  return memory ? 0 : ENOMEM;
}

/* All others: counted, then handed on. Condition variables have two versions; the newer is wanted. */
static void* next(const char* name) {
  void* found = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
  return found ? found : dlsym(RTLD_NEXT, name);
}

#define WATCHED(result, name, parameters, arguments)                       \
  VISIBLE result name parameters {                                         \
    static _Atomic(void*) real;                                            \
    note(#name);                                                           \
    if (!atomic_load(&real)) atomic_store(&real, next(#name));             \
    return ((result(*) parameters)(uintptr_t)atomic_load(&real))arguments; \
  }

WATCHED(void*, mmap, (void* p, size_t size, int protection, int flags, int file, off_t offset),
        (p, size, protection, flags, file, offset))
WATCHED(void*, mmap64, (void* p, size_t size, int protection, int flags, int file, off_t offset),
        (p, size, protection, flags, file, offset))
WATCHED(int, munmap, (void* p, size_t size), (p, size))
WATCHED(int, mprotect, (void* p, size_t size, int protection), (p, size, protection))
WATCHED(int, madvise, (void* p, size_t size, int advice), (p, size, advice))
WATCHED(int, brk, (void* end), (end))
WATCHED(void*, sbrk, (intptr_t increment), (increment))

WATCHED(int, pthread_mutex_lock, (pthread_mutex_t * mutex), (mutex))
WATCHED(int, pthread_mutex_trylock, (pthread_mutex_t * mutex), (mutex))
WATCHED(int, pthread_mutex_timedlock, (pthread_mutex_t * mutex, const struct timespec* time), (mutex, time))
WATCHED(int, pthread_mutex_unlock, (pthread_mutex_t * mutex), (mutex))
WATCHED(int, pthread_rwlock_rdlock, (pthread_rwlock_t * lock), (lock))
WATCHED(int, pthread_rwlock_tryrdlock, (pthread_rwlock_t * lock), (lock))
WATCHED(int, pthread_rwlock_wrlock, (pthread_rwlock_t * lock), (lock))
WATCHED(int, pthread_rwlock_trywrlock, (pthread_rwlock_t * lock), (lock))
WATCHED(int, pthread_rwlock_unlock, (pthread_rwlock_t * lock), (lock))
WATCHED(int, pthread_spin_lock, (pthread_spinlock_t * lock), (lock))
WATCHED(int, pthread_cond_wait, (pthread_cond_t * condition, pthread_mutex_t* mutex), (condition, mutex))
WATCHED(int, pthread_cond_timedwait,
        (pthread_cond_t * condition, pthread_mutex_t* mutex, const struct timespec* time),
        (condition, mutex, time))
WATCHED(int, pthread_cond_signal, (pthread_cond_t * condition), (condition))
WATCHED(int, pthread_cond_broadcast, (pthread_cond_t * condition), (condition))
WATCHED(int, pthread_once, (pthread_once_t * once, void (*run)(void)), (once, run))
WATCHED(int, sem_wait, (sem_t * semaphore), (semaphore))
WATCHED(int, sem_trywait, (sem_t * semaphore), (semaphore))
WATCHED(int, sem_timedwait, (sem_t * semaphore, const struct timespec* time), (semaphore, time))
WATCHED(int, sem_post, (sem_t * semaphore), (semaphore))
WATCHED(int, __cxa_guard_acquire, (uint64_t* guard), (guard)) /* a static variable's first use */

/* The clock is no system call on most machines, but it is one on some. */
WATCHED(int, clock_gettime, (clockid_t clock, struct timespec* time), (clock, time))

VISIBLE long syscall(long number, ...) {
  static _Atomic(void*) real;
  note("syscall");
  long a[6];
  va_list list;
  va_start(list, number);
  for (int i = 0; i < 6; ++i) a[i] = va_arg(list, long);
  va_end(list);
  if (!atomic_load(&real)) atomic_store(&real, next("syscall"));
  return ((long (*)(long, ...))(uintptr_t)atomic_load(&real))(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
