#include "verdict/kernel_report_rows.h"

#include <algorithm>
#include <array>

namespace reprise::verdict {
namespace {

struct KindRow {
  ReportKind kind;
  std::string_view name;
  bool fails;
};

constexpr KindRow kKinds[] = {
    {ReportKind::Panic, "panic", true},
    {ReportKind::Oops, "oops", true},
    {ReportKind::Bug, "bug", true},
    {ReportKind::Warning, "warning", false},
    {ReportKind::Lockdep, "lockdep", true},
    {ReportKind::RcuStall, "rcu-stall", true},
    {ReportKind::HungTask, "hung-task", true},
    {ReportKind::Lockup, "lockup", true},
    {ReportKind::Kasan, "kasan", true},
    {ReportKind::Kcsan, "kcsan", true},
    {ReportKind::Kmsan, "kmsan", true},
    {ReportKind::Kfence, "kfence", true},
    {ReportKind::Ubsan, "ubsan", true},
    {ReportKind::Leak, "leak", true},
    {ReportKind::OutOfMemory, "oom", false},
};

constexpr std::string_view kTraceEnd = "---[ end trace";
constexpr std::string_view kDoubleLine = "==================";

// What is special comes before what is general.
constexpr ReportRow kRows[] = {
    {ReportKind::Panic, "Kernel panic - not syncing", "", "---[ end Kernel panic"},
    {ReportKind::Kasan, "BUG: KASAN:", "", kDoubleLine},
    {ReportKind::Kcsan, "BUG: KCSAN:", "", kDoubleLine},
    {ReportKind::Kmsan, "BUG: KMSAN:", "", "====="},
    {ReportKind::Kfence, "BUG: KFENCE:", "", kDoubleLine},
    {ReportKind::Ubsan, "UBSAN:", "", "---[ end"},
    {ReportKind::Leak, "kmemleak:", "new suspected memory leaks", ""},
    {ReportKind::Lockup, "watchdog: BUG: soft lockup", "", ""},
    {ReportKind::Lockup, "BUG: soft lockup", "", ""},
    {ReportKind::Lockup, "NMI watchdog: BUG: soft lockup", "", ""},
    {ReportKind::Lockup, "NMI watchdog: Watchdog detected hard LOCKUP", "", ""},
    {ReportKind::Lockup, "watchdog: Watchdog detected hard LOCKUP", "", ""},
    {ReportKind::Lockup, "BUG: workqueue lockup", "", ""},
    {ReportKind::RcuStall, "rcu: INFO:", "detected stall", ""},
    {ReportKind::RcuStall, "rcu: INFO:", "self-detected stall", ""},
    {ReportKind::RcuStall, "rcu: INFO:", "detected expedited stalls", ""},
    {ReportKind::RcuStall, "INFO: rcu", "stall", ""},
    {ReportKind::RcuStall, "INFO: rcu_tasks detected stalls", "", ""},
    {ReportKind::HungTask, "INFO: task ", "blocked for more than", ""},
    {ReportKind::HungTask, "INFO: task ", "blocked in I/O wait for more than", ""},
    {ReportKind::Lockdep, "WARNING: possible circular locking dependency", "", ""},
    {ReportKind::Lockdep, "WARNING: possible recursive locking", "", ""},
    {ReportKind::Lockdep, "WARNING: possible irq lock inversion", "", ""},
    {ReportKind::Lockdep, "WARNING: inconsistent lock state", "", ""},
    {ReportKind::Lockdep, "WARNING: suspicious RCU usage", "", ""},
    {ReportKind::Lockdep, "WARNING: bad unlock balance", "", ""},
    {ReportKind::Lockdep, "WARNING: bad contention detected", "", ""},
    {ReportKind::Lockdep, "WARNING: held lock freed", "", ""},
    {ReportKind::Lockdep, "WARNING: lock held when returning to user space", "", ""},
    {ReportKind::Lockdep, "WARNING: Nested lock was not taken", "", ""},
    {ReportKind::Lockdep, "WARNING:", "lock order detected", ""},
    {ReportKind::Lockdep, "WARNING:", "still has locks held", ""},
    {ReportKind::Lockdep, "WARNING: still has locks held", "", ""},
    {ReportKind::Lockdep, "INFO: possible circular locking dependency", "", ""},
    {ReportKind::Lockdep, "INFO: possible recursive locking", "", ""},
    {ReportKind::Lockdep, "INFO: inconsistent lock state", "", ""},
    {ReportKind::Lockdep, "INFO: suspicious RCU usage", "", ""},
    {ReportKind::Lockdep, "INFO: trying to register non-static key", "", ""},
    {ReportKind::Lockdep, "BUG: MAX_LOCK", "too low", ""},
    {ReportKind::Lockdep, "[ BUG: Invalid wait context ]", "", ""},
    {ReportKind::Oops, "BUG: kernel NULL pointer dereference", "", kTraceEnd},
    {ReportKind::Oops, "BUG: unable to handle", "", kTraceEnd},
    {ReportKind::Oops, "Unable to handle kernel", "", kTraceEnd},
    {ReportKind::Oops, "Oops:", "", kTraceEnd},
    {ReportKind::Oops, "general protection fault", "", kTraceEnd},
    {ReportKind::Oops, "stack segment: ", "", kTraceEnd},
    {ReportKind::Oops, "divide error: ", "", kTraceEnd},
    {ReportKind::Oops, "invalid opcode: ", "", kTraceEnd},
    {ReportKind::Oops, "int3: ", "", kTraceEnd},
    {ReportKind::Oops, "alignment check: ", "", kTraceEnd},
    {ReportKind::Oops, "traps: PANIC: double fault", "", kTraceEnd},
    {ReportKind::Oops, "PANIC: double fault", "", kTraceEnd},
    {ReportKind::Oops, "kernel tried to execute NX-protected page", "", kTraceEnd},
    {ReportKind::Oops, "unchecked MSR access error", "", ""},
    {ReportKind::Bug, "kernel BUG at ", "", kTraceEnd},
    {ReportKind::Bug, "BUG: ", "", ""},
    {ReportKind::Warning, "WARNING: CPU: ", "", kTraceEnd},
    {ReportKind::Warning, "WARNING: ", " at ", kTraceEnd},
    {ReportKind::OutOfMemory, "Out of memory: Killed process", "", ""},
};

}  // namespace

std::string_view report_kind_name(ReportKind kind) { return kKinds[static_cast<std::size_t>(kind)].name; }

std::optional<ReportKind> report_kind_of_name(std::string_view name) {
  const auto row = std::ranges::find(kKinds, name, &KindRow::name);
  if (row == std::end(kKinds)) return std::nullopt;
  return row->kind;
}

std::span<const ReportKind> report_kinds() {
  static constexpr auto kAll = [] {
    std::array<ReportKind, std::size(kKinds)> all{};
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = kKinds[i].kind;
    return all;
  }();
  return kAll;
}

bool fails_by_default(ReportKind kind) { return kKinds[static_cast<std::size_t>(kind)].fails; }

std::span<const ReportRow> report_rows_of_kernel() { return kRows; }

const ReportRow* report_row_of(std::string_view text) {
  for (const ReportRow& row : kRows)
    if (text.starts_with(row.begin) && text.find(row.has, row.begin.size()) != text.npos) return &row;
  return nullptr;
}

}  // namespace reprise::verdict
