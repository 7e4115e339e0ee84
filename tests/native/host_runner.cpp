#include "tests/native/host_runner.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

namespace reprise::native {
namespace {

constexpr int kGregs[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                            REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
constexpr unsigned kXsaveHeader = 512;
constexpr unsigned kXsaveAvx = 576;
constexpr unsigned kFxSoftware = 464;  // bytes the kernel uses in the frame's FXSAVE area
constexpr unsigned kSecondsPerBatch = 60;

// State of the child only: a signal handler has no other way to its data.
struct Child {
  std::span<const Case> cases;
  std::span<Outcome> outcomes;
  volatile u64* progress;
  u64 index;
  bool started;
};
Child g_child;

void load_case(const Case& test, ucontext_t* context) {
  std::memset(reinterpret_cast<void*>(kCodeLinear), 0xcc, kCodePages * kPageBytes);
  std::memcpy(reinterpret_cast<void*>(test.rip), test.code, test.code_bytes);
  u8* data = reinterpret_cast<u8*>(kDataLinear);
  mprotect(data + kWritablePages * kPageBytes, kPageBytes, PROT_READ | PROT_WRITE);
  fill_data(test, data);
  mprotect(data + kWritablePages * kPageBytes, kPageBytes, PROT_READ);

  for (unsigned i = 0; i < 16; ++i)
    context->uc_mcontext.gregs[kGregs[i]] = static_cast<greg_t>(test.in.gpr[i]);
  context->uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(test.rip);
  context->uc_mcontext.gregs[REG_EFL] = static_cast<greg_t>(test.in.rflags);
  u8* frame = reinterpret_cast<u8*>(context->uc_mcontext.fpregs);
  std::memcpy(frame, test.in.fx.bytes, kFxSoftware);
  u64 xstate_bv;
  std::memcpy(&xstate_bv, frame + kXsaveHeader, 8);
  xstate_bv |= 7;
  std::memcpy(frame + kXsaveHeader, &xstate_bv, 8);
  std::memcpy(frame + kXsaveAvx, test.in.ymm_high, sizeof(test.in.ymm_high));
}

void store_outcome(const ucontext_t* context, Outcome& outcome, bool timed_out) {
  const auto& gregs = context->uc_mcontext.gregs;
  for (unsigned i = 0; i < 16; ++i) outcome.out.gpr[i] = static_cast<u64>(gregs[kGregs[i]]);
  outcome.out.rip = static_cast<u64>(gregs[REG_RIP]);
  outcome.out.rflags = static_cast<u64>(gregs[REG_EFL]);
  const u8* frame = reinterpret_cast<const u8*>(context->uc_mcontext.fpregs);
  std::memcpy(outcome.out.fx.bytes, frame, sizeof(FxImage));
  std::memcpy(outcome.out.ymm_high, frame + kXsaveAvx, sizeof(outcome.out.ymm_high));
  outcome.vector = static_cast<u32>(gregs[REG_TRAPNO]);
  outcome.error_code = static_cast<u32>(gregs[REG_ERR]);
  outcome.cr2 = static_cast<u64>(gregs[REG_CR2]);
  outcome.timed_out = timed_out;
  std::memcpy(outcome.data, reinterpret_cast<const void*>(kDataLinear), kDataBytes);
}

void on_signal(int signal, siginfo_t*, void* raw_context) {
  // A case may have left EFLAGS.AC set; the handler's own accesses need not be aligned.
  __asm__ volatile("pushfq; andl $0xfffbffff, (%%rsp); popfq" ::: "cc", "memory");
  auto* context = static_cast<ucontext_t*>(raw_context);
  Child& child = g_child;
  if (child.started) {
    store_outcome(context, child.outcomes[child.index], signal == SIGVTALRM);
    ++child.index;
    *child.progress = child.index;
  }
  child.started = true;
  if (child.index == child.cases.size()) _exit(0);
  load_case(child.cases[child.index], context);
  // A case that loops is cut off after this much CPU time.
  itimerval limit{};
  limit.it_value.tv_sec = 2;
  setitimer(ITIMER_VIRTUAL, &limit, nullptr);
}

[[noreturn]] void child_main() {
  const auto map = [](u64 linear, u64 pages, int protection) {
    return mmap(reinterpret_cast<void*>(linear), pages * kPageBytes, protection,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != MAP_FAILED;
  };
  if (!map(kCodeLinear, kCodePages, PROT_READ | PROT_WRITE | PROT_EXEC)) _exit(3);
  if (!map(kDataLinear, kDataPages, PROT_READ | PROT_WRITE)) _exit(3);

  constexpr u64 kStackBytes = 256 * 1024;
  stack_t stack{};
  stack.ss_sp = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  stack.ss_size = kStackBytes;
  sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  for (const int signal : {SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGTRAP, SIGVTALRM})
    sigaction(signal, &action, nullptr);
  alarm(kSecondsPerBatch);
  __asm__ volatile("int3");
  _exit(4);
}

}  // namespace

std::string run_on_host(std::span<const Case> cases, std::span<Outcome> outcomes) {
  const u64 bytes = sizeof(u64) * 8 + outcomes.size_bytes();
  void* shared = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return "cannot map shared memory";
  auto* progress = static_cast<volatile u64*>(shared);
  auto* results = reinterpret_cast<Outcome*>(static_cast<u8*>(shared) + sizeof(u64) * 8);

  const pid_t pid = fork();
  if (pid == 0) {
    g_child = {cases, {results, outcomes.size()}, progress, 0, false};
    child_main();
  }
  int status = 0;
  waitpid(pid, &status, 0);
  std::string problem;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    problem =
        fmt::format("host child ended with status {:#x} in case {} of the batch", status, u64{*progress});
  } else {
    std::memcpy(static_cast<void*>(outcomes.data()), results, outcomes.size_bytes());
  }
  munmap(shared, bytes);
  return problem;
}

}  // namespace reprise::native
