#include "verdict/kernel_reports.h"

#include "verdict/log_line.h"

namespace reprise::verdict {
namespace {

/// Of a report that is part of one that goes on: an oops is told of by several lines.
bool belongs_to(ReportKind kind, ReportKind open) {
  const auto is_fatal = [](ReportKind one) { return one == ReportKind::Oops || one == ReportKind::Bug; };
  return kind == open ? is_fatal(kind) : is_fatal(kind) && is_fatal(open);
}

/// Lines by which a stack goes on: "  name+0x12/0x34", " ? name", "RIP: ...", registers, " <TASK>".
bool is_of_stack(std::string_view text) {
  constexpr std::string_view kBegins[] = {
      " ",           "RIP:",    "RSP:",           "RAX:",     "RDX:",    "RBP:",  "R10:",  "R13:",
      "FS:",         "CS:",     "CR2:",           "DR0:",     "DR3:",    "PKRU",  "Code:", "CPU:",
      "Call Trace:", "Tainted", "Hardware name:", "ORIG_RAX", "</TASK>", "<TASK>"};
  for (const std::string_view begin : kBegins)
    if (text.starts_with(begin)) return true;
  return false;
}

}  // namespace

void KernelReports::take(std::string_view line, std::string_view at) {
  const std::string_view text = without_stamp(line);
  const ReportRow* const row = report_row_of(text);
  if (row != nullptr && (open_ == nullptr || !belongs_to(row->kind, open_->kind)))
    return begin(*row, line, at);
  if (open_ == nullptr) return;
  const std::string_view bare = text.substr(std::min(text.find_first_not_of(' '), text.size()));
  const bool stack_is_over =
      in_stack_ && open_->end.empty() && (bare.starts_with("</TASK>") || !is_of_stack(text));
  const bool ends = !open_->end.empty() && text.starts_with(open_->end);
  const bool is_part = !stack_is_over || bare.starts_with("</TASK>");
  if (is_part && kept_) reports_.back().lines.emplace_back(line);
  in_stack_ = in_stack_ || bare.starts_with("Call Trace:");
  if (ends || stack_is_over || ++lines_ >= kMaxLines) open_ = nullptr;
}

void KernelReports::begin(const ReportRow& row, std::string_view line, std::string_view at) {
  open_ = &row;
  in_stack_ = false;
  lines_ = 1;
  ++count_;
  kept_ = reports_.size() < kMaxReports;
  if (kept_)
    reports_.push_back({.kind = row.kind,
                        .title = std::string(without_stamp(line)),
                        .at = std::string(at),
                        .lines = {std::string(line)}});
}

}  // namespace reprise::verdict
