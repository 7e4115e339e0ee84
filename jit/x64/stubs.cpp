#include "jit/x64/stubs.h"

#include <cstddef>
#include <iterator>

#include "common/check.h"
#include "jit/x64/emitter.h"
#include "jit/x64/vector_state.h"

namespace reprise::jit::x64 {
namespace {

using asmjit::CodeHolder;
using asmjit::Environment;
using cpu::Cpu;

/// SF, ZF, AF, PF and CF: what LAHF shows in AH.
constexpr u32 kLahfMask = 0xd5;

class StubBuilder {
 public:
  StubBuilder(const Cpu& cpu, x86::Assembler& a) : cpu_(cpu), a_(a) {}

  /// Guest registers to and from the Cpu. Both use rcx.
  void spill() {
    for (unsigned i = 0; i < kPinnedGprs; ++i) a_.mov(field(&cpu_.state.gpr[i]), host_gp(kHostOfGuest[i], 8));
    a_.movzx(x86::ecx, x86::ah);
    a_.and_(x86::ecx, kLahfMask);
    // Where the flags are dead (PlannedInsn::flags_dead) al may be anything.
    a_.and_(x86::eax, 1);
    a_.shl(x86::eax, 11);
    a_.or_(x86::eax, x86::ecx);
    a_.mov(x86::rcx, field(&cpu_.state.rflags));
    a_.and_(x86::rcx, ~static_cast<i32>(cpu::kRflagsStatus));
    a_.or_(x86::rcx, x86::rax);
    a_.mov(field(&cpu_.state.rflags), x86::rcx);
  }
  void reload() {
    a_.mov(x86::rcx, field(&cpu_.state.rflags));
    a_.mov(x86::eax, x86::ecx);
    a_.shr(x86::eax, 11);
    a_.and_(x86::eax, 1);
    a_.mov(x86::ah, x86::cl);
    for (unsigned i = 0; i < kPinnedGprs; ++i) a_.mov(host_gp(kHostOfGuest[i], 8), field(&cpu_.state.gpr[i]));
  }

  void enter() {
    for (const Gp& reg : kSaved) a_.push(reg);
    a_.sub(x86::rsp, kFrameBytes);
    a_.mov(x86::rax, x86::rdi);
    a_.mov(kCpuReg, x86::rsi);
    a_.mov(kBudgetReg, x86::rcx);
    for (u32 at = 0; at < sizeof(Frame); at += 8) {
      a_.mov(x86::rcx, x86::ptr(x86::rdx, static_cast<i32>(at)));
      a_.mov(x86::ptr(x86::rsp, static_cast<i32>(at)), x86::rcx);
    }
    a_.mov(kScratch0, x86::rax);
    reload();
    a_.jmp(kScratch0);
  }

  /// Vector and x87 registers go to the Cpu. After spill(); `above`: bytes on the stack above the Frame.
  void release(i32 above) {
    const Label done = a_.newLabel();
    a_.cmp(x86::word_ptr(x86::rsp, above + static_cast<i32>(offsetof(Frame, owned_vectors))), 0);
    a_.je(done);
    a_.lea(x86::rdi, x86::ptr(x86::rsp, above));
    a_.call(release_);
    a_.bind(done);
  }

  /// With eax the NativeExit and everything in memory.
  void epilogue() {
    a_.bind(epilogue_);
    a_.add(x86::rsp, kFrameBytes);
    for (unsigned i = std::size(kSaved); i-- > 0;) a_.pop(kSaved[i]);
    a_.ret();
  }

  void leave(bool edge, NativeExit exit = kGoOn) {
    spill();
    release(0);
    a_.mov(x86::rdi, x86::ptr(x86::rsp, offsetof(Frame, context)));
    a_.mov(x86::qword_ptr(x86::rdi, offsetof(JitContext, budget)), kBudgetReg);
    if (edge) a_.mov(x86::dword_ptr(x86::rdi, offsetof(JitContext, edge)), kScratch1.r32());
    a_.mov(x86::eax, static_cast<u32>(exit));
    a_.jmp(epilogue_);
  }

