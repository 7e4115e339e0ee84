#include "cpu/system/task.h"

#include "cpu/system/control_regs.h"
#include "cpu/system/debug_regs.h"
#include "cpu/system/stack_access.h"

namespace reprise::cpu {
namespace {

template <class T>
bool load_tss(Cpu& cpu, u64 offset, T& value) {
  if (offset + sizeof(T) - 1 > cpu.state.tr.limit) {
    cpu.raise(kTS, selector_error(cpu.state.tr.selector));
    return false;
  }
  if (cpu.mmu.load_system(cpu.state.tr.base + offset, value)) return true;
  cpu.memory_fault(false);
  return false;
}

bool tss_is_32bit(const Segment& tr) { return (tr.type() & 8) != 0; }

}  // namespace

bool read_tss_stack(Cpu& cpu, u8 level, TssStack& stack) {
  if (in_long_mode(cpu)) {
    stack.selector = level;
    return load_tss(cpu, 4 + 8u * level, stack.pointer);
  }
  if (tss_is_32bit(cpu.state.tr)) {
    u32 esp;
    if (!load_tss(cpu, 8 + 8u * level, stack.selector) || !load_tss(cpu, 4 + 8u * level, esp)) return false;
    stack.pointer = esp;
    return true;
  }
  u16 sp;
  if (!load_tss(cpu, 4 + 4u * level, stack.selector) || !load_tss(cpu, 2 + 4u * level, sp)) return false;
  stack.pointer = sp;
  return true;
}

bool read_ist(Cpu& cpu, unsigned ist, u64& rsp) { return load_tss(cpu, 36 + 8u * (ist - 1), rsp); }

// --- Task switch, SDM 3A 7.3 ---

namespace {

constexpr u64 kBusyInDescriptor = u64{1} << 41;

/// Where a TSS keeps the dynamic fields. SDM 3A figures 7-2, 7-10
struct TssLayout {
  u32 bytes;  // smallest size
  unsigned slot_bytes;
  u32 ip, gprs, selectors, selector_count, ldt;
};
// clang-format off
constexpr TssLayout kTss32{.bytes = 0x68, .slot_bytes = 4, .ip = 0x20, .gprs = 0x28, .selectors = 0x48,
                           .selector_count = 6, .ldt = 0x60};
constexpr TssLayout kTss16{.bytes = 0x2c, .slot_bytes = 2, .ip = 0x0e, .gprs = 0x12, .selectors = 0x22,
                           .selector_count = 4, .ldt = 0x2a};
// clang-format on
constexpr u32 kCr3Offset = 0x1c;
constexpr u32 kDebugTrapOffset = 0x64;

bool fail(Cpu& cpu, Vector vector, u16 selector) {
  cpu.raise(vector, selector_error(selector));
  return false;
}

/// What a 104-byte image says, by layout.
struct TssImage {
  const TssLayout& layout;
  u8 bytes[0x68] = {};

