#include "jit/x64/vector_state.h"

#include <cstddef>

#include "cpu/state/xsave.h"
#include "jit/host/jit_context.h"

namespace reprise::jit::x64 {
namespace {

constexpr u32 kMxcsrMasks = 0x1f80;
constexpr u16 kFcwMasks = 0x3f;
constexpr u16 kFswEs = 1u << 7;
constexpr unsigned kFswTopShift = 11;

// The legacy region of the XSAVE area, SDM 1 10.5.1, and the header's XSTATE_BV.
constexpr i32 kAreaFcw = 0;
constexpr i32 kAreaFsw = 2;
constexpr i32 kAreaFtw = 4;
constexpr i32 kAreaSt = 32;
constexpr i32 kAreaXstateBv = 512;

constexpr i32 kReturnAddress = 8;

const asmjit::CpuFeatures::X86& host() { return asmjit::CpuInfo::host().features().x86(); }

}  // namespace

bool host_keeps_x87() { return host().hasXSAVE() && host().hasOSXSAVE(); }
bool host_has_avx() { return host().hasAVX(); }

void VectorState::release() {
  default_mxcsr_ = a_.newLabel();
  const Label no_vectors = a_.newLabel();
  const Label no_x87 = a_.newLabel();
  const Mem vectors = x86::byte_ptr(x86::rdi, offsetof(Frame, owned_vectors));
  const Mem x87 = x86::byte_ptr(x86::rdi, offsetof(Frame, owned_x87));
  a_.cmp(vectors, 0);
  a_.je(no_vectors);
  release_vectors();
  a_.mov(vectors, 0);
  a_.bind(no_vectors);
  a_.cmp(x87, 0);
  a_.je(no_x87);
  release_x87();
  a_.mov(x87, 0);
  a_.bind(no_x87);
  a_.ret();
}

void VectorState::release_vectors() {
  const Label xmm_only = a_.newLabel();
  const Label stored = a_.newLabel();
  if (host_has_avx()) {
    a_.cmp(x86::byte_ptr(x86::rdi, offsetof(Frame, owned_vectors)), static_cast<i32>(kOwnedYmm));
    a_.jne(xmm_only);
    for (unsigned i = 0; i < 16; ++i) a_.vmovaps(ymm(i, 32), x86::ymm(i));
    a_.vzeroupper();
    a_.jmp(stored);
  }
  a_.bind(xmm_only);
  for (unsigned i = 0; i < 16; ++i) a_.movaps(ymm(i, 16), x86::xmm(i));
  a_.bind(stored);
  a_.stmxcsr(mxcsr());
  a_.ldmxcsr(x86::ptr(default_mxcsr_));
}

void VectorState::acquire(Label& done, Label& refused) {
  a_.mov(kScratch0.r32(), mxcsr());
  a_.not_(kScratch0.r32());
  a_.test(kScratch0.r32(), kMxcsrMasks);
  a_.jnz(refused);
  const Mem owned = x86::byte_ptr(x86::rsp, kReturnAddress + offsetof(Frame, owned_vectors));
  if (host_has_avx()) {
    // Registers whose upper halves are known to be zero are cheaper to the host too.
    const Label narrow = a_.newLabel();
    a_.vmovaps(x86::xmm0, ymm(0, 16, 16));
    for (unsigned i = 1; i < 16; ++i) a_.vpor(x86::xmm0, x86::xmm0, ymm(i, 16, 16));
    a_.vptest(x86::xmm0, x86::xmm0);
    a_.jz(narrow);
    for (unsigned i = 0; i < 16; ++i) a_.vmovaps(x86::ymm(i), ymm(i, 32));
    a_.ldmxcsr(mxcsr());
    a_.mov(owned, static_cast<i32>(kOwnedYmm));
    a_.jmp(done);
    a_.bind(narrow);
    a_.vzeroupper();
  }
  for (unsigned i = 0; i < 16; ++i) a_.movaps(x86::xmm(i), ymm(i, 16));
  a_.ldmxcsr(mxcsr());
  a_.mov(owned, static_cast<i32>(kOwnedXmm));
  a_.bind(done);
}

void VectorState::acquire_xmm() {
  Label done = a_.newLabel();
  Label refused = a_.newLabel();
  acquire(done, refused);
  a_.clc();
  a_.ret();
  a_.bind(refused);
  a_.stc();
  a_.ret();
}

void VectorState::acquire_ymm() {
  Label done = a_.newLabel();
  Label refused = a_.newLabel();
  const Label wide = a_.newLabel();
  const Mem owned = x86::byte_ptr(x86::rsp, kReturnAddress + offsetof(Frame, owned_vectors));
  a_.cmp(owned, static_cast<i32>(kOwnedXmm));
  a_.je(wide);
  acquire(done, refused);
  a_.bind(wide);
  a_.mov(owned, static_cast<i32>(kOwnedYmm));
  a_.clc();
  a_.ret();
  a_.bind(refused);
  a_.stc();
  a_.ret();
}

void VectorState::acquire_x87() {
  const cpu::X87& x87 = cpu_.state.x87;
  const Mem fcw = cpu_field(offset_in(cpu_, &x87.fcw), 2);
  const Mem fsw = cpu_field(offset_in(cpu_, &x87.fsw), 2);
  const Mem valid = cpu_field(offset_in(cpu_, &x87.valid), 1);
  const i32 st = static_cast<i32>(offset_in(cpu_, &x87.st[0]) - kCpuBias);
  const Label refused = a_.newLabel();
  a_.movzx(kScratch1.r32(), fcw);
  a_.mov(kScratch0.r32(), kScratch1.r32());
  a_.not_(kScratch0.r32());
  a_.test(kScratch0.r32(), kFcwMasks);
  a_.jnz(refused);
  a_.movzx(kScratch0.r32(), fsw);
  a_.test(kScratch0.r32(), kFswEs);
  a_.jnz(refused);
  a_.mov(x86::byte_ptr(x86::rsp, kReturnAddress + offsetof(Frame, owned_x87)), 1);
  a_.push(x86::rax);
  a_.push(x86::rdx);
  a_.push(x86::rcx);
  constexpr i32 kPushed = 3 * 8;
  a_.mov(x86::rcx, x86::ptr(x86::rsp, kPushed + kReturnAddress + offsetof(Frame, context)));
  a_.add(x86::rcx, static_cast<i32>(offsetof(JitContext, x87_area)));
  a_.mov(x86::word_ptr(x86::rcx, kAreaFcw), kScratch1.r16());
  a_.mov(x86::word_ptr(x86::rcx, kAreaFsw), kScratch0.r16());
  a_.movzx(x86::eax, valid);
  a_.mov(x86::word_ptr(x86::rcx, kAreaFtw), x86::ax);
  a_.shr(kScratch0.r32(), kFswTopShift);
  for (i32 i = 0; i < 8; ++i) {
    a_.lea(x86::eax, x86::ptr(kScratch0, i));
    a_.and_(x86::eax, 7);
    a_.shl(x86::eax, 4);
    a_.mov(x86::rdx, x86::qword_ptr(kCpuReg, x86::rax, 0, st));
    a_.mov(x86::qword_ptr(x86::rcx, kAreaSt + 16 * i), x86::rdx);
    a_.movzx(x86::edx, x86::word_ptr(kCpuReg, x86::rax, 0, st + 8));
    a_.mov(x86::qword_ptr(x86::rcx, kAreaSt + 16 * i + 8), x86::rdx);
  }
  a_.mov(x86::eax, static_cast<u32>(cpu::kXstateX87));
  a_.xor_(x86::edx, x86::edx);
  a_.mov(x86::qword_ptr(x86::rcx, kAreaXstateBv), x86::rax);
  a_.xrstor64(x86::ptr(x86::rcx));
  a_.pop(x86::rcx);
  a_.pop(x86::rdx);
  a_.pop(x86::rax);
  a_.clc();
  a_.ret();
  a_.bind(refused);
  a_.stc();
  a_.ret();
}

/// The instruction, opcode and data pointers are not the host's: generated code keeps FIP in the Cpu.
void VectorState::release_x87() {
  const cpu::X87& x87 = cpu_.state.x87;
  const i32 st = static_cast<i32>(offset_in(cpu_, &x87.st[0]) - kCpuBias);
  a_.mov(x86::rcx, x86::ptr(x86::rdi, offsetof(Frame, context)));
  a_.add(x86::rcx, static_cast<i32>(offsetof(JitContext, x87_area)));
  a_.mov(x86::eax, static_cast<u32>(cpu::kXstateX87));
  a_.xor_(x86::edx, x86::edx);
  a_.xsave64(x86::ptr(x86::rcx));
  a_.fninit();
  a_.movzx(x86::eax, x86::word_ptr(x86::rcx, kAreaFcw));
  a_.mov(cpu_field(offset_in(cpu_, &x87.fcw), 2), x86::ax);
  a_.movzx(x86::eax, x86::byte_ptr(x86::rcx, kAreaFtw));
  a_.mov(cpu_field(offset_in(cpu_, &x87.valid), 1), x86::al);
  a_.movzx(x86::esi, x86::word_ptr(x86::rcx, kAreaFsw));
  a_.mov(cpu_field(offset_in(cpu_, &x87.fsw), 2), x86::si);
  a_.shr(x86::esi, kFswTopShift);
  for (i32 i = 0; i < 8; ++i) {
    a_.lea(x86::eax, x86::ptr(x86::rsi, i));
    a_.and_(x86::eax, 7);
    a_.shl(x86::eax, 4);
    a_.mov(x86::rdx, x86::qword_ptr(x86::rcx, kAreaSt + 16 * i));
    a_.mov(x86::qword_ptr(kCpuReg, x86::rax, 0, st), x86::rdx);
    a_.movzx(x86::edx, x86::word_ptr(x86::rcx, kAreaSt + 16 * i + 8));
    a_.mov(x86::word_ptr(kCpuReg, x86::rax, 0, st + 8), x86::dx);
  }
}

void VectorState::constants() {
  a_.align(asmjit::AlignMode::kData, 4);
  a_.bind(default_mxcsr_);
  a_.embedUInt32(cpu::kMxcsrReset);
}

}  // namespace reprise::jit::x64
