// What the kernel does for programs: `system_work getppid|fork|exec|pipe|pipe-across|fault|switch|files FOLDER`.
// Prints one line, the same on every machine. Everything runs on one processor, but for the child of pipe-across.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kPage = 4096 };

static void check(int ok, const char* what) {
  if (ok) return;
  perror(what);
  exit(1);
}

static long getppid_loop(void) {
  long calls = 0;
  for (int i = 0; i < 2500000; ++i) calls += syscall(SYS_getppid) >= 0;
  return calls;
}

// A parent with some memory of its own, so that there are tables to copy.
static long fork_wait(void) {
  enum { kBytes = 4 << 20 };
  char* own = mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(own != MAP_FAILED, "mmap");
  memset(own, 1, kBytes);
  long sum = 0;
  for (int i = 0; i < 1200; ++i) {
    const pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0) _exit(own[i] + i % 64);
    int status = 0;
    check(waitpid(child, &status, 0) == child, "waitpid");
    sum += WEXITSTATUS(status);
  }
  return sum;
}

static long fork_exec(const char* self) {
  long sum = 0;
  for (int i = 0; i < 400; ++i) {
    const pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0) {
      execl(self, self, "nothing", (char*)0);
      _exit(127);
    }
    int status = 0;
    check(waitpid(child, &status, 0) == child, "waitpid");
    sum += WEXITSTATUS(status);
  }
  return sum;
}

static void run_on(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  check(sched_setaffinity(0, sizeof set, &set) == 0, "sched_setaffinity");
}

/// The child on `processor`.
static long pipe_ping_pong(int processor) {
  int there[2], back[2];
  check(pipe(there) == 0 && pipe(back) == 0, "pipe");
  long sum = 0;
  char byte = 1;
  if (fork() == 0) {
    run_on(processor);
    close(there[1]);
    while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1) {
    }
    _exit(0);
  }
  for (int i = 0; i < 80000; ++i) {
    byte = (char)i;
    check(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1, "pipe");
    sum += byte;
  }
  close(there[1]);
  check(wait(NULL) > 0, "wait");
  return sum;
}

static long page_faults(void) {
  enum { kPages = 256 };
  long sum = 0;
  for (int round = 0; round < 800; ++round) {
    char* pages = mmap(NULL, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(pages != MAP_FAILED, "mmap");
    for (int i = 0; i < kPages; ++i) pages[i * kPage] = 1;
    for (int i = 0; i < kPages; ++i) sum += pages[i * kPage];
    munmap(pages, kPages * kPage);
  }
  return sum;
}

// Processes that give way to each other and use some memory in between: what survives a switch of address space.
static long switches(void) {
  enum { kProcesses = 4, kPages = 48, kTurns = 50000 };
  static char memory[kPages * kPage];
  for (int process = 1; process < kProcesses; ++process) {
    if (fork() != 0) continue;
    for (int turn = 0; turn < kTurns; ++turn) {
      for (int page = 0; page < kPages; ++page) ++memory[page * kPage + page * 64];
      sched_yield();
    }
    _exit(0);
  }
  for (int turn = 0; turn < kTurns; ++turn) {
    for (int page = 0; page < kPages; ++page) ++memory[page * kPage + page * 64];
    sched_yield();
  }
  while (wait(NULL) > 0) {
  }
  long sum = 0;
  for (int page = 0; page < kPages; ++page) sum += memory[page * kPage + page * 64];
  return sum;
}

static long small_files(const char* folder) {
  long sum = 0;
  char name[256], text[512];
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 1000; ++i) {
      snprintf(name, sizeof name, "%s/file%d", folder, i);
      const int file = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
      check(file >= 0, name);
      memset(text, i, sizeof text);
      check(write(file, text, sizeof text) == (ssize_t)sizeof text, "write");
      close(file);
    }
    for (int i = 0; i < 1000; ++i) {
      struct stat about;
      snprintf(name, sizeof name, "%s/file%d", folder, i);
      check(stat(name, &about) == 0 && unlink(name) == 0, name);
      sum += about.st_size;
    }
  }
  return sum;
}

int main(int argc, char** argv) {
  const char* name = argc > 1 ? argv[1] : "";
  if (!strcmp(name, "nothing")) return 1;
  run_on(0);
  long result = 0;
  if (!strcmp(name, "getppid"))
    result = getppid_loop();
  else if (!strcmp(name, "fork"))
    result = fork_wait();
  else if (!strcmp(name, "exec"))
    result = fork_exec(argv[0]);
  else if (!strcmp(name, "pipe"))
    result = pipe_ping_pong(0);
  else if (!strcmp(name, "pipe-across"))
    result = pipe_ping_pong((int)sysconf(_SC_NPROCESSORS_CONF) - 1);
  else if (!strcmp(name, "fault"))
    result = page_faults();
  else if (!strcmp(name, "switch"))
    result = switches();
  else if (!strcmp(name, "files") && argc > 2)
    result = small_files(argv[2]);
  else
    return 2;
  printf("%s %ld\n", name, result);
  return 0;
}
