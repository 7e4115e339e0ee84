// CHECK: for our own bugs only. Guest behaviour and host input never reach one.
#pragma once

namespace reprise {

/// Called once, before abort, by a failing CHECK: prints the machine for the bug report.
using CrashDump = void (*)(void* context);

/// Registers the dump of the machine that runs on this host thread. Pass nullptr to clear.
void set_crash_dump(CrashDump dump, void* context);

/// Prints the failed condition and the registered dump to stderr, then aborts.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace reprise

#define CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::reprise::check_failed(#condition, __FILE__, __LINE__))
#ifdef NDEBUG
#define DCHECK(condition) static_cast<void>(0)
#else
#define DCHECK(condition) CHECK(condition)
#endif
#define UNREACHABLE() ::reprise::check_failed("unreachable", __FILE__, __LINE__)
