// Descriptor loads and checks, and the MOV, PUSH, POP, LDS... forms that load segment registers.
// SDM 3A chapters 3 and 5, SDM 2. A fault leaves every register as it was; the accessed bit may have been
// set.
#include "cpu/system/segments.h"

#include "cpu/core/operands.h"
#include "cpu/system/special_mov.h"
#include "cpu/system/stack_access.h"

namespace reprise::cpu {
namespace {

constexpr u64 kAccessedInDescriptor = u64{1} << 40;

/// True when `bytes` from the entry of `selector` on lie in its table; `linear` is where.
bool find_in_table(const CpuState& state, u16 selector, u64 bytes, u64& linear) {
  const u64 offset = selector & ~u64{7};
  const bool local = (selector & kSelectorTi) != 0;
  const u64 limit = local ? state.ldtr.limit : state.gdtr.limit;
  linear = (local ? state.ldtr.base : state.gdtr.base) + offset;
  return (!local || state.ldtr.usable()) && offset + bytes - 1 <= limit;
}

bool descriptor_linear(Cpu& cpu, u16 selector, u64 bytes, Vector vector, u64& linear) {
  if (find_in_table(cpu.state, selector, bytes, linear)) return true;
  cpu.raise(vector, selector_error(selector));
  return false;
}

bool load_descriptor_qword(Cpu& cpu, u64 linear, u64& value) {
  if (cpu.mmu.load_system(linear, value)) return true;
  cpu.memory_fault(false);
  return false;
}

/// DS, ES, FS, GS in protected mode.
bool check_data_segment(Cpu& cpu, u16 selector, Segment& loaded) {
  if (is_null(selector)) {
    loaded = null_segment(selector);
    return true;
  }
  Descriptor descriptor;
  if (!read_descriptor(cpu, selector, kGP, descriptor)) return false;
  const bool readable = descriptor.is_data() || descriptor.is_readable_code();
  const u8 rpl = selector & kSelectorRpl;
  const bool privileged =
      descriptor.is_conforming_code() || (rpl <= descriptor.dpl() && cpu.state.cpl <= descriptor.dpl());
  if (!readable || !privileged) {
    cpu.raise(kGP, selector_error(selector));
    return false;
  }
  if (!descriptor.present()) {
    cpu.raise(kNP, selector_error(selector));
    return false;
  }
  if (!set_accessed(cpu, descriptor)) return false;
  loaded = to_segment(selector, descriptor);
  return true;
}

}  // namespace

Segment to_segment(u16 selector, const Descriptor& descriptor) {
  return {.base = descriptor.base(),
          .limit = descriptor.limit(),
          .selector = selector,
          .access = descriptor.access()};
}

Segment null_segment(u16 selector) {
  return {.base = 0, .limit = 0, .selector = selector, .access = Segment::kUnusable};
}

Segment real_segment(const Segment& old, u16 selector) {
  // SDM 3A 20.1.1 gives the base; limit and size stay as protected mode left them.
  Segment segment = old;
  segment.base = u64{selector} << 4;
  segment.selector = selector;
  if (!old.usable()) segment.limit = kRealModeLimit;
  segment.access = static_cast<u16>((old.access & (Segment::kDb | Segment::kGranularity)) | kRealModeAccess);
  return segment;
}

Segment v86_segment(u16 selector) {
  return {.base = u64{selector} << 4, .limit = kRealModeLimit, .selector = selector, .access = kV86Access};
}

bool selector_in_table(const Cpu& cpu, u16 selector) {
  u64 linear;
  return find_in_table(cpu.state, selector, 8, linear);
}

bool read_descriptor(Cpu& cpu, u16 selector, Vector vector, Descriptor& descriptor) {
  if (!descriptor_linear(cpu, selector, 8, vector, descriptor.linear)) return false;
  return load_descriptor_qword(cpu, descriptor.linear, descriptor.low);
}

bool read_system_descriptor(Cpu& cpu, u16 selector, Vector vector, Descriptor& descriptor) {
  if (!in_long_mode(cpu)) return read_descriptor(cpu, selector, vector, descriptor);
  if (!descriptor_linear(cpu, selector, 16, vector, descriptor.linear)) return false;
  return load_descriptor_qword(cpu, descriptor.linear, descriptor.low) &&
         load_descriptor_qword(cpu, descriptor.linear + 8, descriptor.high);
}

bool set_accessed(Cpu& cpu, Descriptor& descriptor) {
  if (descriptor.low & kAccessedInDescriptor) return true;
  descriptor.low |= kAccessedInDescriptor;
  if (cpu.mmu.store_system(descriptor.linear + 5, static_cast<u8>(descriptor.low >> 40))) return true;
  cpu.memory_fault(false);
  return false;
}

bool check_stack_segment(Cpu& cpu, u16 selector, u8 cpl, Vector vector, Segment& loaded) {
  const u32 error = selector_error(selector);
  if (is_null(selector)) {
    cpu.raise(vector, error);
    return false;
  }
  Descriptor descriptor;
  if (!read_descriptor(cpu, selector, vector, descriptor)) return false;
  if ((selector & kSelectorRpl) != cpl || !descriptor.is_writable_data() || descriptor.dpl() != cpl) {
    cpu.raise(vector, error);
    return false;
  }
  if (!descriptor.present()) {
    cpu.raise(kSS, error);
    return false;
  }
  if (!set_accessed(cpu, descriptor)) return false;
  loaded = to_segment(selector, descriptor);
  return true;
}

bool check_segment(Cpu& cpu, SegmentIndex index, u16 selector, Segment& loaded) {
  if (in_v86(cpu)) {
    loaded = v86_segment(selector);
    return true;
  }
  if (!in_protected(cpu)) {
    loaded = real_segment(cpu.state.seg[index], selector);
    return true;
  }
  if (index != SS) return check_data_segment(cpu, selector, loaded);
  // SDM 2B MOV: 64-bit mode below level 3 takes a null SS of its own level.
  if (is_null(selector) && in_64bit(cpu) && cpu.state.cpl != 3 &&
      (selector & kSelectorRpl) == cpu.state.cpl) {
    loaded = null_segment(selector);
    loaded.access |= static_cast<u16>(cpu.state.cpl << Segment::kDplShift);
    return true;
  }
  return check_stack_segment(cpu, selector, cpu.state.cpl, kGP, loaded);
}

void null_inaccessible_segments(CpuState& state) {
  for (const SegmentIndex index : {ES, DS, FS, GS}) {
    Segment& segment = state.seg[index];
    const bool conforming = segment.code() && (segment.access & Segment::kConforming);
    // The hidden base stays: in 64-bit mode that of FS and GS goes on to count. Processors also clear the RPL of a null
    // selector.
    if (!segment.usable() || (!conforming && segment.dpl() < state.cpl))
      segment = {.base = segment.base, .limit = 0, .selector = 0, .access = Segment::kUnusable};
  }
}

bool canonical_base(const Cpu& cpu, u64 linear) {
  if (!cpu.profile.has(Feature::LongMode)) return true;
  return sign_extend(linear, cpu.profile.linear_address_bits()) == linear;
}

bool load_ldtr(Cpu& cpu, u16 selector) {
  if (is_null(selector)) {
    cpu.state.ldtr = null_segment(selector);
    return true;
  }
  const u32 error = selector_error(selector);
  Descriptor descriptor;
  if (selector & kSelectorTi) {
    cpu.raise(kGP, error);
    return false;
  }
  if (!read_system_descriptor(cpu, selector, kGP, descriptor)) return false;
  const bool type_ok = descriptor.is_system(SystemType::Ldt) && (descriptor.high & 0x1f0000000000) == 0;
  if (!type_ok || (in_long_mode(cpu) && !canonical_base(cpu, descriptor.base_long()))) {
    cpu.raise(kGP, error);
    return false;
  }
  if (!descriptor.present()) {
    cpu.raise(kNP, error);
    return false;
  }
  cpu.state.ldtr = to_segment(selector, descriptor);
  cpu.state.ldtr.base = descriptor.base_long();
  return true;
}

bool load_tr(Cpu& cpu, u16 selector) {
  const u32 error = selector_error(selector);
  if (is_null(selector) || (selector & kSelectorTi)) {
    cpu.raise(kGP, error);
    return false;
  }
  Descriptor descriptor;
  if (!read_system_descriptor(cpu, selector, kGP, descriptor)) return false;
  const bool available = descriptor.is_system(SystemType::Tss32Available) ||
                         (!in_long_mode(cpu) && descriptor.is_system(SystemType::Tss16Available));
  if (!available || (descriptor.high & 0x1f0000000000) != 0 ||
      (in_long_mode(cpu) && !canonical_base(cpu, descriptor.base_long()))) {
    cpu.raise(kGP, error);
    return false;
  }
  if (!descriptor.present()) {
    cpu.raise(kNP, error);
    return false;
  }
  constexpr u64 kBusy = u64{1} << 41;
  descriptor.low |= kBusy;
  if (!cpu.mmu.store_system(descriptor.linear + 5, static_cast<u8>(descriptor.low >> 40))) {
    cpu.memory_fault(false);
    return false;
  }
  cpu.state.tr = to_segment(selector, descriptor);
  cpu.state.tr.base = descriptor.base_long();
  return true;
}

// --- Instructions ---

namespace {

/// Writes the register and tells what the rest of the block may rely on.
Status commit_segment(Cpu& cpu, SegmentIndex index, const Segment& loaded) {
  cpu.state.seg[index] = loaded;
  // SDM 3A 6.8.3: interrupts and debug exceptions wait for the instruction after a load of SS.
  if (index == SS) cpu.state.mov_ss_shadow = true;
  return Status::Stop;
}

Status load_segment(Cpu& cpu, SegmentIndex index, u16 selector) {
  Segment loaded;
  if (!check_segment(cpu, index, selector, loaded)) return Status::Fault;
  return commit_segment(cpu, index, loaded);
}

Status mov_segment_register(Cpu& cpu, const Insn& in) {
  return load_segment(cpu, static_cast<SegmentIndex>(in.reg[0]), gpr<u16>(cpu.state, in.reg[1]));
}

Status mov_segment_memory(Cpu& cpu, const Insn& in) {
  u16 selector;
  if (!load_operand(cpu, in, selector)) return Status::Fault;
  return load_segment(cpu, static_cast<SegmentIndex>(in.reg[0]), selector);
}

template <class T>
Status mov_from_segment(Cpu& cpu, const Insn& in) {
  set_gpr<T>(cpu.state, in.reg[0], cpu.state.seg[in.reg[1]].selector);
  return Status::Next;
}

Status mov_memory_from_segment(Cpu& cpu, const Insn& in) {
  return store_operand<u16>(cpu, in, cpu.state.seg[in.reg[1]].selector) ? Status::Next : Status::Fault;
}

/// PUSH Sreg writes 16 bits in a slot of the operand size. SDM 2B PUSH.
template <class T>
Status push_segment(Cpu& cpu, const Insn& in) {
  StackAccess stack(cpu);
  stack.push_selector(cpu.state.seg[in.reg[0]].selector, sizeof(T));
  if (!stack.commit_pushes()) return Status::Fault;
  stack.commit_pointer();
  return Status::Next;
}

template <class T>
Status pop_segment(Cpu& cpu, const Insn& in) {
  StackAccess stack(cpu);
  u64 value;
  if (!stack.pop_selector(sizeof(T), value)) return Status::Fault;
  const SegmentIndex index = static_cast<SegmentIndex>(in.reg[0]);
  Segment loaded;
  if (!check_segment(cpu, index, static_cast<u16>(value), loaded)) return Status::Fault;
  // The pointer moves by the old stack size, whatever a new SS says.
  stack.commit_pointer();
  return commit_segment(cpu, index, loaded);
}

}  // namespace

Handler select_mov_segment(const Insn& in) {
  switch (in.form) {
    case Form::RM: return mov_segment_memory;
    case Form::MR: return mov_memory_from_segment;
    case Form::RR: break;
    default: return nullptr;
  }
  if (in.reg_class[0] == RegClass::Segment) return in.reg[0] == CS ? nullptr : mov_segment_register;
  switch (in.size0) {
    case 2: return mov_from_segment<u16>;
    case 4: return mov_from_segment<u32>;
    case 8: return mov_from_segment<u64>;
    default: return nullptr;
  }
}

Handler select_push_segment(const Insn& in) {
  switch (in.operand_bytes) {
    case 2: return push_segment<u16>;
    case 4: return push_segment<u32>;
    case 8: return push_segment<u64>;
    default: return nullptr;
  }
}

Handler select_pop_segment(const Insn& in) {
  switch (in.operand_bytes) {
    case 2: return pop_segment<u16>;
    case 4: return pop_segment<u32>;
    case 8: return pop_segment<u64>;
    default: return nullptr;
  }
}

}  // namespace reprise::cpu
