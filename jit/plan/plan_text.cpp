#include "jit/plan/plan_text.h"

#include <fmt/format.h>

#include "cpu/state/state.h"

namespace reprise::jit {
namespace {

std::string base_name(u8 base) {
  static constexpr const char* kNames[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",      "r8",
                                           "r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rip page", "0"};
  return base < std::size(kNames) ? kNames[base] : fmt::format("register {}", base);
}

}  // namespace

std::string plan_text(const Plan& plan, std::size_t index) {
  if (index >= plan.insns.size()) return {};
  const PlannedInsn& insn = plan.insns[index];
  std::string flags = insn.flags_dead ? "flags dead" : "";
  if (insn.flags_of >= 0 && !insn.flags_dead) flags = fmt::format("flags of {} not kept", insn.flags_of);
  if (insn.group < 0) return flags;
  const ProbeGroup& group = plan.groups[static_cast<std::size_t>(insn.group)];
  const std::string scaled =
      group.index == cpu::kGprZero ? "" : fmt::format(" +{}*{}", base_name(group.index), 1u << group.scale);
  std::string text =
      fmt::format("group {}: [{}{} {:+}]", insn.group, base_name(group.base), scaled, insn.disp + insn.shift);
  if (group.first == index) {
    text += fmt::format(", probes bytes {:+} to {:+} for {}, instructions {} to {}", group.low,
                        group.high - 1, group.writes ? "writing" : "reading", group.first, group.last);
    if (group.alignment > 1) text += fmt::format(", aligned to {} at {:+}", group.alignment, group.aligned);
  }
  return flags.empty() ? text : fmt::format("{}; {}", flags, text);
}

}  // namespace reprise::jit
