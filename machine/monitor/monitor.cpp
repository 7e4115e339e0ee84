#include "machine/monitor/monitor.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "common/numbers.h"
#include "machine/monitor/emulator_tables.h"
#include "machine/monitor/expression.h"
#include "machine/monitor/qemu_names.h"

namespace reprise::machine::monitor {
namespace {

using Kind = CommandError::Kind;

CommandError unknown(std::string_view name) {
  constexpr std::size_t kShown = 60;
  if (const std::string_view instead = instead_of_qemu_command(name); !instead.empty())
    return {Kind::UnknownCommand, fmt::format("'{}' is a command of QEMU's: {}.", name, instead)};
  return {Kind::UnknownCommand,
          fmt::format("There is no command '{}'; 'help' lists them.", name.substr(0, kShown))};
}

const Command* find(std::string_view name) {
  const auto found = std::ranges::find(commands(), name, &Command::name);
  return found == commands().end() ? nullptr : &*found;
}

/// Words between blanks, or in quotes.
std::vector<std::string_view> words_of(std::string_view line) {
  constexpr std::string_view kBlank = " \t\r\n";
  std::vector<std::string_view> words;
  for (;;) {
    const std::size_t begin = line.find_first_not_of(kBlank);
    if (begin == line.npos) return words;
    const char quote = line[begin];
    const bool quoted = quote == '"' || quote == '\'';
    line.remove_prefix(begin + (quoted ? 1 : 0));
    words.push_back(line.substr(0, quoted ? line.find(quote) : line.find_first_of(kBlank)));
    line.remove_prefix(std::min(words.back().size() + (quoted ? 1 : 0), line.size()));
  }
}

std::string usage(const Command& command) {
  std::string text(command.name);
  for (const Parameter& parameter : command.parameters) {
    if (parameter.lead == ",")
      text += fmt::format("[,{}]", parameter.name);
    else if (parameter.flag)
      text += fmt::format(" [{}]", parameter.lead);
    else if (!parameter.lead.empty())
      text += fmt::format(" [{} POSITION]", parameter.lead);
    else
      text += parameter.required ? fmt::format(" {}", parameter.name) : fmt::format(" [{}]", parameter.name);
  }
  return text;
}

CommandError not_what_it_takes(const Parameter& parameter, std::string_view want, std::string_view text) {
  return {Kind::BadArgument, fmt::format("'{}' is not {}: '{}'.", parameter.name, want, text.substr(0, 60))};
}

/// It takes a position, as @41203118554.
bool is_instant(const Parameter& parameter) {
  constexpr std::string_view kLeads[] = {"at", "before", "after", "from", "to"};
  return parameter.kind == Parameter::Kind::Word &&
         (parameter.name == "position" || std::ranges::find(kLeads, parameter.lead) != std::end(kLeads));
}

CommandError no_number(const Parameter& parameter, std::string_view text) {
  return not_what_it_takes(parameter, "a whole number", text);
}

CommandError missing(const Command& command, const Parameter& parameter) {
  return {Kind::BadArgument, fmt::format("'{}' is missing: {}.", parameter.name, usage(command))};
}

/// The command that the first word or two name, if any does, and how many they are.
std::pair<const Command*, std::size_t> named_by(std::span<const std::string> words) {
  for (std::size_t count = std::min<std::size_t>(words.size(), 2); count > 0; --count)
    if (const Command* const command = find(fmt::format("{}", fmt::join(words.first(count), " "))))
      return {command, count};
  return {nullptr, 0};
}

CommandError no_command_in(std::span<const std::string> words) {
  return unknown(
      fmt::format("{}", fmt::join(words.first(words[0] == "info" && words.size() > 1 ? 2 : 1), " ")));
}

/// A word of a line, and which parameter it is for.
struct Given {
  const Parameter* parameter;
  std::string_view text;
};

/// Words have places, or stand behind another one that says what they are.
Result<std::vector<Given>, CommandError> in_their_places(const Command& command,
                                                         std::span<const std::string> words) {
  std::vector<Given> given;
  const std::span<const Parameter> parameters = command.parameters;
  const auto with_lead = [&](std::string_view lead) {
    return std::ranges::find_if(parameters, [&](const Parameter& one) { return one.lead == lead; });
  };
  auto place = parameters.begin();
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string_view text = words[i];
    if (const auto led = text.empty() ? parameters.end() : with_lead(text); led != parameters.end()) {
      if (!led->flag && ++i == words.size())
        return CommandError{Kind::BadArgument,
                            fmt::format("Something is missing behind '{}': {}.", text, usage(command))};
      given.push_back({&*led, words[i]});
      continue;
    }
    place = std::find_if(place, parameters.end(), [](const Parameter& one) { return one.lead.empty(); });
    if (place == parameters.end())
      return CommandError{Kind::BadArgument, fmt::format("Too many arguments: {}.", usage(command))};
    const auto behind_comma = place->kind == Parameter::Kind::Address ? with_lead(",") : parameters.end();
    if (const std::size_t comma = text.rfind(','); behind_comma != parameters.end() && comma != text.npos) {
      given.push_back({&*behind_comma, text.substr(comma + 1)});
      text = text.substr(0, comma);
    }
    given.push_back({&*place++, text});
  }
  return given;
}

Answer help(std::string_view prefix) {
  Answer answer;
  Json list = Json::array();
  for (const Command& command : commands()) {
    if (!command.name.starts_with(prefix)) continue;
    Json parameters = Json::array();
    answer.text += fmt::format("{:<44} {}\n", usage(command), command.help);
    for (const Parameter& parameter : command.parameters) {
      parameters.push_back(
          {{"name", parameter.name}, {"required", parameter.required}, {"help", parameter.help}});
      if (!prefix.empty()) answer.text += fmt::format("    {}: {}\n", parameter.name, parameter.help);
    }
    list.push_back({{"name", command.name}, {"help", command.help}, {"arguments", std::move(parameters)}});
  }
  answer.json["commands"] = std::move(list);
  return answer;
}

/// The first command of two words that begins with `word`, if there is one.
const Command* first_that_begins_with(std::string_view word) {
  const auto found = std::ranges::find_if(commands(), [&](const Command& one) {
    return one.name.size() > word.size() && one.name.starts_with(word) && one.name[word.size()] == ' ';
  });
  return word.empty() || found == commands().end() ? nullptr : &*found;
}

/// What is no command's whole name: "info" alone lists what it begins, as for a person; else what to send.
Outcome not_executed(std::string_view name, const Json& given) {
  if (const Command* first = first_that_begins_with(name)) {
    if (given.is_null() || given == Json::object()) return help(name);
    return CommandError{Kind::UnknownCommand,
                        fmt::format("'{0}' is the beginning of names: send {{\"execute\": \"{1}\"}}, or "
                                    "{{\"execute\": \"{0}\"}} for their list.",
                                    name, first->name)};
  }
  if (name == "qmp_capabilities" || name == "human-monitor-command" || name.starts_with("query-"))
    return CommandError{
        Kind::UnknownCommand,
        fmt::format("'{}' is of QEMU's QMP, which this is not: send {{\"execute\": \"help\"}} "
                    "for the commands here.",
                    name.substr(0, 60))};
  // A person's line, or what only lines have.
  const std::string first(name.substr(0, name.find_first_of(" /")));
  const bool starts_a_line =
      first == "x" || first == "xp" || first == "p" ||
      std::ranges::any_of(commands(),
                          [&](const Command& one) { return one.name.starts_with(first + ' '); }) ||
      find(first) != nullptr || std::ranges::find(qemu_names(), first, &QemuName::qemu) != qemu_names().end();
  if (!first.empty() && starts_a_line)
    return CommandError{
        Kind::UnknownCommand,
        fmt::format("'{}' is no command's name, but may be a person's line: send {{\"execute\": \"human\", "
                    "\"arguments\": {{\"line\": ...}}}}, or what follows the name in 'arguments'.",
                    name.substr(0, 60))};
  return unknown(name);
}

/// A JSON argument as the text a person would type; nothing when it is neither string nor whole number. Below zero are
/// only parameters that can be.
std::optional<std::string> argument_text(const Json& value, const Parameter& parameter) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_unsigned()) return std::to_string(value.get<u64>());
  if (value.is_number_integer() && parameter.kind == Parameter::Kind::Integer)
    return std::to_string(value.get<i64>());
  return std::nullopt;
}