  void call_handlers(const HostCalls& calls) {
    constexpr i32 kReturnAddress = 8;
    const Label not_next = a_.newLabel();
    spill();
    release(kReturnAddress);
    a_.mov(x86::rdi, x86::ptr(x86::rsp, kReturnAddress + offsetof(Frame, context)));
    a_.mov(x86::qword_ptr(x86::rdi, offsetof(JitContext, budget)), kBudgetReg);
    a_.mov(x86::esi, kScratch0.r32());
    a_.mov(x86::edx, kScratch1.r32());
    a_.sub(x86::rsp, 8);
    a_.mov(x86::rax, reinterpret_cast<u64>(calls.call_handlers));
    a_.call(x86::rax);
    a_.add(x86::rsp, 8);
    a_.test(x86::eax, x86::eax);
    a_.jnz(not_next);
    a_.mov(x86::rdi, x86::ptr(x86::rsp, kReturnAddress + offsetof(Frame, context)));
    a_.mov(kBudgetReg, x86::qword_ptr(x86::rdi, offsetof(JitContext, budget)));
    reload();
    a_.ret();

    a_.bind(not_next);
    a_.add(x86::rsp, 8);
    a_.cmp(x86::eax, static_cast<u32>(kJump));
    a_.jne(epilogue_);
    a_.mov(x86::rdi, x86::ptr(x86::rsp, offsetof(Frame, context)));
    a_.mov(kBudgetReg, x86::qword_ptr(x86::rdi, offsetof(JitContext, budget)));
    a_.mov(kScratch1, x86::qword_ptr(x86::rdi, offsetof(JitContext, lookup)));
    reload();
    a_.mov(kScratch0, field(&cpu_.state.rip));
    a_.jmp(kScratch1);
  }

  /// Calls `function` with vector registers left alone; eax and r14, r15 are its own. Flags show whether al
  /// is 0.
  template <class Arguments>
  void call_lean(u64 function, bool in_block, Arguments arguments) {
    static constexpr unsigned kKept[] = {Gp::kIdAx, Gp::kIdCx, Gp::kIdDx,  Gp::kIdSi, Gp::kIdDi,
                                         Gp::kIdR8, Gp::kIdR9, Gp::kIdR10, Gp::kIdR11};
    // With the return address of a stub that is called, a multiple of 16 bytes.
    static_assert(std::size(kKept) % 2 == 1);
    if (!in_block) a_.sub(x86::rsp, 8);
    for (const unsigned id : kKept) a_.push(host_gp(id, 8));
    arguments(static_cast<i32>(8 * std::size(kKept) + 8));
    a_.mov(x86::rax, function);
    a_.call(x86::rax);
    a_.mov(kScratch1.r32(), x86::eax);
    a_.test(x86::al, x86::al);
    for (unsigned i = std::size(kKept); i-- > 0;) a_.pop(host_gp(kKept[i], 8));
    if (!in_block) a_.lea(x86::rsp, x86::ptr(x86::rsp, 8));
  }

  void refill(mmu::View view, mmu::Access access, const HostCalls& calls) {
    a_.add(kScratch0,
           x86::qword_ptr(kCpuReg, kScratch1, 0, tlb(view, access, offsetof(mmu::TlbEntry, tag_linear))));
    call_lean(reinterpret_cast<u64>(calls.refill), true, [&](i32) {
      a_.lea(x86::rdi, x86::ptr(kCpuReg, -kCpuBias));
      a_.mov(x86::rsi, kScratch0);
      a_.mov(x86::edx, static_cast<u32>(access));
      a_.mov(x86::ecx, static_cast<u32>(view));
    });
    a_.ret();
  }

  void store_beside_code(mmu::View view, const HostCalls& calls) {
    call_lean(reinterpret_cast<u64>(calls.store_beside_code), true, [&](i32) {
      a_.lea(x86::rdi, x86::ptr(kCpuReg, -kCpuBias));
      a_.mov(x86::rsi, kScratch0);
      a_.mov(x86::rdx, kScratch1);
      a_.mov(x86::ecx, static_cast<u32>(view));
    });
    a_.and_(kScratch0, static_cast<i32>(kPageBytes - 1));
    a_.test(kScratch1.r8(), kScratch1.r8());
    const mmu::TlbEntry& first = cpu_.mmu.tlb_array(view, mmu::Access::Write).entries[0];
    a_.mov(kScratch1, offset_in(cpu_, &cpu_.mmu.beside_code()) - offset_in(cpu_, &first));
    a_.ret();
  }

