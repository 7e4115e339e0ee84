// BlockEmitter: what the emission of every instruction is made of: operands, probes, flags, calls of
// handlers, exits. Operands and probes are in memory.cpp, ways out of a block in exits.cpp.
#pragma once

#include <functional>
#include <vector>

#include "cpu/blocks/block_cache.h"
#include "jit/jit_options.h"
#include "jit/native_block.h"
#include "jit/plan.h"
#include "jit/x64/counting_assembler.h"
#include "jit/x64/emitter.h"
#include "jit/x64/host_flags.h"
#include "jit/x64/stubs.h"

namespace reprise::jit::x64 {

/// Host registers besides the general ones that an instruction needs for the guest's.
enum class HostRegisters : u8 { General, Xmm, Ymm, X87 };
/// What holds for all blocks.
struct EmitContext {
  const Stubs& stubs;
  const cpu::Cpu& cpu;
  const JitOptions& options;
  const cpu::BlockCache& blocks;
  bool bmi2;  // the host has it
  HostFlags host_flags;
};

class BlockEmitter {
 public:
  BlockEmitter(CountingAssembler& assembler, const EmitContext& context, const cpu::Block& block,
               const Plan& plan, mmu::View view, NativeBlock& native)
      : a(assembler),
        context_(context),
        cpu_(context.cpu),
        block_(block),
        plan_(plan),
        view_(view),
        native_(native) {}

  /// Instruction `index` of the block needs `registers`. Before begin(), in order.
  void needs(u32 index, HostRegisters registers);
  /// Instruction `index` of the block leaves its address in the guest's FIP. Before begin(), in order.
  void sets_fip(u32 index) { fip_until_ = index + 1; }
  /// Charges the budget; leaves before the block when it does not last for all of it.
  void begin();
  /// Offset of what follows the charge.
  u64 body_begin() const { return body_begin_; }
  /// Slow paths and exit stubs, which lie at `distance` bytes from the rest. `emit` emits one instruction,
  /// from begin_insn() to end_insn().
  void finish_cold(u64 distance, const std::function<void(u32 index)>& emit);
  /// When the block's code has its place.
  void place_edges(NativeBlock& native) const;

  CountingAssembler& a;
  cpu::ModeKey mode() const { return block_.mode; }
  /// Bytes of a linear address.
  unsigned word_bytes() const { return block_.mode.is64() ? 8 : 4; }
  /// Bytes of the stack pointer.
  unsigned stack_bytes() const {
    return block_.mode.is64() ? 8 : block_.mode.has(cpu::ModeKey::kStack32) ? 4 : 2;
  }
  /// See segmented_code().
  bool segmented() const { return segmented_code(block_.mode); }
  /// What follows runs from its first instruction to its last. Where host instructions are counted, this takes the group
  /// register; status flags stay.
  void begin_piece();
  /// How many probes were emitted.
  u32 probes() const { return probes_; }
  bool has(Pass pass) const { return context_.options.has(pass); }

  // --- Registers ---
  static bool pinned(unsigned gpr) { return gpr < kPinnedGprs; }
  /// The number of the general register that is explicit operand `index`. AH to BH are not general_operand().
  static bool general_operand(const cpu::Insn& in, unsigned index) {
    return (index > 1 || in.reg_class[index] == cpu::RegClass::Gpr) && (in.reg[index] & 7) == 0;
  }
  static unsigned gpr_of(const cpu::Insn& in, unsigned index) { return in.reg[index] / 8; }
  static Gp reg(unsigned gpr, unsigned bytes) { return host_gp(kHostOfGuest[gpr], bytes); }
  static Gp scratch0(unsigned bytes) { return host_gp(kScratch0.id(), bytes); }
  static Gp scratch1(unsigned bytes) { return host_gp(kScratch1.id(), bytes); }
  Mem slot(unsigned gpr, unsigned bytes) const {
    return cpu_field(offset_in(cpu_, &cpu_.state.gpr[gpr]), bytes);
  }
  /// Byte `at` of XMM register `xmm`.
  Mem xmm_slot(unsigned xmm, unsigned bytes, unsigned at = 0) const {
    return cpu_field(offset_in(cpu_, &cpu_.state.ymm[xmm & 15]) + at, bytes);
  }
  Mem rflags() const { return cpu_field(offset_in(cpu_, &cpu_.state.rflags), 8); }
  Mem segment_base(unsigned seg, unsigned bytes = 8) const {
    return cpu_field(offset_in(cpu_, &cpu_.state.seg[seg].base), bytes);
  }
  Mem segment_limit(unsigned seg) const { return cpu_field(offset_in(cpu_, &cpu_.state.seg[seg].limit), 4); }
  Mem segment_access(unsigned seg) const {
    return cpu_field(offset_in(cpu_, &cpu_.state.seg[seg].access), 2);
  }
  Mem selector(unsigned seg) const { return cpu_field(offset_in(cpu_, &cpu_.state.seg[seg].selector), 2); }
  Mem tsc_aux() const { return cpu_field(offset_in(cpu_, &cpu_.state.tsc_aux), 4); }
  Mem rip() const { return cpu_field(offset_in(cpu_, &cpu_.state.rip), 8); }
  /// Where guest register `gpr` is, as an operand.
  asmjit::Operand place(unsigned gpr, unsigned bytes) const {
    return pinned(gpr) ? asmjit::Operand(reg(gpr, bytes)) : asmjit::Operand(slot(gpr, bytes));
  }
  /// The register itself, or `scratch` after loading it.
  Gp fetched(unsigned gpr, unsigned bytes, const Gp& scratch);
  /// Stores `value`, a register of `bytes`, as guest register `gpr`.
  void assign(unsigned gpr, unsigned bytes, const Gp& value);