const EmulatorTables kNoTables;

}  // namespace

Monitor::Monitor(Machine& machine, std::string version)
    : machine_(machine), version_(std::move(version)), tables_(&kNoTables) {}

Result<Done, CommandError> Monitor::take(const Parameter& parameter, std::string_view text,
                                         Arguments& arguments) {
  constexpr std::size_t kMaxArgumentBytes = 4096;  // as long as a path
  if (text.size() > kMaxArgumentBytes) return not_what_it_takes(parameter, "of a sensible length", text);
  if (parameter.kind == Parameter::Kind::Word) {
    arguments.words[std::string(parameter.name)] = text;
    return Done{};
  }
  const bool negative = parameter.kind == Parameter::Kind::Integer && text.starts_with('-');
  std::optional<u64> value = parse_number(text.substr(negative ? 1 : 0));
  if (value && negative) value = ~*value + 1;
  if (parameter.kind == Parameter::Kind::Address) arguments.words[std::string(parameter.name)] = text;
  if (!value && parameter.kind == Parameter::Kind::Address) {
    const Result<u64> evaluated =
        evaluate(processor_of(machine_, arguments).cpu.state, text, &machine_.symbols());
    if (!evaluated)
      return CommandError{
          Kind::BadArgument,
          fmt::format("'{}' is not an address such as 0xffffffff81000000 or rip: '{}' has no value: {}.",
                      parameter.name, text.substr(0, 60), evaluated.error().message)};
    value = evaluated.value();
  }
  if (!value) return no_number(parameter, text);
  if (parameter.name == "cpu" && *value >= machine_.pc().processors().count())
    return not_what_it_takes(parameter, "the index of a processor", text);
  arguments.numbers[std::string(parameter.name)] = *value;
  return Done{};
}

