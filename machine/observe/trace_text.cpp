#include "machine/observe/trace_text.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <string_view>

namespace reprise::machine {
namespace {

using cpu::EventKind;

// SDM 3A table 6-1
constexpr std::array<std::string_view, 22> kExceptionNames = {
    "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "",    "#TS",
    "#NP", "#SS", "#GP", "#PF", "",    "#MF", "#AC", "#MC", "#XM", "#VE", "#CP"};

struct BitRow {
  u32 bit;
  std::string_view set;
  std::string_view clear;
};
// Of a page fault's error code, which also says how it was accessed. SDM 3A 4.7
constexpr BitRow kPageFaultBits[] = {
    {1u << 0, " protection", " not-present"},
    {1u << 3, " reserved-bit", ""},
    {1u << 5, " protection-key", ""},
    {1u << 6, " shadow-stack", ""},
};

}  // namespace

std::string delivery_text(const cpu::Fault& event) {
  switch (event.kind) {
    case EventKind::SoftwareInterrupt: return fmt::format("software {:#x}", event.vector);
    case EventKind::ExternalInterrupt:
      if (event.vector == cpu::kNMI) return "nmi 2";
      return fmt::format("external {:#x}", event.vector);
    case EventKind::Smi: return "smi";
    case EventKind::Fault:
    case EventKind::Trap:
    case EventKind::WaitForInterrupt: break;
  }
  std::string text = fmt::format("exception {}", event.vector);
  if (event.vector < kExceptionNames.size() && !kExceptionNames[event.vector].empty())
    text += fmt::format(" {}", kExceptionNames[event.vector]);
  if (event.has_error_code) text += fmt::format(" error {:#x}", event.error_code);
  return text;
}

std::string page_fault_text(u32 error_code) {
  std::string text = (error_code & 1u << 2) != 0 ? "user " : "supervisor ";
  text += (error_code & 1u << 4) != 0 ? "execute" : (error_code & 1u << 1) != 0 ? "write" : "read";
  for (const BitRow& row : kPageFaultBits) text += (error_code & row.bit) != 0 ? row.set : row.clear;
  return text;
}

std::string syscall_result_text(u64 value) {
  constexpr i64 kMaxErrno = 4095;
  const i64 result = static_cast<i64>(value);
  if (result >= 0 || result < -kMaxErrno) return fmt::format("{:#x}", value);
  const char* const name = strerrorname_np(static_cast<int>(-result));
  return name == nullptr ? fmt::format("{}", result) : fmt::format("{} {}", result, name);
}

}  // namespace reprise::machine
