// System management mode: delivery of an SMI and return by RSM. SDM 3C chapter 31, APM 2 chapter 10.
// The state save area has AMD's layout (cpu/system/smm_save_map.inc), which firmware knows by its revision, 64h.
// Missing: restart of I/O instructions (bit 16 of the revision identifier says so), SVM fields, SMRR,
// dual-monitor treatment.
#pragma once

#include "cpu/core/cpu.h"

namespace reprise::cpu {

/// Saves the state below SMBASE + 10000h and starts the handler at SMBASE + 8000h. Cpu::mode is synchronised.
void enter_smm(Cpu& cpu);

/// Takes over the state save area, SMBASE included; all of the processor is in line on return. False: what is
/// there cannot be a processor's state, and nothing has changed. SDM 3C 31.15, APM 2 10.4
[[nodiscard]] bool leave_smm(Cpu& cpu);

}  // namespace reprise::cpu
