// Commands that go through the history of the run. docs/time-travel.md.
#include <fmt/format.h>

#include "machine/history/instant_text.h"
#include "machine/monitor/command.h"

namespace reprise::machine::monitor {
namespace {

Outcome begun(const Result<Done>& journey) {
  if (!journey) return CommandError{CommandError::Kind::Failed, journey.error().message};
  return Answer{};
}

std::string time_text(u64 virtual_ns) {
  return fmt::format("{:.6f} s", static_cast<double>(virtual_ns) / 1e9);
}

}  // namespace

Result<std::optional<Position>, CommandError> instant_of(const Arguments& arguments, std::string_view name) {
  if (!arguments.has(name)) return std::optional<Position>();
  return std::optional(TRY(instant_in(name, arguments.word(name))));
}

Result<Position, CommandError> instant_in(std::string_view name, std::string_view text) {
  if (const std::optional<Position> position = parse_instant(text)) return *position;
  return CommandError{CommandError::Kind::BadArgument,
                      fmt::format("'{}' is not a position such as @41203118554 or @41203118554.3: '{}'.",
                                  name, text.substr(0, 60))};
}

Outcome when(Machine& machine, const Arguments& arguments) {
  if (arguments.has("condition")) return when_began(machine, arguments);
  const Position now = machine.position();
  Answer answer;
  answer.json = {
      {"position", position_text(now)}, {"virtual_ns", now.virtual_ns}, {"past", machine.in_past()}};
  answer.text = fmt::format("{}, virtual time {}", position_text(now), time_text(now.virtual_ns));
  if (const auto present = machine.present()) {
    answer.json["present"] = position_text(*present);
    answer.text += fmt::format("; the present is {}", position_text(*present));
  }
  answer.text += '\n';
  return answer;
}

Outcome checkpoint(Machine& machine, const Arguments&) {
  const Result<u64> number = machine.keep_checkpoint();
  if (!number) return CommandError{CommandError::Kind::Failed, number.error().message};
  const std::string position = position_text(machine.position());
  Answer answer;
  answer.json = {{"number", number.value()}, {"position", position}};
  answer.text = fmt::format("Checkpoint {} at {}\n", number.value(), position);
  return answer;
}

Outcome info_checkpoints(Machine& machine, const Arguments&) {
  const Checkpoints& checkpoints = machine.checkpoints();
  Answer answer;
  Json list = Json::array();
  for (const auto& one : checkpoints.all()) {
    Json entry = {{"position", position_text(one->at)}, {"virtual_ns", one->at.virtual_ns}};
    if (one->number != 0) {
      entry["number"] = one->number;
      answer.text += fmt::format("{:>4}  {}, virtual time {}\n", one->number, position_text(one->at),
                                 time_text(one->at.virtual_ns));
    }
    list.push_back(std::move(entry));
  }
  if (!checkpoints.empty())
    answer.text += fmt::format("{} in all, from {} to {}, in {} of memory\n", checkpoints.count(),
                               position_text(checkpoints.first().at), position_text(checkpoints.last().at),
                               size_text(checkpoints.bytes()));
  else
    answer.text = "There are none.\n";
  answer.json = {{"checkpoints", std::move(list)}, {"bytes", checkpoints.bytes()}};
  return answer;
}

Outcome restart(Machine& machine, const Arguments& arguments) {
  const Checkpoint* const checkpoint = machine.checkpoints().with_number(arguments.number("number"));
  if (checkpoint == nullptr)
    return CommandError{CommandError::Kind::BadArgument,
                        "'number' is none that 'checkpoint' gave: 'info checkpoints' lists them."};
  return begun(machine.go_to({checkpoint->at}));
}

Outcome run_to(Machine& machine, const Arguments& arguments) {
  const Position at = *TRY(instant_of(arguments, "position"));
  Answer answer = TRY(begun(machine.go_to({at})));
  const Checkpoints& known = machine.checkpoints();
  if (known.empty() || at >= Position{known.first().at.retired, 0, known.first().at.step}) return answer;
  const std::string first = position_text(known.first().at);
  answer.json["history_begins"] = first;
  answer.text =
      fmt::format("The history begins at {}, behind {}: the run goes there.\n", first, position_text(at));
  return answer;
}

Outcome reverse_step(Machine& machine, const Arguments& arguments) {
  return begun(machine.step_back(processor_of(machine, arguments).index()));
}

Outcome reverse_continue(Machine& machine, const Arguments&) { return begun(machine.run_back()); }

Outcome branch(Machine& machine, const Arguments&) {
  if (!machine.in_past())
    return CommandError{CommandError::Kind::Failed,
                        "The run is at its present: there is no future to leave."};
  machine.branch();
  Answer answer;
  const std::string position = position_text(machine.position());
  answer.json["position"] = position;
  answer.text = fmt::format("From {} on the run is a branch: what came behind is forgotten.\n", position);
  return answer;
}

}  // namespace reprise::machine::monitor
