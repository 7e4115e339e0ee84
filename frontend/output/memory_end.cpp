#include "frontend/output/memory_end.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <exception>
#include <new>

#include "frontend/terminal.h"

namespace reprise::frontend {
namespace {

/// Enough for the end of a run: a hash, a report with its chain, the screen.
constexpr std::size_t kReserveBytes = std::size_t{16} << 20;

// Handlers of new and terminate have no argument: these are the process's.
std::atomic<void*> reserve{nullptr};
std::atomic<bool> exhausted{false};
std::atomic<machine::Machine*> running{nullptr};
std::terminate_handler usual_terminate = nullptr;

void end_machine() {
  if (machine::Machine* const machine = running.load())
    machine->request_end(machine::ExitReason::HostError,
                         machine::exit_code_of(machine::ExitReason::HostError));
}

void on_exhausted() {
  exhausted.store(true);
  end_machine();
  void* const memory = reserve.exchange(nullptr);
  if (memory == nullptr) throw std::bad_alloc();
  munmap(memory, kReserveBytes);
}

/// Nothing here may need memory.
void on_terminate() {
  Terminal::restore();
  if (!exhausted.load()) usual_terminate();
  for (const char* text : {"reprise: ", machine::kOutOfMemory, "\n"})
    [[maybe_unused]] const ssize_t told = write(STDERR_FILENO, text, std::strlen(text));
  _exit(machine::exit_code_of(machine::ExitReason::HostError));
}

}  // namespace

void prepare_for_memory_end() {
  void* const memory =
      mmap(nullptr, kReserveBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory != MAP_FAILED) reserve.store(memory);
  std::set_new_handler(on_exhausted);
  usual_terminate = std::set_terminate(on_terminate);
}

MemoryEndGuard::MemoryEndGuard(machine::Machine& machine) {
  running.store(&machine);
  if (exhausted.load()) end_machine();
}

MemoryEndGuard::~MemoryEndGuard() { running.store(nullptr); }

}  // namespace reprise::frontend
