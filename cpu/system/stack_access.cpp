#include "cpu/system/stack_access.h"

#include "cpu/system/segments.h"

namespace reprise::cpu {
namespace {

constexpr u64 pointer_mask(StackWidth width) {
  return width == StackWidth::Bits64 ? ~u64{0} : width == StackWidth::Bits32 ? 0xffffffff : 0xffff;
}

}  // namespace

StackWidth stack_width(const Cpu& cpu) {
  if (cpu.mode.is64()) return StackWidth::Bits64;
  return cpu.mode.has(ModeKey::kStack32) ? StackWidth::Bits32 : StackWidth::Bits16;
}

mmu::View view_of(const CpuState& state, u8 cpl) {
  if (cpl == 3) return mmu::View::User;
  return (state.rflags & kRflagsAc) ? mmu::View::KernelAc : mmu::View::Kernel;
}

StackAccess::StackAccess(Cpu& cpu)
    : StackAccess(cpu, cpu.state.seg[SS], stack_width(cpu), cpu.state.gpr[RSP], cpu.state.cpl, 0) {}

StackAccess::StackAccess(Cpu& cpu, const Segment& ss, StackWidth width, u64 pointer, u8 cpl, u32 error_code)
    : cpu_(cpu),
      ss_(ss),
      pointer_(pointer & pointer_mask(width)),
      mask_(pointer_mask(width)),
      width_(width),
      view_(view_of(cpu.state, cpl)),
      error_code_(error_code),
      check_alignment_(cpl == 3 && cpu.mode.has(ModeKey::kAlignCheck)) {}

// A stack that is not canonical owes #SS, which its access raises.
bool StackAccess::misaligned(u64 linear, unsigned bytes) const {
  return check_alignment_ && (linear & (bytes - 1)) != 0 && mmu::is_canonical(cpu_.mmu.context(), linear);
}

bool StackAccess::linear_of(u64 offset, unsigned bytes, u64& linear) {
  linear = offset;
  if (width_ == StackWidth::Bits64) return true;
  linear = static_cast<u32>(ss_.base + offset);
  // An offset that wraps at the end of a 16-bit stack exceeds the limit of any segment but a 32-bit one.
  return ss_.usable() && reprise::cpu::within_limit(ss_, offset, bytes);
}

bool StackAccess::fail_memory() {
  cpu_.memory_fault(true);
  if (cpu_.fault.vector == kSS) cpu_.fault.error_code = error_code_;
  return false;
}

void StackAccess::push_partial(u64 value, unsigned slot_bytes, unsigned stored_bytes) {
  pointer_ = (pointer_ - slot_bytes) & mask_;
  Push& push = pushes_[count_++];
  push.value = value;
  push.bytes = stored_bytes;
  limit_violated_ |= !linear_of(pointer_, stored_bytes, push.linear);
  misaligned_ |= misaligned(push.linear, stored_bytes);
}

// The current rights find the first-level TLB; those of another level go the long way.
bool StackAccess::store(u64 linear, const u8* from, unsigned bytes) {
  if (view_ == cpu_.mmu.view()) {
    if (u8* host = cpu_.mmu.write_pointer(linear, bytes)) {
      std::memcpy(host, from, bytes);
      return true;
    }
  }
  return cpu_.mmu.store_as(view_, linear, from, bytes);
}

bool StackAccess::load(u64 linear, u8* into, unsigned bytes) {
  if (view_ == cpu_.mmu.view()) {
    if (const u8* host = cpu_.mmu.read_pointer(linear, bytes)) {
      std::memcpy(into, host, bytes);
      return true;
    }
  }
  return cpu_.mmu.load_as(view_, linear, into, bytes);
}

bool StackAccess::commit_pushes() {
  if (limit_violated_) {
    cpu_.raise(kSS, error_code_);
    return false;
  }
  if (misaligned_) {
    cpu_.raise(kAC, 0);
    return false;
  }
  // One store where the slots follow each other, as they do unless the stack pointer wraps.
  u8 frame[64];
  const u64 bottom = count_ == 0 ? 0 : pushes_[count_ - 1].linear;
  unsigned total = 0;
  bool contiguous = true;
  for (unsigned i = count_; i-- > 0;) {
    contiguous &= pushes_[i].linear == bottom + total && total + pushes_[i].bytes <= sizeof frame;
    if (!contiguous) break;
    for (unsigned byte = 0; byte < pushes_[i].bytes; ++byte)
      frame[total + byte] = static_cast<u8>(pushes_[i].value >> (8 * byte));
    total += pushes_[i].bytes;
  }
  if (contiguous && (count_ == 0 || store(bottom, frame, total))) return true;

  // Push by push, also to find the one that faults: CR2 names it.
  for (unsigned i = 0; i < count_; ++i) {
    if (!cpu_.mmu.probe_as(view_, pushes_[i].linear, pushes_[i].bytes, mmu::Access::Write))
      return fail_memory();
  }
  for (unsigned i = 0; i < count_; ++i) {
    u8 bytes[8];
    write_unaligned<u64>(bytes, pushes_[i].value);
    if (!store(pushes_[i].linear, bytes, pushes_[i].bytes)) return fail_memory();
  }
  return true;
}

bool StackAccess::pop_partial(unsigned read_bytes, unsigned slot_bytes, u64& value) {
  u64 linear;
  if (!linear_of(pointer_, read_bytes, linear)) {
    cpu_.raise(kSS, error_code_);
    return false;
  }
  if (misaligned(linear, read_bytes)) {
    cpu_.raise(kAC, 0);
    return false;
  }
  u8 bytes[8] = {};
  if (!load(linear, bytes, read_bytes)) return fail_memory();
  value = read_unaligned<u64>(bytes);
  pointer_ = (pointer_ + slot_bytes) & mask_;
  return true;
}

void StackAccess::commit_pointer() {
  u64& rsp = cpu_.state.gpr[RSP];
  // A 32-bit ESP write outside 64-bit mode clears the upper half, as any 32-bit write does.
  rsp = width_ == StackWidth::Bits16 ? (rsp & ~u64{0xffff}) | pointer_ : pointer_;
}

}  // namespace reprise::cpu