/// The processor first: names of registers are of that one.
Result<Arguments, CommandError> Monitor::understand(const Command& command, std::span<const Word> given) {
  const auto is_cpu = [](const Parameter& parameter) { return parameter.name == "cpu"; };
  Arguments arguments;
  for (const bool cpu : {true, false}) {
    for (const Word& word : given) {
      if (is_cpu(*word.parameter) == cpu) TRY(take(*word.parameter, word.text, arguments));
    }
    if (cpu && cpu_ && !arguments.has("cpu") && std::ranges::any_of(command.parameters, is_cpu))
      arguments.numbers["cpu"] = *cpu_;
  }
  return arguments;
}

Outcome Monitor::choose_cpu(std::string_view choice) {
  const unsigned count = machine_.pc().processors().count();
  if (choice == "any") {
    cpu_.reset();
  } else if (!choice.empty()) {
    const std::optional<u64> index = parse_number(choice);
    if (!index || *index >= count)
      return CommandError{
          Kind::BadArgument,
          fmt::format("'choice' is neither 'any' nor the index of a processor, 0 to {}: '{}'.", count - 1,
                      choice.substr(0, 60))};
    cpu_ = static_cast<unsigned>(*index);
  }
  Answer answer;
  const unsigned cpu = cpu_.value_or(machine_.pc().processors().running_index());
  answer.json = {{"cpu", cpu}, {"chosen", cpu_.has_value()}};
  answer.text = fmt::format("processor {}{}\n", cpu, cpu_ ? "" : ", whose turn it is");
  return answer;
}

