// Questions about the past of the run. docs/time-travel.md.
#include <fmt/format.h>

#include "common/zeros.h"
#include "machine/monitor/command.h"
#include "machine/monitor/condition.h"
#include "machine/past/questions.h"

namespace reprise::machine::monitor {
namespace {

CommandError failed(const Error& error) { return {CommandError::Kind::Failed, error.message}; }

/// A number if it can be one, else bytes as they lie in memory, as many as a line takes.
std::string value_text(std::span<const u8> bytes) {
  constexpr std::size_t kShown = 64;
  if (bytes.size() <= sizeof(u64)) {
    u64 value = 0;
    for (std::size_t i = bytes.size(); i-- != 0;) value = value << 8 | bytes[i];
    return fmt::format("{:#0{}x}", value, 2 + 2 * bytes.size());
  }
  std::string text;
  for (const u8 byte : bytes.first(std::min(bytes.size(), kShown)))
    text += fmt::format("{}{:02x}", text.empty() ? "" : " ", byte);
  return bytes.size() > kShown ? text + " ..." : text;
}

struct Writer {
  std::string_view name;  // for a program
  std::string text;
};

Writer writer_of(const symbols::KernelSymbols& names, const Write& write) {
  const std::string processor =
      fmt::format("processor {}{} {}", write.processor, write.amid_instruction ? " at" : ", an event at",
                  place_text(names, write.rip));
  switch (write.by) {
    case cpu::DebugHit::By::Cpu: return {write.amid_instruction ? "processor" : "event", processor};
    case cpu::DebugHit::By::Walk:
      return {"walker", fmt::format("the page walker (A and D bits) of {}", processor)};
    case cpu::DebugHit::By::Device: break;
  }
  std::string text = fmt::format("device {}", write.device);
  if (write.requested_retired)
    text += fmt::format(", with a request that it took up at @{},", *write.requested_retired);
  else if (write.amid_instruction)
    text += fmt::format(", which {} made do it,", processor);
  return {"device", std::move(text)};
}

/// What all answers begin with.
template <class Event>
Answer begin_answer(const Answered<Event>& answered) {
  Answer answer;
  answer.json["found"] = answered.event.has_value();
  answer.json["from"] = position_text(answered.from);
  answer.json["to"] = position_text(answered.to);
  return answer;
}

/// Between which instants it was looked for.
template <class Event>
std::string looked_for(const Answered<Event>& answered) {
  return fmt::format("from {} to {}", position_text(answered.from), position_text(answered.to));
}

void add_happening(const symbols::KernelSymbols& names, Answer& answer, const Happening& one,
                   std::string_view by) {
  answer.json["position"] = position_text(one.at);
  answer.json["virtual_ns"] = one.at.virtual_ns;
  answer.json["by"] = by;
  answer.json["cpu"] = one.processor;
  answer.json["rip"] = hex(one.rip);
  if (const std::string name = names.text(one.rip); !name.empty()) answer.json["symbol"] = name;
}

struct Asked {
  RamPieces pieces;
  u64 bytes;
};

Result<Asked, CommandError> asked(Machine& machine, const Arguments& arguments) {
  constexpr u64 kMaxBytes = 65536;
  const u64 bytes = arguments.number("bytes", 8);
  const std::string_view space = arguments.has("space") ? arguments.word("space") : "linear";
  if (bytes == 0 || bytes > kMaxBytes)
    return CommandError{CommandError::Kind::BadArgument,
                        fmt::format("'bytes' is not between 1 and {}.", kMaxBytes)};
  if (space != "linear" && space != "phys")
    return CommandError{CommandError::Kind::BadArgument, "'space' is neither linear nor phys."};
  Result<RamPieces> pieces = pieces_of(machine, processor_of(machine, arguments).index(),
                                       arguments.number("address"), bytes, space == "linear");
  if (!pieces) return CommandError{CommandError::Kind::BadArgument, pieces.error().message};
  return Asked{pieces.take(), bytes};
}

void add_write(const symbols::KernelSymbols& names, Answer& answer, const Write& write) {
  const Writer writer = writer_of(names, write);
  add_happening(names, answer, write, writer.name);
  if (write.by == cpu::DebugHit::By::Device) answer.json["device"] = write.device;
  if (write.requested_retired) answer.json["requested"] = fmt::format("@{}", *write.requested_retired);
  answer.json["old"] = value_text(write.before);
  answer.json["new"] = value_text(write.after);
  answer.json["stored"] = {{"phys", hex(write.phys)}, {"bytes", write.bytes}};
  answer.text +=
      fmt::format("{}: {} stored {} {} at physical {:#x}\n  from {}\n  to   {}\n", position_text(write.at),
                  writer.text, write.bytes, write.bytes == 1 ? "byte" : "bytes", write.phys,
                  value_text(write.before), value_text(write.after));
}

Result<Condition, CommandError> condition(Machine& machine, const Arguments& arguments) {
  Result<Condition> condition =
      parse_condition(machine, processor_of(machine, arguments).index(), arguments.word("condition"));
  if (!condition) return CommandError{CommandError::Kind::BadArgument, condition.error().message};
  return condition.take();
}

/// Nothing wrote: what was there before all that is known.
void add_nobody(Answer& answer, const Answered<Write>& written) {
  const bool zero = all_zero(written.content);
  const bool all_of_it = written.from == Position{};
  const std::string_view by = !all_of_it ? "unknown" : zero ? "nobody" : "loader";
  answer.json["by"] = by;
  answer.json["value"] = value_text(written.content);
  answer.text = fmt::format("Nobody wrote it {}. ", looked_for(written));
  if (by == "unknown")
    answer.text += fmt::format("It holds {}, as it did then.\n", value_text(written.content));
  else if (by == "nobody")
    answer.text += "It is zero, as memory is in the beginning.\n";
  else
    answer.text +=
        fmt::format("It holds {}, which was loaded before the run began.\n", value_text(written.content));
}

Outcome answer_of(const symbols::KernelSymbols& names, const Asked& what,
                  const Result<Answered<Write>>& result) {
  if (!result) return failed(result.error());
  const Answered<Write>& written = result.value();
  Answer answer = begin_answer(written);
  answer.json["phys"] = hex(what.pieces.front().phys);
  answer.json["bytes"] = what.bytes;
  if (written.event)
    add_write(names, answer, *written.event);
  else
    add_nobody(answer, written);
  return answer;
}

/// Since when something holds.
Outcome answer_of(const symbols::KernelSymbols& names, const Result<Answered<Held>>& result) {
  if (!result) return failed(result.error());
  const Answered<Held>& held = result.value();
  Answer answer = begin_answer(held);
  if (!held.event) {
    answer.text = fmt::format("It never came to hold {}.\n", looked_for(held));
    return answer;
  }
  const std::string position = position_text(held.event->at);
  answer.json["position"] = position;
  answer.json["virtual_ns"] = held.event->at.virtual_ns;
  answer.json["from_the_beginning"] = held.event->from_the_beginning;
  answer.text = held.event->from_the_beginning
                    ? fmt::format("It held at {} already, where the search begins.\n", position)
                    : fmt::format("{}: from here on it holds.\n", position);
  if (!held.event->write) return answer;
  Answer write;
  add_write(names, write, *held.event->write);
  answer.json["write"] = std::move(write.json);
  answer.text += write.text;
  return answer;
}

Outcome answer_of(const symbols::KernelSymbols& names, const Result<Answered<Happening>>& result,
                  std::string_view which) {
  if (!result) return failed(result.error());
  const Answered<Happening>& executed = result.value();
  Answer answer = begin_answer(executed);
  if (!executed.event) {
    answer.text = fmt::format("It was not executed {}.\n", looked_for(executed));
    return answer;
  }
  add_happening(names, answer, *executed.event, "processor");
  answer.text = fmt::format("{}: {} executed by processor {} at {}\n", position_text(executed.event->at),
                            which, executed.event->processor, place_text(names, executed.event->rip));
  return answer;
}

}  // namespace

Outcome last_write(Machine& machine, const Arguments& arguments) {
  const Asked what = TRY(asked(machine, arguments));
  return answer_of(machine.symbols(), what,
                   machine::last_write(machine, what.pieces, TRY(instant_of(arguments, "before"))));
}

Outcome first_write(Machine& machine, const Arguments& arguments) {
  const Asked what = TRY(asked(machine, arguments));
  return answer_of(machine.symbols(), what,
                   machine::first_write(machine, what.pieces, TRY(instant_of(arguments, "after"))));
}

Outcome last_exec(Machine& machine, const Arguments& arguments) {
  const u64 linear = arguments.number("address");
  return answer_of(machine.symbols(), last_execution(machine, linear, TRY(instant_of(arguments, "before"))),
                   "last");
}

Outcome next_exec(Machine& machine, const Arguments& arguments) {
  return answer_of(machine.symbols(), next_execution(machine, arguments.number("address")), "next");
}

Outcome when_began(Machine& machine, const Arguments& arguments) {
  return answer_of(machine.symbols(), last_begun(machine, TRY(condition(machine, arguments))));
}

Outcome bisect(Machine& machine, const Arguments& arguments) {
  const Condition what = TRY(condition(machine, arguments));
  const std::optional<Position> from = TRY(instant_of(arguments, "from"));
  return answer_of(machine.symbols(), first_held(machine, what, from, TRY(instant_of(arguments, "to"))));
}

}  // namespace reprise::machine::monitor
