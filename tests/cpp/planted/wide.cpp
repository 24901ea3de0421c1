// What an emulator of an old processor must catch: an instruction that x86-64 did not begin with.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

int main() {
  const pid_t child = fork();
  if (child == 0) {
    __asm__ volatile("vpaddd %%ymm0, %%ymm0, %%ymm0" ::: "memory");
    _exit(0);
  }
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGILL ? 0 : 1;
}