Outcome Monitor::carry_out(const Command& command, const Arguments& arguments) {
  for (const Parameter& parameter : command.parameters) {
    if (parameter.required && !arguments.has(parameter.name)) return missing(command, parameter);
  }
  if (command.handler != nullptr) return command.handler(machine_, arguments);
  if (command.name == "help") return help(arguments.word("command"));
  if (command.name == "cpu") return choose_cpu(arguments.word("choice"));
  if (auto plugged = plug_command(command.name, arguments)) return *std::move(plugged);
  Answer answer;
  answer.json["version"] = version_;
  answer.text = fmt::format("{}\n", version_);
  return answer;
}

Outcome Monitor::execute(std::string_view name, const Json& given) {
  const auto qemu = std::ranges::find(qemu_names(), name, &QemuName::qemu);
  const Command* command = find(qemu == qemu_names().end() ? name : qemu->ours);
  if (command == nullptr) return not_executed(name, given);
  if (!given.is_null() && !given.is_object())
    return CommandError{Kind::BadArgument, "'arguments' is not an object."};
  std::vector<std::string> texts;
  std::vector<Word> words;
  if (given.is_object()) {
    texts.reserve(given.size());
    for (const auto& [key, value] : given.items()) {
      const auto parameter = std::ranges::find(command->parameters, key, &Parameter::name);
      if (parameter == command->parameters.end())
        return CommandError{Kind::BadArgument,
                            fmt::format("'{}' is no argument of '{}'.", key.substr(0, 60), command->name)};
      const std::optional<std::string> text = argument_text(value, *parameter);
      if (!text)
        return CommandError{Kind::BadArgument,
                            fmt::format("'{}' is neither a string nor a whole number.", key)};
      texts.push_back(*text);
      words.push_back({&*parameter, texts.back()});
    }
  }
  return carry_out(*command, TRY(understand(*command, words)));
}

Outcome Monitor::execute_line(std::string_view line) {
  const auto understood = in_our_words(words_of(line));
  if (!understood) return understood.error();
  const std::vector<std::string>& words = understood.value();
  if (words.empty()) return Answer{};
  const auto [command, used] = named_by(words);
  if (command == nullptr && words.size() == 1 && first_that_begins_with(words[0]) != nullptr)
    return help(words[0]);
  if (command == nullptr) return no_command_in(words);
  // help takes a whole name: "help info pagewalk".
  if (command->name == "help" && words.size() > 1)
    return help(fmt::format("{}", fmt::join(words.begin() + 1, words.end(), " ")));
  std::vector<Word> given;
  for (const Given& one : TRY(in_their_places(*command, std::span(words).subspan(used))))
    given.push_back({one.parameter, one.text});
  return carry_out(*command, TRY(understand(*command, given)));
}

Result<Done, CommandError> Monitor::check_line(std::string_view line) {
  const std::vector<std::string> words = TRY(in_our_words(words_of(line)));
  if (words.empty()) return Done{};
  const auto [command, used] = named_by(words);
  if (command == nullptr)
    return words.size() == 1 && first_that_begins_with(words[0]) != nullptr
               ? Result<Done, CommandError>(Done{})
               : no_command_in(words);
  if (command->name == "help") return Done{};
  const std::vector<Given> given = TRY(in_their_places(*command, std::span(words).subspan(used)));
  for (const Given& one : given) {
    const Parameter& parameter = *one.parameter;
    const bool negative = parameter.kind == Parameter::Kind::Integer && one.text.starts_with('-');
    if (is_instant(parameter)) TRY(instant_in(parameter.name, one.text));
    // An address may have a name that only the machine knows.
    if (parameter.kind == Parameter::Kind::Word || parameter.kind == Parameter::Kind::Address) continue;
    if (!parse_number(one.text.substr(negative ? 1 : 0))) return no_number(parameter, one.text);
  }
  for (const Parameter& parameter : command->parameters)
    if (parameter.required && std::ranges::find(given, &parameter, &Given::parameter) == given.end())
      return missing(*command, parameter);
  return Done{};
}

std::vector<std::string> Monitor::completions(std::string_view prefix) {
  std::vector<std::string> names;
  for (const Command& command : commands())
    if (command.name.starts_with(prefix)) names.emplace_back(command.name);
  return names;
}

}  // namespace reprise::machine::monitor