  // --- Memory ---
  /// What a host operand is used for: itself, or anything in its page.
  enum class Extent : u8 { Operand, Page };
  /// Whether address() can take the memory operand.
  static bool plain_address(const cpu::Insn& in);
  /// Whether probe() can.
  static bool plain_memory(const cpu::Insn& in);
  /// The operand's effective address as a host operand, to be truncated to the address size; uses the scratch
  /// registers where it must.
  Mem address(const cpu::Insn& in);
  /// The host operand of `bytes` at guest address `at`, truncated to `address_bytes` (2, 4 or 8) before the
  /// base of `seg` is added. Outside 64-bit mode, what the limit or type of `seg` may forbid goes to the slow
  /// path. Takes both scratch registers; a miss, or an address that is no multiple of `alignment`, goes to
  /// the slow path.
  Mem probe(const Mem& at, unsigned address_bytes, u8 seg, mmu::Access access, unsigned bytes,
            unsigned alignment = 1, Extent extent = Extent::Operand);
  /// That of the explicit memory operand: by the probe of its group where it has one. The host operand may
  /// name the base register, which must still hold what it did.
  Mem probe(const cpu::Insn& in, mmu::Access access, unsigned bytes, unsigned alignment = 1);
  /// That of the `bytes` at `disp` from guest register `gpr`, the implicit operand of a stack instruction.
  Mem probe_stack(unsigned gpr, i32 disp, mmu::Access access, unsigned bytes);
  /// The same host operand without scratch 0, which is free then.
  Mem one_register(const Mem& m);

  // --- Time ---
  /// The time-stamp counter at the running instruction, in scratch 0. Takes scratch 1; flags are lost.
  void read_tsc();

  // --- Flags ---
  /// Rax has them: before anything that destroys the host's or may show them to the guest.
  void save_flags();
  /// The host has them: before an instruction that reads or keeps some.
  void need_flags();
  /// The host's flags are no longer the guest's (rax has them).
  void flags_lost() { in_host_ = false; }
  /// The host instruction just emitted made the guest's flags.
  void flags_made() { in_host_ = true, in_rax_ = false; }
  /// The same; emitting this again before the end of the next instruction makes them again.
  void repeatable(asmjit::InstId id, const asmjit::Operand& first, const asmjit::Operand& second) {
    producer_ = {id, first, second, index_};
  }
  /// The code just emitted left the guest's flags in rax.
  void flags_made_in_rax() { in_host_ = false, in_rax_ = true; }
  /// Whether the host leaves the undefined flags of `in` as the guest shall see them.
  bool host_flags_agree(const cpu::Insn& in) const { return context_.host_flags.agree(in); }

  // --- x87 ---
  /// The guest's FIP is the address of `in`, which was just emitted. Stored where it may be seen.
  void fip_is(const cpu::Insn& in);

  // --- Leaving the fast path ---
  /// Where the running instruction goes when its handler must do it all.
  Label slow();
  /// Between instructions.
  void begin_insn(unsigned index);
  void end_insn();
  /// The whole instruction by its handler.
  void call_handler();

  // --- Ends of blocks ---
  /// Whether the block's code already goes somewhere in every case.
  bool ended() const { return ended_; }
  /// To the instruction at `offset` from the page's beginning, which follows, or which a jump in the page
  /// leads to.
  void go_to(u64 offset);
  /// The running instruction jumps to `offset` from the page's beginning. Beyond the limit of CS: slow path.
  void jump_to(u64 offset);
  /// Rip for that, in scratch 0; beyond the limit of CS: slow path. In segmented code only.
  void load_jump_target(u64 offset);
  /// The flags that the host has or rax has decide: a jump to `taken`, or on to the instruction at `next`.
  void branch_on_flags(x86::CondCode condition, u64 taken, u64 next);
  /// To the one at `taken` when the host's flags say so, else to that at `next`. The guest's are in rax.
  void branch(x86::CondCode condition, u64 taken, u64 next);
  /// Finds the code for the rip in scratch 0: scratch 1 is its address, the group register the base
  /// of its page, scratch 0 the offset in that page. Or goes to `miss`.
  void look_up(const Label& miss);
  /// To what look_up() found. Before that, scratch 0 and 1 and the group register must be kept.
  void go_to_found();
  /// Look_up() that leaves the block when it fails, and go_to_found(). The instruction is complete.
  void go_to_scratch();
  /// Scratch 0 not canonical, or beyond the limit of CS: slow path. Takes scratch 1.
  void check_target();

