#include <fmt/format.h>

#include "common/words.h"
#include "verdict/outcome.h"
#include "verdict/result_text.h"

namespace reprise::verdict {
namespace {

/// What is shown: a title, and lines.
struct Note {
  std::string title;
  std::string text;
};

// Suites lie in each other at most as deep as TapParser lets them.
// NOLINTNEXTLINE(misc-no-recursion)
void add_notes(std::vector<Note>& notes, const std::string& suite, const std::vector<TestResult>& results) {
  for (const TestResult& result : results) {
    const std::string name = suite + name_of(result);
    add_notes(notes, name + '.', result.children);
    const bool bad = result.outcome == TestOutcome::Fail || result.outcome == TestOutcome::Error;
    if (bad && (result.children.empty() || counts_itself(result)))
      notes.push_back(
          {name, (result.reason.empty() ? "" : result.reason + '\n') + joined(result.diagnostics)});
  }
}

std::vector<Note> notes_of(const Outcome& outcome) {
  std::vector<Note> notes;
  add_notes(notes, "", outcome.results);
  for (const KernelReport& report : outcome.reports)
    if (fails(report, outcome.failing)) notes.push_back({report.title, joined(report.lines)});
  if (outcome.verdict.kind != VerdictKind::Pass)
    notes.push_back(
        {outcome.name, outcome.verdict.message + (outcome.replay.empty() ? "" : '\n' + outcome.replay)});
  return notes;
}

/// As a runner of GitHub's reads values: https://github.com/actions/toolkit, command.ts.
std::string for_github(std::string_view text, bool property) {
  std::string out;
  for (const char c : as_text(text)) {
    switch (c) {
      case '%': out += "%25"; break;
      case '\r': out += "%0D"; break;
      case '\n': out += "%0A"; break;
      case ':': out += property ? "%3A" : ":"; break;
      case ',': out += property ? "%2C" : ","; break;
      default: out += c;
    }
  }
  return out;
}

}  // namespace

std::string github_annotations(const Outcome& outcome) {
  std::string text;
  for (const Note& note : notes_of(outcome))
    text += fmt::format("::error title={}::{}\n", for_github(note.title, true), for_github(note.text, false));
  return text;
}

std::string gitlab_annotations(const Outcome& outcome) {
  std::string text;
  u64 number = 0;
  for (const Note& note : notes_of(outcome)) {
    ++number;
    // A section has times, which only its length is made of: there is none.
    text += fmt::format("\x1b[0Ksection_start:0:reprise_{}[collapsed=true]\r\x1b[0K\x1b[31;1m{}\x1b[0m\n",
                        number, in_one_line(as_text(note.title)));
    text += as_text(note.text);
    if (!text.ends_with('\n')) text += '\n';
    text += fmt::format("\x1b[0Ksection_end:0:reprise_{}\r\x1b[0K\n", number);
  }
  return text;
}

}  // namespace reprise::verdict
