#include "common/check.h"

#include <cstdio>
#include <cstdlib>

namespace reprise {
namespace {
// The one process-wide hook: a crash has no machine to ask. Set by the thread that runs the machine.
thread_local CrashDump t_dump = nullptr;
thread_local void* t_context = nullptr;
}  // namespace

void set_crash_dump(CrashDump dump, void* context) {
  t_dump = dump;
  t_context = context;
}

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "reprise: internal error: %s at %s:%d\n", condition, file, line);
  if (CrashDump dump = t_dump) {
    t_dump = nullptr;
    dump(t_context);
  }
  std::abort();
}

}  // namespace reprise
