#include "tests/unit/cpu_vector/host_insn.h"

#include <iomanip>

#include "cpu/softfloat/format.h"

#if defined(__x86_64__)
#include <sys/mman.h>

#include <csetjmp>
#include <csignal>
#include <cstring>
#endif

namespace reprise::cpu {

std::ostream& operator<<(std::ostream& out, const VectorState& state) {
  const auto hex = [&](u64 value) -> std::ostream& {
    return out << std::hex << std::setw(16) << std::setfill('0') << value << std::dec;
  };
  out << "xmm0 ", hex(state.xmm0.qword[1]) << ':', hex(state.xmm0.qword[0]);
  out << " xmm1 ", hex(state.xmm1.qword[1]) << ':', hex(state.xmm1.qword[0]);
  out << "\n mm0 ", hex(state.mm0.qword[0]) << " mm1 ", hex(state.mm1.qword[0]);
  out << " rax ", hex(state.rax) << " rcx ", hex(state.rcx) << " rdx ", hex(state.rdx);
  out << "\n flags ", hex(state.status_flags.value_or(0)) << " mxcsr ", hex(state.mxcsr);
  return out << " imm " << int{state.imm} << (state.fault ? " #XM" : "") << '\n';
}

#if defined(__x86_64__)
namespace {

struct Page {
  Page()
      : bytes(static_cast<u8*>(
            mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {}
  ~Page() { munmap(bytes, 4096); }
  /// The code between entry and exit sequences that exchange a VectorState at rdi. Done again when the code changes.
  void load(Code code, bool patch, u8 imm) {
    mprotect(bytes, 4096, PROT_READ | PROT_WRITE);
    std::memcpy(bytes, code.data(), code.size());
    if (patch) bytes[code.size() - 1] = imm;
    bytes[code.size()] = 0xc3;
    mprotect(bytes, 4096, PROT_READ | PROT_EXEC);
  }
  u8* bytes;
};

sigjmp_buf g_return;
u32 g_mxcsr;
void on_sigfpe(int, siginfo_t*, void* context) {
  g_mxcsr = static_cast<ucontext_t*>(context)->uc_mcontext.fpregs->mxcsr;
  siglongjmp(g_return, 1);
}

u64 call(const u8* code, VectorState& s) {
  u64 rflags;
  asm volatile(
      "stmxcsr 16(%[scratch])\n"
      "movdqu %[xmm0], %%xmm0\n movdqu %[xmm1], %%xmm1\n movq %[mm0], %%mm0\n movq %[mm1], %%mm1\n"
      "movq %[rax], %%rax\n movq %[rcx], %%rcx\n movq %[rdx], %%rdx\n ldmxcsr %[mxcsr]\n"
      "call *%[code]\n"
      "stmxcsr %[mxcsr]\n ldmxcsr 16(%[scratch])\n pushfq\n popq (%[scratch])\n"
      "movq %%rax, %[rax]\n movq %%rcx, %[rcx]\n movq %%rdx, %[rdx]\n"
      "movdqu %%xmm0, %[xmm0]\n movq %%mm0, %[mm0]\n movq (%[scratch]), %%rax\n movq %%rax, %[flags]\n emms"
      : [xmm0] "+m"(s.xmm0), [mm0] "+m"(s.mm0), [rax] "+m"(s.rax), [rcx] "+m"(s.rcx), [rdx] "+m"(s.rdx),
        [mxcsr] "+m"(s.mxcsr), [flags] "=m"(rflags)
      : [xmm1] "m"(s.xmm1), [mm1] "m"(s.mm1), [code] "r"(code), [scratch] "r"(std::array<u64, 4>{}.data())
      : "rax", "rcx", "rdx", "xmm0", "xmm1", "mm0", "mm1", "cc", "memory");
  return rflags;
}

}  // namespace

bool host_can_run() { return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"); }

VectorState run_on_host(Code code, const VectorState& state, bool patch_imm) {
  static Page page;
  static Code loaded;
  static int loaded_imm = -1;
  const int imm = patch_imm ? state.imm : -1;
  if (loaded.data() != code.data() || loaded_imm != imm) page.load(code, patch_imm, state.imm);
  loaded = code;
  loaded_imm = imm;

  struct sigaction action {
  }, previous{};
  action.sa_sigaction = on_sigfpe;
  action.sa_flags = SA_SIGINFO;
  const bool may_fault = (~state.mxcsr & 0x1f80) != 0;
  if (may_fault) sigaction(SIGFPE, &action, &previous);
  VectorState after = state;
  if (sigsetjmp(g_return, 1) == 0) {
    after.status_flags = call(page.bytes, after) & kRflagsStatus;
  } else {
    const u32 usual = 0x1f80;
    asm volatile("ldmxcsr %0\n emms" : : "m"(usual));
    after = state;
    after.fault = true;
    after.mxcsr = g_mxcsr;
  }
  if (may_fault) sigaction(SIGFPE, &previous, nullptr);
  return after;
}
#else
bool host_can_run() { return false; }
VectorState run_on_host(Code, const VectorState& state, bool) { return state; }
#endif

namespace {

class OperandSource {
 public:
  explicit OperandSource(u64 seed) : random_(seed) {}

  u64 bits() { return random_(); }
  u64 qword(Operands kind) {
    switch (kind) {
      case Operands::Integer: return integer();
      case Operands::Single:
        return element<softfloat::Binary32>() | u64{element<softfloat::Binary32>()} << 32;
      default: return element<softfloat::Binary64>();
    }
  }

 private:
  /// Lanes of every width are often edge values, often equal to earlier ones.
  u64 integer() {
    // clang-format off
    static constexpr u64 kEdges[] = {
        0, ~u64{0}, 0x8000000000000000, 0x7fffffffffffffff, 0x8000800080008000,
        0x7fff7fff7fff7fff, 0x8080808080808080, 0x7f7f7f7f7f7f7f7f, 0x8000000080000000,
        0x7fffffff7fffffff, 0x0101010101010101, 0x00ff00ff00ff00ff, 1, 0x0001000100010001};
    // clang-format on
    switch (random_() % 6) {
      case 0: return kEdges[random_() % std::size(kEdges)];
      case 1: return random_() & random_() & random_();
      case 2: return last_ ^ (random_() & random_() & random_() & random_());
      case 3: return random_() & 0x0303030303030303;
      default: return last_ = random_();
    }
  }

  template <class F>
  typename F::Bits remember(typename F::Bits value) {
    if constexpr (sizeof(value) == 4)
      return last32_ = value;
    else
      return last64_ = value;
  }
  template <class F>
  typename F::Bits recall() const {
    if constexpr (sizeof(typename F::Bits) == 4)
      return last32_;
    else
      return last64_;
  }
  /// Specials, few-bit numbers, near-equal pairs, integers around the integer limits, numbers near one, random bits.
  template <class F>
  typename F::Bits element() {
    using Bits = typename F::Bits;
    const u64 r = random_();
    const bool sign = (r >> 40 & 1) != 0;
    const auto number = [&](u64 field, Bits fraction) {
      return static_cast<Bits>(F::with_sign(sign) | static_cast<Bits>(field << F::kFractionBits) |
                               (fraction & F::kFractionMask));
    };
    switch (r % 8) {
      case 0: {
        const Bits specials[] = {F::zero(sign),
                                 F::infinity(sign),
                                 F::default_nan(),
                                 F::quiet(static_cast<Bits>(F::infinity(sign) + (r >> 48 & 7))),
                                 static_cast<Bits>(F::infinity(sign) + 1 + (r >> 48 & 7)),
                                 number(0, 1),
                                 number(0, F::kFractionMask),
                                 F::largest(sign),
                                 number(1, 0),
                                 number(0, static_cast<Bits>(random_()))};
        return specials[(r >> 8) % std::size(specials)];
      }
      case 1: return static_cast<Bits>(random_());
      case 2: return remember<F>(static_cast<Bits>(recall<F>() ^ F::with_sign(sign) ^ (r >> 21 & 3)));
      case 3:
        return remember<F>(
            number((r >> 10 & 63) + F::kBias + 4, static_cast<Bits>(random_() << (r >> 20 & 31))));
      case 4:
        return number(random_() % F::kMaxField, static_cast<Bits>(r >> 8 & 7) << (F::kFractionBits - 3));
      default: return remember<F>(number((r >> 10 & 31) + F::kBias - 16, static_cast<Bits>(random_())));
    }
  }

  std::mt19937_64 random_;
  u64 last_ = 0;
  u32 last32_ = 0x3f800000;
  u64 last64_ = 0x3ff0000000000000;
};

}  // namespace

void compare(const Comparison& comparison) {
  if (!host_can_run()) GTEST_SKIP() << "needs an x86-64 host with SSE4.2 and PCLMULQDQ";
  OperandSource source(0x5eed);
  for (int i = 0; i < comparison.rounds; ++i) {
    VectorState before;
    for (u64* part : {&before.xmm0.qword[0], &before.xmm0.qword[1], &before.xmm1.qword[0],
                      &before.xmm1.qword[1], &before.mm0.qword[0], &before.mm1.qword[0]}) {
      *part = source.qword(comparison.operands);
    }
    for (u64* part : {&before.rax, &before.rcx, &before.rdx}) *part = source.qword(Operands::Integer);
    if (i % 8 == 0) before.xmm1 = before.xmm0, before.mm1 = before.mm0;
    before.imm = static_cast<u8>(i / 16);  // code is patched when it changes
    if (comparison.operands != Operands::Integer) {
      before.mxcsr |= static_cast<u32>(source.bits()) & (3u << 13 | 1u << 15 | 1u << 6);
      before.mxcsr |= static_cast<u32>(source.bits()) & softfloat::kPE;
      // Often what lets bodies use host arithmetic.
      if (i % 3 == 0) before.mxcsr = kMxcsrReset | softfloat::kPE;
      if (comparison.unmask) before.mxcsr &= ~(static_cast<u32>(source.bits()) & 0x1f80);
    }
    VectorState expected = run_on_host(comparison.code, before, comparison.imm);
    VectorState model = before;
    comparison.model(model);
    if (!model.status_flags) expected.status_flags.reset();
    ASSERT_EQ(model, expected) << comparison.name << " on\n" << before;
  }
}

}  // namespace reprise::cpu