  u32 slot(u32 offset) const {
    return layout.slot_bytes == 4 ? read_unaligned<u32>(bytes + offset) : read_unaligned<u16>(bytes + offset);
  }
  void set_slot(u32 offset, u64 value) {
    if (layout.slot_bytes == 4) {
      write_unaligned<u32>(bytes + offset, static_cast<u32>(value));
    } else {
      write_unaligned<u16>(bytes + offset, static_cast<u16>(value));
    }
  }
  u16 selector(u32 offset) const { return read_unaligned<u16>(bytes + offset); }
  u32 ip() const { return slot(layout.ip); }
  u32 flags() const { return slot(layout.ip + layout.slot_bytes); }
  u32 gpr(unsigned index) const { return slot(layout.gprs + index * layout.slot_bytes); }
  u16 segment(unsigned index) const {
    return index < layout.selector_count ? selector(layout.selectors + index * layout.slot_bytes) : u16{0};
  }
  /// The span that a switch away writes: IP to the last selector.
  u32 saved_begin() const { return layout.ip; }
  u32 saved_end() const { return layout.selectors + layout.selector_count * layout.slot_bytes; }
};

const TssLayout& layout_of(bool is_32bit) { return is_32bit ? kTss32 : kTss16; }

/// Reads the TSS descriptor of `selector` and checks that the task can be entered this way.
bool check_new_task(Cpu& cpu, u16 selector, TaskSwitchSource source, Descriptor& descriptor) {
  const bool returning = source == TaskSwitchSource::Return;
  const Vector vector = returning ? kTS : kGP;
  if (is_null(selector) || (selector & kSelectorTi)) return fail(cpu, vector, selector);
  if (!read_descriptor(cpu, selector, vector, descriptor)) return false;
  constexpr u8 kBusy = 2, k32Bit = 8;
  const bool is_tss = !descriptor.code_or_data() && (descriptor.type() & ~(kBusy | k32Bit)) == 1;
  const bool busy = (descriptor.type() & kBusy) != 0;
  if (!is_tss || busy != returning) return fail(cpu, vector, selector);
  if (!descriptor.present()) return fail(cpu, kNP, selector);
  if (descriptor.limit() < layout_of(descriptor.type() & k32Bit).bytes - 1) return fail(cpu, kTS, selector);
  return true;
}

void save_task(const CpuState& state, u64 next_rip, u64 flags, TssImage& image) {
  const TssLayout& layout = image.layout;
  image.set_slot(layout.ip, next_rip);
  image.set_slot(layout.ip + layout.slot_bytes, flags);
  for (unsigned i = 0; i < 8; ++i) image.set_slot(layout.gprs + i * layout.slot_bytes, state.gpr[i]);
  for (unsigned i = 0; i < layout.selector_count; ++i)
    image.set_slot(layout.selectors + i * layout.slot_bytes, state.seg[i].selector);
}

/// Loads what needs no check; segment registers get their selectors and an unusable hidden part.
void load_task(CpuState& state, const TssImage& image, bool nested) {
  constexpr u64 kLoaded = kRflagsStatus | kRflagsTf | kRflagsIf | kRflagsDf | kRflagsIopl | kRflagsNt |
                          kRflagsRf | kRflagsVm | kRflagsAc | kRflagsVif | kRflagsVip | kRflagsId;
  state.rflags = (image.flags() & kLoaded) | kRflagsFixed | (nested ? kRflagsNt : 0);
  state.rip = image.ip();
  for (unsigned i = 0; i < 8; ++i) {
    const u64 upper = image.layout.slot_bytes == 4 ? 0 : 0xffff0000;
    state.gpr[i] = image.gpr(i) | upper;
  }
  for (unsigned i = 0; i < 6; ++i) state.seg[i] = null_segment(image.segment(i));
  state.ldtr = null_segment(image.selector(image.layout.ldt));
  state.cr0 |= mmu::kCr0Ts;
  constexpr u64 kLocalBreakpoints = 0x155;
  state.dr7 &= ~kLocalBreakpoints;
}

bool load_task_ldt(Cpu& cpu, u16 selector) {
  if (is_null(selector)) return true;
  Descriptor descriptor;
  if (selector & kSelectorTi) return fail(cpu, kTS, selector);
  if (!read_descriptor(cpu, selector, kTS, descriptor)) return false;
  if (!descriptor.is_system(SystemType::Ldt) || !descriptor.present()) return fail(cpu, kTS, selector);
  cpu.state.ldtr = to_segment(selector, descriptor);
  return true;
}

bool load_task_code(Cpu& cpu, u16 selector) {
  Descriptor descriptor;
  if (is_null(selector)) return fail(cpu, kTS, selector);
  if (!read_descriptor(cpu, selector, kTS, descriptor)) return false;
  const u8 rpl = selector & kSelectorRpl;
  const bool level_ok = descriptor.is_conforming_code() ? descriptor.dpl() <= rpl : descriptor.dpl() == rpl;
  if (!descriptor.is_code() || !level_ok) return fail(cpu, kTS, selector);
  if (!descriptor.present()) return fail(cpu, kNP, selector);
  if (!set_accessed(cpu, descriptor)) return false;
  cpu.state.seg[CS] = to_segment(selector, descriptor);
  return true;
}

bool load_task_data(Cpu& cpu, SegmentIndex index, u16 selector) {
  if (is_null(selector)) return true;
  Descriptor descriptor;
  if (!read_descriptor(cpu, selector, kTS, descriptor)) return false;
  const u8 rpl = selector & kSelectorRpl;
  const bool level_ok =
      descriptor.is_conforming_code() || (rpl <= descriptor.dpl() && cpu.state.cpl <= descriptor.dpl());
  if (!(descriptor.is_data() || descriptor.is_readable_code()) || !level_ok) return fail(cpu, kTS, selector);
  if (!descriptor.present()) return fail(cpu, kNP, selector);
  if (!set_accessed(cpu, descriptor)) return false;
  cpu.state.seg[index] = to_segment(selector, descriptor);
  return true;
}

/// Descriptor loads in the context of the new task.
bool load_task_segments(Cpu& cpu, const TssImage& image) {
  CpuState& state = cpu.state;
  if (!load_task_ldt(cpu, state.ldtr.selector)) return false;
  if (state.rflags & kRflagsVm) {
    for (unsigned i = 0; i < 6; ++i) state.seg[i] = v86_segment(image.segment(i));
    return true;
  }
  if (!load_task_code(cpu, image.segment(CS))) return false;
  Segment ss;
  if (!check_stack_segment(cpu, image.segment(SS), state.cpl, kTS, ss)) return false;
  state.seg[SS] = ss;
  for (const SegmentIndex index : {DS, ES, FS, GS}) {
    if (!load_task_data(cpu, index, image.segment(index))) return false;
  }
  return true;
}

bool finish_task_switch(Cpu& cpu, const TssImage& image, const TaskSwitch& task) {
  CpuState& state = cpu.state;
  const bool is_32bit = image.layout.slot_bytes == 4;
  if (is_32bit && (state.cr0 & mmu::kCr0Pg) && !write_cr3(cpu, image.slot(kCr3Offset))) return false;
  if (!load_task_segments(cpu, image)) return false;
  cpu.sync_mode();
  if (state.rip > state.seg[CS].limit) {
    cpu.raise(kGP, 0);
    return false;
  }
  if (!task.push_error) return true;
  StackAccess stack(cpu);
  stack.push(task.error_code, image.layout.slot_bytes);
  if (!stack.commit_pushes()) return false;
  stack.commit_pointer();
  return true;
}

}  // namespace

bool switch_task(Cpu& cpu, const TaskSwitch& task) {
  CpuState& state = cpu.state;
  Descriptor descriptor;
  if (!check_new_task(cpu, task.selector, task.source, descriptor)) return false;
  const bool returning = task.source == TaskSwitchSource::Return;
  const bool nested = task.source == TaskSwitchSource::CallOrInterrupt;

  // Everything that may fault in the context of the old task comes before the first change.
  TssImage image{.layout = layout_of(descriptor.type() & 8)};
  TssImage old_image{.layout = layout_of(tss_is_32bit(state.tr))};
  const u64 old_flags = returning ? state.rflags & ~kRflagsNt : state.rflags;
  save_task(state, task.next_rip, old_flags | task.saved_flags, old_image);
  const u32 saved_bytes = old_image.saved_end() - old_image.saved_begin();
  const u64 saved_linear = state.tr.base + old_image.saved_begin();
  const u64 old_descriptor_linear = state.gdtr.base + (state.tr.selector & ~u64{7});
  u64 old_descriptor = 0;
  if (old_image.saved_end() - 1 > state.tr.limit) return fail(cpu, kTS, state.tr.selector);
  const bool reachable =
      cpu.mmu.load_as(mmu::View::Kernel, descriptor.base(), image.bytes, image.layout.bytes) &&
      cpu.mmu.load_system(old_descriptor_linear, old_descriptor) &&
      cpu.mmu.probe_system(old_descriptor_linear, 8, mmu::Access::Write) &&
      cpu.mmu.probe_system(saved_linear, saved_bytes, mmu::Access::Write) &&
      (!nested || cpu.mmu.probe_system(descriptor.base(), 2, mmu::Access::Write)) &&
      cpu.mmu.probe_system(descriptor.linear, 8, mmu::Access::Write);
  if (!reachable) {
    cpu.memory_fault(false);
    return false;
  }

  // None of these stores can fault any more.
  bool stored = cpu.mmu.store_as(mmu::View::Kernel, saved_linear, old_image.bytes + old_image.saved_begin(),
                                 saved_bytes);
  if (!nested)
    stored = stored && cpu.mmu.store_system(old_descriptor_linear, old_descriptor & ~kBusyInDescriptor);
  if (nested) stored = stored && cpu.mmu.store_system(descriptor.base(), state.tr.selector);
  if (!returning) {
    descriptor.low |= kBusyInDescriptor;
    stored = stored && cpu.mmu.store_system(descriptor.linear, descriptor.low);
  }
  if (!stored) return cpu.memory_fault(false), false;

  state.tr = to_segment(task.selector, descriptor);
  load_task(state, image, nested);
  state.cpl = (state.rflags & kRflagsVm) ? 3 : image.segment(CS) & kSelectorRpl;
  update_watches(cpu);
  cpu.sync_mode();
  if (image.layout.slot_bytes == 4 && (image.bytes[kDebugTrapOffset] & 1)) state.pending_debug |= kDr6Bt;
  cpu.task_fault = !finish_task_switch(cpu, image, task);
  cpu.sync_mode();
  return true;
}

}  // namespace reprise::cpu
