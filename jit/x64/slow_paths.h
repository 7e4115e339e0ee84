// SlowPaths: what happens out of line when the fast path of an instruction cannot do it: its handler runs,
// with those of all others that relied on the same probe.
#pragma once

#include <functional>
#include <vector>

#include "jit/x64/owned_registers.h"
#include "jit/x64/status_flags.h"

namespace reprise::jit::x64 {

class SlowPaths {
 public:
  /// Emits instruction `index` of the block, from begin_insn() to end_insn().
  using EmitInsn = std::function<void(u32 index)>;

  SlowPaths(Emission& emission, StatusFlags& flags, OwnedRegisters& owned)
      : em_(emission), flags_(flags), owned_(owned) {}

  /// Before everything else.
  void begin() { call_handlers_ = em_.a.newLabel(); }
  /// Around each instruction. `last`: that to which handlers run when this one went the slow path.
  void begin_insn();
  void end_insn(unsigned last);

  /// Where the running instruction goes when its handler must do it all.
  Label slow();
  /// Those of the running instruction, in 64-bit mode, move the stack pointer so far first.
  void owe_stack_step(i32 bytes) { stack_step_ = bytes; }
  /// The running instruction by its handler, here.
  void call_handler();
  /// When hot code is complete. `ended`: it goes somewhere in every case.
  void finish(bool ended, const EmitInsn& emit);
  /// The end of finish(), behind what else is out of line.
  void finish_calls();

 private:
  struct Path {
    unsigned first, last;  // instructions whose handlers run
    Label entry, back;
    bool flags_in_host, flags_in_rax;  // where the slow path comes back
    int flags_of;                      // StatusFlags::not_kept() before `first`
    const cpu::Insn* fip;              // to be stored
    i32 stack_step;                    // before `first`
  };

  void call_stub(unsigned first, unsigned last);
  void finish(const Path& path, bool ended, const EmitInsn& emit);
  /// The group misses often, or handlers of some instruction are much slower than a probe more.
  bool worth_repeating(unsigned first, unsigned last) const;
  bool may_leave_again(const cpu::Insn& in);

  Emission& em_;
  StatusFlags& flags_;
  OwnedRegisters& owned_;
  Label call_handlers_;
  Label slow_;                             // of the running instruction; invalid: it has none so far
  const cpu::Insn* fip_before_ = nullptr;  // pending before the running instruction
  int flags_before_ = -1;                  // StatusFlags::not_kept() then
  i32 stack_step_ = 0;                     // of the running instruction
  std::vector<Path> paths_;
  /// Instructions that are repeated because groups miss: more would be more code than a region may have.
  static constexpr unsigned kMaxRepeated = 200;
  unsigned repeated_ = 0;
  bool edge_repeated_ = false;  // that of the jump or call at the end
  std::size_t bound_ = 0;       // so many of them, the first, know where they come back
};

}  // namespace reprise::jit::x64