 private:
  struct SlowPath {
    unsigned first, last;  // instructions whose handlers run
    Label entry, back;
    bool flags_in_host;
    const cpu::Insn* fip;  // to be stored
  };
  /// Acquiring registers out of line, before instruction `next`.
  struct PendingAcquire {
    Label entry, back;
    const u8* stub;
    u32 next;
  };
  struct PendingRefusal {
    Label entry;
    u32 next;
  };
  struct Miss {
    Label entry, retry, hit, slow;
    mmu::Access access;
    unsigned bytes;  // to be stored; 0: not only those, or no store
  };
  /// What makes the status flags again.
  struct Producer {
    asmjit::InstId id = 0;
    asmjit::Operand first, second;
    unsigned index = 0;
  };
  struct PendingEdge {
    u64 jump_end;  // offset in the code
    Label stub;
    u16 page_offset;
    u64 stub_begin;     // offset in the cold code
    u32 charge;         // Edge::charge
    Producer producer;  // when there is a charge
  };

  void check_code_limit();
  void check_second_page();
  /// Takes scratch 0.
  void store_fip(const cpu::Insn& in);
  /// The registers that the instructions from `next` on need are the guest's. Status flags are in rax.
  void check_owned(u32 next);
  /// The same where they are known not to be, out of line.
  void acquire(u32 next);
  void refuse_on_carry(u32 next);
  /// Scratch 0, an address in segment `seg` of `bytes` to be accessed, becomes the linear one. Takes
  /// scratch 1.
  void add_segment(u8 seg, mmu::Access access, unsigned bytes);
  /// Scratch 0, rip, becomes the linear address.
  void add_code_base();
  i32 tlb(mmu::Access access, std::size_t field) const;
  void tlb_index();
  /// The probe proper, with the address in scratch 0: scratch 0 becomes the offset in the page, scratch 1
  /// that of the TLB entry.
  void probe_address(const Mem& at, unsigned address_bytes, u8 seg, mmu::Access access, unsigned bytes,
                     unsigned alignment, Extent extent);
  void probe_scratch(const Label& retry, mmu::Access access, unsigned bytes, Extent extent);
  void load_base(unsigned gpr, i32 disp);
  bool open_group(const PlannedInsn& planned);
  /// The group register has the distance from guest addresses to host addresses, not a host address.
  bool by_distance(const ProbeGroup& group) const;
  Mem group_operand(const PlannedInsn& planned, unsigned bytes) const;
  void call_stub(unsigned first, unsigned last);
  void finish_slow_path(const SlowPath& path, const std::function<void(u32 index)>& emit);
  /// Handlers of some instruction are much slower than a probe more.
  bool worth_repeating(unsigned first, unsigned last) const;
  /// For jumps and calls: the assembler believes that all code is where the hot code is.
  u64 address_of(const u8* stub) const { return reinterpret_cast<u64>(stub) - cold_distance_; }
  u32 charge_without_flags(u64 offset) const;
  void go_to_charged(u64 offset, u32 charge);
  void edge_to(u64 offset, const Label& stub);
  void set_rip(u16 page_offset);
  void finish_exits();

  const EmitContext& context_;
  const cpu::Cpu& cpu_;
  const cpu::Block& block_;
  const Plan& plan_;
  const mmu::View view_;
  NativeBlock& native_;
  unsigned index_ = 0;
  bool groups_off_ = false;
  int open_group_ = -1;  // whose host address, or distance to it, is in the group register
  bool in_rax_ = true;
  bool in_host_ = false;
  bool ended_ = false;
  Producer producer_;
  u64 body_begin_ = 0;
  u64 cold_distance_ = 0;  // while cold code is emitted
  Label out_of_budget_;
  Label jump_miss_;
  Label call_handlers_;
  Label slow_;
  std::vector<SlowPath> slow_paths_;
  std::size_t slow_paths_bound_ = 0;
  std::vector<Miss> misses_;
  std::vector<PendingEdge> edges_;
  // Instructions before these need the registers.
  u32 vectors_until_ = 0;
  u32 x87_until_ = 0;
  bool wide_ = false;
  u32 fip_until_ = 0;
  const cpu::Insn* fip_ = nullptr;         // whose address FIP is, not yet stored
  const cpu::Insn* fip_before_ = nullptr;  // the same before the running instruction
  std::vector<PendingAcquire> acquires_;
  std::vector<PendingRefusal> refusals_;
  u32 probes_ = 0;
};

}  // namespace reprise::jit::x64