  void set_interrupts(const HostCalls& calls) {
    call_lean(reinterpret_cast<u64>(calls.set_interrupts), true,
              [&](i32) { a_.lea(x86::rdi, x86::ptr(kCpuReg, -kCpuBias)); });
    a_.ret();
  }

  void set_alignment_check(const HostCalls& calls, const Stubs& stubs, bool set) {
    constexpr i32 kReturnAddress = 8;
    const Label failed = a_.newLabel();
    call_lean(reinterpret_cast<u64>(calls.set_alignment_check), true, [&](i32 above) {
      a_.mov(x86::rdi, x86::ptr(x86::rsp, above + static_cast<i32>(offsetof(Frame, context))));
      a_.mov(x86::esi, set ? 1 : 0);
    });
    a_.jz(failed);
    const auto view = static_cast<unsigned>(set ? mmu::View::KernelAc : mmu::View::Kernel);
    a_.mov(kScratch1, x86::ptr(x86::rsp, kReturnAddress + static_cast<i32>(offsetof(Frame, context))));
    a_.mov(kScratch0, reinterpret_cast<u64>(stubs.lookup[0][view]));
    a_.mov(x86::qword_ptr(kScratch1, offsetof(JitContext, lookup)), kScratch0);
    a_.mov(kScratch0, reinterpret_cast<u64>(stubs.jump_miss[0][view]));
    a_.mov(x86::qword_ptr(kScratch1, offsetof(JitContext, jump_miss)), kScratch0);
    a_.test(kScratch1, kScratch1);
    a_.bind(failed);
    a_.ret();
  }

  void jump_miss(bool segmented, u32 view, const HostCalls& calls, const u8* leave_stub) {
    const Label unknown = a_.newLabel();
    a_.add(kScratch0, kGroupReg);
    if (segmented) {
      a_.mov(kGroupReg, kScratch0);
      a_.sub(kGroupReg.r32(), code_base(4));
      a_.mov(field(&cpu_.state.rip), kGroupReg);
    } else {
      a_.mov(field(&cpu_.state.rip), kScratch0);
    }
    call_lean(reinterpret_cast<u64>(calls.resolve_jump), false, [&](i32 above) {
      a_.mov(x86::rdi, x86::ptr(x86::rsp, above + static_cast<i32>(offsetof(Frame, context))));
      a_.mov(x86::rsi, kScratch0);
      a_.mov(x86::edx, view);
    });
    a_.test(kScratch1.r32(), kScratch1.r32());
    a_.jz(unknown);
    a_.and_(kScratch0, static_cast<i32>(~(kPageBytes - 1)));
    if (segmented) a_.sub(kScratch0, code_base(8));
    a_.mov(field(&cpu_.state.gpr[cpu::kGprPageBase]), kScratch0);
    a_.jmp(kScratch1);
    a_.bind(unknown);
    a_.jmp(reinterpret_cast<u64>(leave_stub));
  }
  void table_miss() {
    a_.mov(kScratch1, x86::qword_ptr(x86::rsp, offsetof(Frame, context)));
    a_.jmp(x86::qword_ptr(kScratch1, offsetof(JitContext, jump_miss)));
  }

  /// What Exits::look_up() does.
  void lookup(bool segmented, mmu::View view, const u8* miss_stub) {
    const Label miss = a_.newLabel();
    if (segmented) a_.add(kScratch0.r32(), code_base(4));
    a_.mov(kScratch1, kScratch0);
    a_.shr(kScratch1, kPageShift - 5);
    a_.and_(kScratch1.r32(), (mmu::kTlbEntries - 1) * sizeof(mmu::TlbEntry));
    const auto entry = [&](std::size_t field_offset) {
      return x86::qword_ptr(kCpuReg, kScratch1, 0, tlb(view, mmu::Access::Fetch, field_offset));
    };
    a_.mov(kGroupReg, entry(offsetof(mmu::TlbEntry, tag_linear)));
    a_.sub(kScratch0, kGroupReg);
    a_.cmp(kScratch0, static_cast<i32>(kPageBytes));
    a_.jae(miss);
    a_.mov(kScratch1, entry(offsetof(mmu::TlbEntry, delta)));
    a_.mov(kScratch1.r32(), x86::dword_ptr(kScratch1, kScratch0, 2));
    if (segmented) a_.sub(kGroupReg, code_base(8));
    a_.mov(field(&cpu_.state.gpr[cpu::kGprPageBase]), kGroupReg);
    if (segmented) a_.add(kGroupReg, code_base(8));
    a_.jmp(kScratch1);
    a_.bind(miss);
    a_.jmp(reinterpret_cast<u64>(miss_stub));
  }

