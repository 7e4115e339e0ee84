// Far CALL, JMP and RET. The decoder gives them the rows CALL_FAR, JMP_FAR and RET_FAR, so the near rows never see them.
#pragma once

#include "cpu/insn.h"

namespace reprise::cpu {

Status sem_call_far(Cpu& cpu, const Insn& insn);  // cpu/far_control.cpp
Status sem_jmp_far(Cpu& cpu, const Insn& insn);
Status sem_ret_far(Cpu& cpu, const Insn& insn);

}  // namespace reprise::cpu
