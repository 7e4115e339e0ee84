#include "verdict/kernel_reports.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "common/words.h"

namespace reprise::verdict {
namespace {

KernelReports reports_of(std::string_view log) {
  KernelReports reports;
  u64 at = 0;
  for (const std::string_view line : words_between(log, "\n")) reports.take(line, fmt::format("@{}", ++at));
  return reports;
}

TEST(KernelReports, AnOopsIsOneReportWithItsStack) {
  const KernelReports found = reports_of(R"([    1.000000] clean
[    2.348013] BUG: kernel NULL pointer dereference, address: 0000000000000000
[    2.348100] #PF: supervisor write access in kernel mode
[    2.348200] #PF: error_code(0x0002) - not-present page
[    2.348300] PGD 0 P4D 0
[    2.348400] Oops: 0002 [#1] PREEMPT SMP NOPTI
[    2.348500] CPU: 0 PID: 101 Comm: insmod Tainted: G           O       6.1.0
[    2.348600] RIP: 0010:init_module+0x5/0x1000 [bad]
[    2.348700] Call Trace:
[    2.348800]  <TASK>
[    2.348900]  do_one_initcall+0x59/0x220
[    2.349000]  </TASK>
[    2.349100] Modules linked in: bad(O+)
[    2.349200] CR2: 0000000000000000
[    2.349300] ---[ end trace 0000000000000000 ]---
[    2.349400] RIP: 0010:init_module+0x5/0x1000 [bad]
[    2.400000] Kernel panic - not syncing: Fatal exception
[    2.400100] Kernel Offset: disabled
[    2.400200] ---[ end Kernel panic - not syncing: Fatal exception ]---
[    2.400300] something else)");
  ASSERT_EQ(found.reports().size(), 2U);
  EXPECT_EQ(found.reports()[0].kind, ReportKind::Oops);
  EXPECT_EQ(found.reports()[0].title, "BUG: kernel NULL pointer dereference, address: 0000000000000000");
  EXPECT_EQ(found.reports()[0].at, "@2");
  EXPECT_EQ(found.reports()[0].lines.size(), 14U);
  EXPECT_EQ(found.reports()[1].kind, ReportKind::Panic);
  EXPECT_EQ(found.reports()[1].lines.size(), 3U);
}

TEST(KernelReports, ReportsWithoutAnEndLineEndWithTheirStack) {
  const KernelReports found =
      reports_of(R"([  242.000000] INFO: task cat:77 blocked for more than 120 seconds.
[  242.000001]       Not tainted 6.1.0 #1
[  242.000002] "echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.
[  242.000003] task:cat             state:D stack:0     pid:77
[  242.000004] Call Trace:
[  242.000005]  <TASK>
[  242.000006]  __schedule+0x34d/0x9e0
[  242.000007]  </TASK>
[  242.000008] eth0: link up)");
  ASSERT_EQ(found.reports().size(), 1U);
  EXPECT_EQ(found.reports()[0].kind, ReportKind::HungTask);
  EXPECT_EQ(found.reports()[0].lines.size(), 8U);
}

TEST(KernelReports, KasanEndsAtItsSecondLine) {
  const KernelReports found =
      reports_of(R"([    9.0] ==================================================================
[    9.1] BUG: KASAN: slab-use-after-free in foo+0x12/0x20 [test]
[    9.2] Write of size 1 at addr ffff888005a3c000 by task insmod/123
[    9.3]
[    9.4] Call Trace:
[    9.5]  <TASK>
[    9.6]  dump_stack_lvl+0x34/0x48
[    9.7]  </TASK>
[    9.8] Allocated by task 123:
[    9.9] Memory state around the buggy address:
[   10.0] ==================================================================
[   10.1] Disabling lock debugging due to kernel taint)");
  ASSERT_EQ(found.reports().size(), 1U);
  EXPECT_EQ(found.reports()[0].kind, ReportKind::Kasan);
  EXPECT_EQ(found.reports()[0].lines.size(), 10U);
}

TEST(KernelReports, ThereIsARowForEachKind) {
  struct Case {
    ReportKind kind;
    std::string_view line;
  };
  constexpr Case kCases[] = {
      {ReportKind::Panic, "Kernel panic - not syncing: sysrq triggered crash"},
      {ReportKind::Oops,
       "general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP"},
      {ReportKind::Oops, "Oops: 0000 [#1] PREEMPT SMP"},
      {ReportKind::Bug, "kernel BUG at mm/slub.c:379!"},
      {ReportKind::Bug, "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:580"},
      {ReportKind::Bug, "BUG: scheduling while atomic: swapper/0/0/0x00000002"},
      {ReportKind::Warning, "WARNING: CPU: 0 PID: 1 at lib/test.c:12 init+0x5/0x20"},
      {ReportKind::Warning, "WARNING: lib/test.c:12 at init+0x5/0x20, CPU#0: swapper/0"},
      {ReportKind::Lockdep, "WARNING: possible circular locking dependency detected"},
      {ReportKind::Lockdep, "WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected"},
      {ReportKind::Lockdep, "WARNING: suspicious RCU usage"},
      {ReportKind::RcuStall, "rcu: INFO: rcu_preempt self-detected stall on CPU"},
      {ReportKind::RcuStall, "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:"},
      {ReportKind::RcuStall, "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-... }"},
      {ReportKind::HungTask, "INFO: task kworker/0:1:12 blocked for more than 120 seconds."},
      {ReportKind::Lockup, "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [sh:101]"},
      {ReportKind::Lockup, "NMI watchdog: Watchdog detected hard LOCKUP on cpu 0"},
      {ReportKind::Kasan, "BUG: KASAN: slab-out-of-bounds in kmalloc_oob_right+0xa8/0xbc [test_kasan]"},
      {ReportKind::Kcsan, "BUG: KCSAN: data-race in a / b"},
      {ReportKind::Kmsan, "BUG: KMSAN: uninit-value in foo"},
      {ReportKind::Kfence, "BUG: KFENCE: use-after-free read in test_use_after_free_read+0xb3/0x143"},
      {ReportKind::Ubsan, "UBSAN: array-index-out-of-bounds in lib/test_ubsan.c:64:9"},
      {ReportKind::Leak, "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)"},
      {ReportKind::OutOfMemory, "Out of memory: Killed process 55 (stress) total-vm:1kB"},
  };
  for (const Case& one : kCases) {
    const ReportRow* const row = report_row_of(one.line);
    ASSERT_NE(row, nullptr) << one.line;
    EXPECT_EQ(row->kind, one.kind) << one.line;
  }
  for (const ReportKind kind : report_kinds()) EXPECT_EQ(report_kind_of_name(report_kind_name(kind)), kind);
  EXPECT_EQ(report_kind_of_name("nothing"), std::nullopt);
}

TEST(KernelReports, OrdinaryLinesAreNone) {
  for (const std::string_view line :
       {"Debug: BUG: not at the beginning", "warning: low battery", "INFO: task done",
        "rcu: Hierarchical RCU implementation.", "WARNING: this is a note of a program", "ubsan: off",
        "Kernel panic", "kmemleak: Kernel memory leak detector initialized"})
    EXPECT_EQ(report_row_of(line), nullptr) << line;
}

TEST(KernelReports, WhatIsKeptHasABound) {
  KernelReports reports;
  for (int i = 0; i < 500; ++i) {
    reports.take("BUG: Bad page state", "@1");
    reports.take("Call Trace:", "@1");
    for (int line = 0; line < 400; ++line) reports.take(" more", "@1");
  }
  EXPECT_EQ(reports.count(), 500U);
  ASSERT_EQ(reports.reports().size(), KernelReports::kMaxReports);
  for (const KernelReport& report : reports.reports())
    EXPECT_LE(report.lines.size(), KernelReports::kMaxLines);
}

}  // namespace
}  // namespace reprise::verdict
