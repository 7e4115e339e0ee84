// What kernels print when something is wrong, as rows.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "common/types.h"

namespace reprise::verdict {

enum class ReportKind : u8 {
  Panic,
  Oops,
  Bug,
  Warning,
  Lockdep,
  RcuStall,
  HungTask,
  Lockup,
  Kasan,
  Kcsan,
  Kmsan,
  Kfence,
  Ubsan,
  Leak,
  OutOfMemory,
};

/// "panic", "rcu-stall": for options and results.
std::string_view report_kind_name(ReportKind kind);
std::optional<ReportKind> report_kind_of_name(std::string_view name);
std::span<const ReportKind> report_kinds();

/// Which a test does not pass with, unless something else is asked for.
bool fails_by_default(ReportKind kind);

/// Which report a line begins, without its stamp. The first row that matches is it.
struct ReportRow {
  ReportKind kind;
  std::string_view begin;  // of the line
  std::string_view has;    // somewhere behind that; may be empty
  std::string_view end;    // the line that ends the report begins so; empty: its stack ends it
};

std::span<const ReportRow> report_rows_of_kernel();

/// nullptr: it begins none.
const ReportRow* report_row_of(std::string_view text);

}  // namespace reprise::verdict
