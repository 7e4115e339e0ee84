// Runs workloads one after another between marker lines, the same way in a guest and on the host:
//
//     bench_run FOLDER NAME...      runs FOLDER/NAME.sh by $FOLDER/busybox sh, in FOLDER
//
//     BENCH start NAME
//     BENCH end NAME CYCLES USEC    time-stamp counter between the two; processor time of the workload
//     BENCH result NAME DIGEST      of what the workload wrote, or "skipped" (exit status 77), or "failed"
//
// Whoever reads the markers takes the time when they arrive.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kSkipped = 77 };

static uint64_t fnv1a(const char* path) {
  uint64_t digest = 0xcbf29ce484222325u;
  FILE* file = fopen(path, "r");
  for (int byte; file && (byte = fgetc(file)) != EOF;) digest = (digest ^ (uint64_t)byte) * 0x100000001b3u;
  if (file) fclose(file);
  return digest;
}

static int run(const char* name, const char* output) {
  const pid_t child = fork();
  if (child == 0) {
    char script[256];
    snprintf(script, sizeof script, "./%s.sh", name);
    const int descriptor = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (descriptor < 0 || dup2(descriptor, STDOUT_FILENO) < 0) _exit(126);
    execl("./busybox", "busybox", "sh", script, (char*)0);
    _exit(127);
  }
  int status = -1;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return 125;
  return WEXITSTATUS(status);
}

static uint64_t processor_us(void) {
  struct rusage use;
  getrusage(RUSAGE_CHILDREN, &use);
  return (uint64_t)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000u +
         (uint64_t)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return 2;
  char output[] = "/tmp/bench.XXXXXX";
  const int descriptor = mkstemp(output);
  if (descriptor < 0) return 2;
  close(descriptor);
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 2; i < argc; ++i) {
    printf("BENCH start %s\n", argv[i]);
    const uint64_t began = __builtin_ia32_rdtsc();
    const uint64_t used_us = processor_us();
    const int status = run(argv[i], output);
    const uint64_t cycles = __builtin_ia32_rdtsc() - began;
    printf("BENCH end %s %llu %llu\n", argv[i], (unsigned long long)cycles,
           (unsigned long long)(processor_us() - used_us));
    if (status == 0)
      printf("BENCH result %s %016llx\n", argv[i], (unsigned long long)fnv1a(output));
    else
      printf("BENCH result %s %s\n", argv[i], status == kSkipped ? "skipped" : "failed");
  }
  unlink(output);
  return 0;
}
