#include "jit/x64/slow_paths.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "jit/plan/insn_effects.h"

namespace reprise::jit::x64 {

Label SlowPaths::slow() {
  if (!slow_.isValid()) slow_ = em_.a.newLabel();
  return slow_;
}

void SlowPaths::begin_insn() {
  slow_ = Label();
  stack_step_ = 0;
  fip_before_ = owned_.pending_fip();
  flags_before_ = flags_.not_kept();
}

void SlowPaths::end_insn(unsigned last) {
  if (slow_.isValid())
    paths_.push_back(
        {em_.index, last, slow_, em_.a.newLabel(), false, false, flags_before_, fip_before_, stack_step_});
  for (std::size_t i = bound_; i < paths_.size(); ++i) {
    Path& path = paths_[i];
    if (path.last != em_.index) continue;
    em_.a.bind(path.back);
    path.flags_in_host = flags_.in_host();
    path.flags_in_rax = flags_.in_rax();
    std::swap(path, paths_[bound_++]);
  }
}

void SlowPaths::call_stub(unsigned first, unsigned last) {
  const CountAs call(em_.a, HostInsn::HandlerCall);
  em_.a.mov(kScratch0.r32(), first | last << 16);
  em_.a.call(call_handlers_);
}

void SlowPaths::call_handler() {
  flags_.show();
  owned_.store_pending_fip();
  call_stub(em_.index, em_.index);
  flags_.made_in_rax();
  owned_.check(em_.index + 1);
}

bool SlowPaths::worth_repeating(unsigned first, unsigned last) const {
  if (first == last) return false;
  if (em_.unit.groups_miss && repeated_ < kMaxRepeated) return true;
  for (unsigned i = first; i <= last; ++i) {
    const cpu::Insn& in = em_.unit.insns[i];
    if (on_vector_registers(in) || x87_row(in.mnemonic)) return true;
  }
  return false;
}

/// A call, jump or return in code that is not segmented leaves by a look-up, or by an edge, of which there may be one more.
bool SlowPaths::may_leave_again(const cpu::Insn& in) {
  if (em_.segmented()) return false;
  if (in.mnemonic == cpu::Mnemonic::RET) return true;
  if (in.mnemonic != cpu::Mnemonic::CALL && in.mnemonic != cpu::Mnemonic::JMP) return false;
  const bool by_edge = in.form == cpu::Form::I && in.imm < kPageBytes;
  return !by_edge || !std::exchange(edge_repeated_, true);
}

void SlowPaths::finish(const Path& path, bool ended, const EmitInsn& emit) {
  em_.a.bind(path.entry);
  if (path.stack_step != 0) {
    const Gp stack = host_gp(kHostOfGuest[cpu::RSP], 8);
    em_.a.lea(stack, x86::ptr(stack, path.stack_step));
  }
  if (path.flags_of >= 0) {
    flags_.left_to(path.flags_of);
    flags_.show();
  }
  flags_.made_in_rax();
  if (worth_repeating(path.first, path.last)) {
    // The group as a whole missed, as where it crosses a page: each access with a probe of its own.
    repeated_ += path.last - path.first + 1;
    owned_.set_pending_fip(path.fip);
    const bool with_end = ended && path.last + 1 == em_.unit.count();
    for (unsigned i = path.first; i <= path.last - (with_end ? 1 : 0); ++i) emit(i);
    if (with_end || path.flags_in_host || path.flags_in_rax) flags_.show();
    if (with_end) {
      owned_.store_pending_fip();
      // To `back` no path leads then.
      if (may_leave_again(em_.unit.insns[path.last])) return emit(path.last);
      call_stub(path.last, path.last);
      flags_.lost();
    }
  } else {
    if (path.fip != nullptr) owned_.store_fip(*path.fip);
    call_stub(path.first, path.last);
    owned_.acquire(path.last + 1);
  }
  if (path.flags_in_host) flags_.need();
  em_.a.jmp(path.back);
}

void SlowPaths::finish(bool ended, const EmitInsn& emit) {
  CHECK(bound_ == paths_.size());
  // Repeated instructions have slow paths of their own.
  for (std::size_t i = 0; i < paths_.size(); ++i) {
    const Path path = paths_[i];
    finish(path, ended, emit);
  }
}

void SlowPaths::finish_calls() {
  em_.a.bind(call_handlers_);
  em_.a.mov(kScratch1.r32(), em_.unit.number);
  em_.a.jmp(em_.address_of(em_.context.stubs.call_handlers));
}

}  // namespace reprise::jit::x64
