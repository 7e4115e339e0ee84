#include "jit/x64/status_flags.h"

#include "common/bits.h"
#include "common/check.h"
#include "jit/plan/insn_forms.h"

namespace reprise::jit::x64 {

void emit_save_flags(CountingAssembler& a) {
  const CountAs flags(a, HostInsn::Flags);
  a.lahf();
  a.seto(x86::al);
}

int StatusFlags::not_kept() const {
  const int maker = em_.unit.plan.insns[em_.index].flags_of;
  return !in_rax_ && maker >= 0 && maker == maker_ ? maker : -1;
}

bool StatusFlags::unseen() const {
  const std::vector<PlannedInsn>& insns = em_.unit.plan.insns;
  return em_.index + 1 < insns.size() && insns[em_.index + 1].flags_dead;
}

void StatusFlags::save() {
  if (in_rax_ || not_kept() >= 0) return;
  CHECK(in_host_);
  emit_save_flags(em_.a);
  in_rax_ = true;
}

void StatusFlags::show() {
  if (in_rax_) return;
  if (!in_host_) make_again(em_.unit.insns[static_cast<unsigned>(maker_)]);
  emit_save_flags(em_.a);
  in_rax_ = true;
}

/// In the host's; the registers that told_by() (jit/passes/remade_flags.cpp) names are as `maker` left them.
void StatusFlags::make_again(const cpu::Insn& maker) {
  const CountAs flags(em_.a, HostInsn::Flags);
  const unsigned bytes = maker.size0;
  const Gp value = scratch0(bytes);
  em_.a.emit(x86::Inst::kIdMov, kScratch0, regs_.place(gpr_of(maker, 0), 8));
  const asmjit::Operand second = maker.form == cpu::Form::RR ? regs_.place(gpr_of(maker, 1), bytes)
                                 : maker.form == cpu::Form::RI
                                     ? asmjit::Operand(asmjit::Imm(sign_extend(maker.imm, bytes * 8)))
                                     : asmjit::Operand();
  namespace Inst = x86::Inst;
  switch (maker.mnemonic) {
    case cpu::Mnemonic::CMP: em_.a.emit(Inst::kIdCmp, value, second); break;
    case cpu::Mnemonic::ADD:
      em_.a.emit(Inst::kIdSub, value, second);
      em_.a.emit(Inst::kIdAdd, value, second);
      break;
    case cpu::Mnemonic::SUB:
      em_.a.emit(Inst::kIdAdd, value, second);
      em_.a.emit(Inst::kIdSub, value, second);
      break;
    case cpu::Mnemonic::AND: em_.a.and_(value, value); break;
    case cpu::Mnemonic::OR: em_.a.or_(value, value); break;
    case cpu::Mnemonic::XOR: em_.a.xor_(value, 0); break;
    case cpu::Mnemonic::NEG:
      em_.a.neg(value);
      em_.a.neg(value);
      break;
    default:  // TEST, which has no form with memory second
      if (second.isMem())
        em_.a.emit(Inst::kIdTest, second, value);
      else
        em_.a.emit(Inst::kIdTest, value, second);
  }
  in_host_ = true;
}

void StatusFlags::need() {
  if (in_host_) return;
  CHECK(in_rax_);
  const CountAs flags(em_.a, HostInsn::Flags);
  em_.a.cmp(x86::al, 0x81);  // OF := AL
  em_.a.sahf();
  in_host_ = true;
}

}  // namespace reprise::jit::x64
