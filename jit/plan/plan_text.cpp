#include "jit/plan/plan_text.h"

#include <fmt/format.h>

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
  const char* const flags = insn.flags_dead ? "flags dead" : "";
  if (insn.group < 0) return flags;
  const ProbeGroup& group = plan.groups[static_cast<std::size_t>(insn.group)];
  std::string text =
      fmt::format("group {}: [{} {:+}]", insn.group, base_name(group.base), insn.disp + insn.shift);
  if (group.first == index) {
    text += fmt::format(", probes bytes {:+} to {:+} for {}, instructions {} to {}", group.low,
                        group.high - 1, group.writes ? "writing" : "reading", group.first, group.last);
  }
  return insn.flags_dead ? fmt::format("{}; {}", flags, text) : text;
}

}  // namespace reprise::jit
