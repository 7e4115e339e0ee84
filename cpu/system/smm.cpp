#include "cpu/system/smm.h"

#include <type_traits>

#include "common/log.h"
#include "cpu/system/control_regs.h"
#include "cpu/system/debug_regs.h"

namespace reprise::cpu {
namespace {

using namespace reprise::mmu;

/// What the state save area holds. What is not in it SMM and the interrupted program share.
struct SavedState {
  CpuState state;
  u32 revision = 0;
  u16 auto_halt_restart = 0;
};

/// A field of the state save area; offsets count from SMBASE.
struct SaveField {
  u16 offset;
  u8 bytes;
  u64 (*get)(const SavedState& saved);
  void (*set)(SavedState& saved, u64 value);
};

#define FIELD(offset, bytes, member)                                                       \
  {offset, bytes, [](const SavedState& saved) { return static_cast<u64>(saved.member); },  \
   [](SavedState& saved, u64 value) {                                                      \
     saved.member = static_cast<std::remove_reference_t<decltype((saved.member))>>(value); \
   }},
#define SEGMENT(offset, segment)     \
  FIELD(offset, 2, segment.selector) \
  FIELD(offset + 2, 2, segment.access) FIELD(offset + 4, 4, segment.limit) FIELD(offset + 8, 8, segment.base)
constexpr SaveField kSaveMap[] = {
#include "cpu/system/smm_save_map.inc"
};
#undef SEGMENT
#undef FIELD

// Bit 17: SMBASE can be relocated. APM 2 10.2.5
constexpr u32 kRevision = 0x20064;
constexpr u32 kHandlerOffset = 0x8000;
constexpr u16 kAutoHaltRestart = 1;

void store(Cpu& cpu, const SavedState& saved, u32 smbase) {
  for (const SaveField& field : kSaveMap)
    cpu.mmu.write_phys(u64{smbase} + field.offset, static_cast<Width>(field.bytes), field.get(saved));
}

void load(Cpu& cpu, SavedState& saved) {
  const u32 smbase = cpu.state.smbase;
  for (const SaveField& field : kSaveMap)
    field.set(saved, cpu.mmu.read_phys(u64{smbase} + field.offset, static_cast<Width>(field.bytes)));
}

/// A segment that is not present can only have been loaded with a null selector.
void for_each_segment(CpuState& state, void (*visit)(Segment& segment)) {
  for (unsigned i = 0; i < kSegFlat; ++i) visit(state.seg[i]);
  visit(state.ldtr), visit(state.tr);
}
constexpr u16 kSavedAccess = 0xf0ff;

bool long_mode(const CpuState& state) { return (state.cr0 & kCr0Pg) && (state.efer & kEferLme); }

/// SDM 3C 31.15, APM 2 10.4
bool possible(const CpuState& state, const CpuProfile& profile) {
  const bool virtual_8086 = (state.rflags & kRflagsVm) != 0;
  if ((state.cr0 >> 32) != 0 || (state.dr6 >> 32) != 0 || (state.dr7 >> 32) != 0) return false;
  if ((state.cr0 & kCr0Pg) && !(state.cr0 & kCr0Pe)) return false;
  if ((state.cr0 & kCr0Nw) && !(state.cr0 & kCr0Cd)) return false;
  if ((state.cr4 & ~allowed_cr4(profile)) != 0 || (state.efer & ~allowed_efer(profile)) != 0) return false;
  if (virtual_8086 && !(state.cr0 & kCr0Pe)) return false;
  if (!long_mode(state)) return !(state.cr4 & kCr4Pcide);
  const bool code64 = (state.seg[CS].access & Segment::kLong) != 0;
  return (state.cr4 & kCr4Pae) && !virtual_8086 && !(code64 && state.seg[CS].db()) &&
         (state.cr3 >> profile.physical_address_bits) == 0;
}

/// The privilege level is not in the area: code that is not conforming has it, or else the stack.
u8 privilege_level(const CpuState& state) {
  if (!(state.cr0 & kCr0Pe)) return 0;
  if (state.rflags & kRflagsVm) return 3;
  const Segment& cs = state.seg[CS];
  return cs.code() && (cs.access & Segment::kConforming) ? state.seg[SS].dpl() : cs.dpl();
}

/// Bits that registers do not have.
void drop_reserved_bits(CpuState& state) {
  state.cr0 = (state.cr0 & kCr0Defined) | kCr0Et;
  state.efer = (state.efer & ~kEferLma) | (long_mode(state) ? kEferLma : 0);
  state.rflags = (state.rflags & kRflagsDefined) | kRflagsFixed;
  state.dr6 = (state.dr6 & (kDr6Hits | kDr6Bd | kDr6Bs | kDr6Bt)) | kDr6Fixed;
  state.dr7 = (state.dr7 & kDr7Defined) | kDr7Fixed;
  state.pending_debug &= kDr6Hits | kDr6Bs | kDr6Bt;
  for_each_segment(state, [](Segment& segment) {
    segment.access &= kSavedAccess;
    if (!(segment.access & Segment::kPresent)) segment.access |= Segment::kUnusable;
  });
  if (!(long_mode(state) && (state.seg[CS].access & Segment::kLong))) state.rip &= 0xffffffff;
}

}  // namespace

void enter_smm(Cpu& cpu) {
  CpuState& state = cpu.state;
  const u32 smbase = state.smbase;
  SavedState saved{.state = state,
                   .revision = kRevision,
                   .auto_halt_restart = state.activity == Activity::Halted ? kAutoHaltRestart : u16{0}};
  for_each_segment(saved.state, [](Segment& segment) { segment.access &= kSavedAccess; });
  cpu.log.write("cpu", LogLevel::Debug, "SMI at {:#x}, SMBASE {:#x}", state.rip, smbase);

  state.in_smm = true;
  cpu.mmu.set_smm(true);
  store(cpu, saved, smbase);

  // SDM 3C table 31-4, APM 2 10.3.2
  constexpr u16 kAccess =
      Segment::kPresent | Segment::kS | Segment::kWritable | Segment::kAccessed | Segment::kGranularity;
  for (unsigned i = 0; i < kSegFlat; ++i)
    state.seg[i] = {.base = 0, .limit = 0xffffffff, .selector = 0, .access = kAccess};
  state.seg[CS].base = smbase;
  state.seg[CS].selector = static_cast<u16>(smbase >> 4);
  state.rip = kHandlerOffset;
  state.rflags = kRflagsFixed;
  state.cr0 &= ~(kCr0Pe | kCr0Em | kCr0Ts | kCr0Pg);
  state.cr4 = 0;
  state.efer = 0;
  state.dr7 = kDr7Fixed;
  state.cpl = 0;
  state.activity = Activity::Running;
  state.nmi_blocked = true;
  state.pending_debug = 0;
  cpu.mmu.set_paging(state.cr0, state.cr4, state.efer);
  update_watches(cpu);
  cpu.sync_mode();
}

bool leave_smm(Cpu& cpu) {
  SavedState saved{.state = cpu.state};
  load(cpu, saved);
  CpuState& state = saved.state;
  if (!possible(state, cpu.profile)) return false;
  drop_reserved_bits(state);
  state.cpl = privilege_level(state);
  state.activity = saved.auto_halt_restart & kAutoHaltRestart ? Activity::Halted : Activity::Running;
  state.in_smm = false;
  state.sti_shadow = state.mov_ss_shadow = false;

  cpu.mmu.set_smm(false);
  if (pae_paging(state.cr0, state.cr4, state.efer) && !load_pdptes(cpu, state.cr3)) {
    cpu.mmu.set_smm(true);
    return false;
  }
  cpu.log.write("cpu", LogLevel::Debug, "RSM to {:#x}, SMBASE {:#x}", state.rip, state.smbase);
  cpu.state = state;
  // A trap on RSM would be one of the handler.
  cpu.single_step = false;
  cpu.debug_hits = 0;
  cpu.state_replaced();
  return true;
}

}  // namespace reprise::cpu
