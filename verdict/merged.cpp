#include "verdict/merged.h"

#include <algorithm>

namespace reprise::verdict {
namespace {

/// The guest is not to blame.
bool is_hosts(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::Refused:
    case VerdictKind::Usage:
    case VerdictKind::HostTrouble:
    case VerdictKind::HostTimeOut:
    case VerdictKind::Signal: return true;
    default: return false;
  }
}

}  // namespace

Summary summarize(std::span<const Outcome> outcomes) {
  Summary summary;
  int of_guests = 0, of_hosts = 0;
  for (const Outcome& outcome : outcomes) {
    if (outcome.verdict.kind == VerdictKind::Pass && outcome.exit_code == 0) {
      ++summary.passed;
    } else if (is_hosts(outcome.verdict.kind) || outcome.verdict.kind == VerdictKind::Pass) {
      ++summary.nobody_knows;
      if (of_hosts == 0) of_hosts = outcome.exit_code;
    } else {
      ++summary.not_passed;
      const int code = std::max(outcome.exit_code, 1);
      of_guests = of_guests == 0 || of_guests == code ? code : 1;
    }
  }
  summary.exit_code = of_guests != 0 ? of_guests : of_hosts;
  return summary;
}

}  // namespace reprise::verdict
