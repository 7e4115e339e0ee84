// The MOV, PUSH and POP forms that are system instructions.
#pragma once

#include "cpu/core/insn.h"

namespace reprise::cpu {

Handler select_mov_segment(const Insn& insn);   // cpu/system/segments.cpp
Handler select_push_segment(const Insn& insn);  // operand 0 of PUSH or POP has RegClass::Segment
Handler select_pop_segment(const Insn& insn);
Handler select_mov_control(const Insn& insn);  // cpu/system/control_regs.cpp
Handler select_mov_debug(const Insn& insn);    // cpu/system/debug_regs.cpp

}  // namespace reprise::cpu
