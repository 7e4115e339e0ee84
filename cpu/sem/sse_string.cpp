// PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM. SDM 2B. The memory operand need not be aligned.
#include "cpu/sem/sse_string_bodies.h"

namespace reprise::cpu {
namespace {

enum class Length : u8 { Implicit, Explicit };
enum class Output : u8 { Index, Mask };

template <Length L, Output O>
struct string_compare {
  /// RAX and RDX with REX.W, else EAX and EDX.
  static unsigned length(const Cpu& cpu, const Insn& in, StringControl control, const V128& text, Gpr reg) {
    if constexpr (L == Length::Implicit) return implicit_length(control, text);
    const u64 value = cpu.state.gpr[reg];
    return explicit_length(control,
                           in.operand_bytes == 8 ? static_cast<i64>(value) : static_cast<i32>(value));
  }
  static Status finish(Cpu& cpu, const Insn& in, const V128& second) {
    const StringControl control{static_cast<u8>(in.imm)};
    const V128 first = xmm(cpu.state, in.reg[0]);
    const auto compared = compare_strings(control, first, length(cpu, in, control, first, RAX), second,
                                          length(cpu, in, control, second, RDX));
    if constexpr (O == Output::Index) {
      set_gpr_part<u32>(cpu.state, RCX, string_index(control, compared.result));
    } else {
      set_xmm(cpu.state, 0, string_mask(control, compared.result));
      if (in.has(Insn::kVex)) cpu.state.ymm[0].qword[2] = cpu.state.ymm[0].qword[3] = 0;
    }
    flags::assign(cpu.state.rflags, kRflagsStatus, compared.status_flags);
    return Status::Next;
  }
  static Status rr(Cpu& cpu, const Insn& in) { return finish(cpu, in, xmm(cpu.state, in.reg[1])); }
  static Status rm(Cpu& cpu, const Insn& in) {
    V128 second;
    return load_vector<Alignment::Unaligned>(cpu, in, second) ? finish(cpu, in, second) : Status::Fault;
  }
  static Handler select(const Insn& in) { return by_form<string_compare>(in.form); }
};

}  // namespace

#define ROWS "cpu/insn/sse_string.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