  Label new_release() { return release_ = a_.newLabel(); }
  Label new_epilogue() { return epilogue_ = a_.newLabel(); }

 private:
  // After the return address and these, rsp is 8 beyond a multiple of 16.
  static constexpr u32 kFrameBytes = (sizeof(Frame) + 15) / 16 * 16 + 8;
  const Gp kSaved[6] = {x86::rbx, x86::rbp, x86::r12, x86::r13, x86::r14, x86::r15};

  Mem code_base(unsigned bytes) const {
    return cpu_field(offset_in(cpu_, &cpu_.state.seg[cpu::CS].base), bytes);
  }
  Mem field(const u64* value) const { return cpu_field(offset_in(cpu_, value), 8); }
  i32 tlb(mmu::View view, mmu::Access access, std::size_t field_offset) const {
    const i64 entry = offset_in(cpu_, &cpu_.mmu.tlb_array(view, access).entries[0]);
    return static_cast<i32>(entry - kCpuBias + static_cast<i64>(field_offset));
  }

  const Cpu& cpu_;
  x86::Assembler& a_;
  Label epilogue_;
  Label release_;
};
static_assert(offsetof(Frame, owned_x87) == offsetof(Frame, owned_vectors) + 1);

}  // namespace

Stubs build_stubs(CodeArena& arena, const Cpu& cpu, const HostCalls& calls) {
  Stubs stubs;
  CodeHolder code;
  CHECK(code.init(Environment::host(), reinterpret_cast<u64>(arena.next())) == asmjit::kErrorOk);
  x86::Assembler a(&code);
  StubBuilder builder(cpu, a);
  const u8* const base = arena.next();
  const auto here = [&] { return base + a.offset(); };

  VectorState vector_state(cpu, a);
  a.bind(builder.new_release());
  vector_state.release();
  stubs.acquire_xmm = here();
  vector_state.acquire_xmm();
  stubs.acquire_ymm = here();
  vector_state.acquire_ymm();
  stubs.acquire_x87 = here();
  vector_state.acquire_x87();
  vector_state.constants();
  builder.new_epilogue();
  stubs.enter = here();
  builder.enter();
  builder.epilogue();
  stubs.leave = here();
  builder.leave(false);
  stubs.leave_interpret = here();
  builder.leave(false, kInterpret);
  stubs.leave_edge = here();
  builder.leave(true);
  stubs.call_handlers = here();
  builder.call_handlers(calls);
  stubs.set_interrupts = here();
  builder.set_interrupts(calls);
  stubs.table_miss = here();
  builder.table_miss();
  for (unsigned view = 0; view < mmu::kViews; ++view) {
    for (const bool segmented : {false, true}) {
      a.align(asmjit::AlignMode::kCode, 16);
      stubs.jump_miss[segmented][view] = here();
      builder.jump_miss(segmented, view, calls, stubs.leave);
      stubs.lookup[segmented][view] = here();
      builder.lookup(segmented, static_cast<mmu::View>(view), stubs.jump_miss[segmented][view]);
    }
    stubs.store_beside_code[view] = here();
    builder.store_beside_code(static_cast<mmu::View>(view), calls);
    for (const mmu::Access access : {mmu::Access::Read, mmu::Access::Write, mmu::Access::Fetch}) {
      stubs.refill[view][static_cast<unsigned>(access)] = here();
      builder.refill(static_cast<mmu::View>(view), access, calls);
    }
  }
  for (const bool set : {false, true}) {
    stubs.set_alignment_check[set] = here();
    builder.set_alignment_check(calls, stubs, set);
  }
  CHECK(code.flatten() == asmjit::kErrorOk);
  CHECK(code.resolveUnresolvedLinks() == asmjit::kErrorOk);
  CHECK(code.relocateToBase(reinterpret_cast<u64>(base)) == asmjit::kErrorOk);
  CHECK(code.copyFlattenedData(arena.writable(base), arena.room()) == asmjit::kErrorOk);
  arena.take(code.codeSize());
  return stubs;
}

}  // namespace reprise::jit::x64
