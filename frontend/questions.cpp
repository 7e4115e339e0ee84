#include "frontend/questions.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/words.h"
#include "frontend/options/option.h"

namespace reprise::frontend {
namespace {

using machine::monitor::CommandError;
using machine::monitor::Json;

constexpr std::string_view kAsk[] = {"last-write",  "first-write", "last-exec", "next-exec",
                                     "when",        "bisect",      "memory",    "print",
                                     "disassemble", "explain",     "info"};

std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

std::vector<std::string> questions_of(const std::vector<std::string>& words) {
  if (std::ranges::any_of(words, [](const std::string& word) { return word.find(' ') != word.npos; }))
    return words;
  std::string question;
  for (const std::string& word : words) question += (question.empty() ? "" : " ") + word;
  return {question};
}

void check_questions(const std::vector<std::string>& questions) {
  for (const std::string& question : questions) {
    const std::string_view first = std::string_view(question).substr(0, question.find(' '));
    if (std::ranges::find(kAsk, first) == std::end(kAsk))
      throw BadValue{fmt::format(
          "'{}' is no question: there are last-write, first-write, last-exec, next-exec, when, bisect, "
          "memory, print, disassemble, explain and info",
          in_one_line(first.substr(0, 60)))};
    // Not when the recording has been run at last.
    const auto checked = machine::monitor::Monitor::check_line(question);
    if (checked.ok()) continue;
    std::string why = checked.error().message;
    if (why.ends_with('.')) why.pop_back();
    throw BadValue{fmt::format("'{}': {}", in_one_line(question.substr(0, 100)), why)};
  }
}

machine::RunResult answer_questions(machine::monitor::Monitor& monitor,
                                    const std::vector<std::string>& questions, bool as_json,
                                    machine::RunResult run, StandardOutputs& outputs) {
  using machine::ExitReason;
  // How the recorded run ended does not matter.
  if (run.reason == ExitReason::ReplayDiffers || monitor.machine().host_wants_end({})) return run;
  run.details.clear();
  run.reason = ExitReason::PowerOff;
  run.exit_code = 0;
  for (const std::string& question : questions) {
    const machine::monitor::Outcome outcome = monitor.execute_line(question);
    if (outcome) {
      outputs.out.write(as_json ? text_of({{"question", question}, {"return", outcome.value().json}}) + '\n'
                                : outcome.value().text);
      continue;
    }
    // As a run that is ended while it goes on.
    if (monitor.machine().host_wants_end({})) return monitor.machine().run({});
    const CommandError& error = outcome.error();
    const std::string why = fmt::format("'{}': {}", in_one_line(question), error.message);
    if (as_json)
      outputs.out.write(
          text_of({{"question", question}, {"error", {{"message", in_one_line(error.message)}}}}) + '\n');
    // The others are answered all the same; the first that is not counts.
    if (run.exit_code != 0) {
      outputs.say(why);
      continue;
    }
    run.reason = error.kind == CommandError::Kind::Failed ? ExitReason::HostError : ExitReason::Usage;
    run.exit_code = machine::exit_code_of(run.reason);
    run.message = why;
  }
  return run;
}

}  // namespace reprise::frontend
