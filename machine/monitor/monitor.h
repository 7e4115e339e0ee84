// Monitor: carries out commands on a machine, wherever they come from. docs/monitor.md.
// Looking never changes the run: no A or D bits, no TLB fills, no device reads. What changes the guest
// (reset, powerdown) goes through the machine's inbox and its log.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "machine/monitor/command.h"

namespace reprise::machine::monitor {

class PlugWords;

class Monitor {
 public:
  /// `machine` outlives this. `version` is the emulator's.
  Monitor(Machine& machine, std::string version) : machine_(machine), version_(std::move(version)) {}

  // --- Machine thread, between turns ---
  /// `name` is one of commands(); `arguments` an object of strings and numbers by parameter names, or null.
  Outcome execute(std::string_view name, const Json& arguments);
  /// A line as a person types it: the command's words, then its arguments in order.
  Outcome execute_line(std::string_view line);

  /// device_add and its parts: `text` as PlugWords has it.
  Outcome plug(const std::string& text);
  Outcome plug_part(std::string_view command, const std::string& text);

  /// In whose words things are plugged in; nullptr: ours. Before the run; outlives this.
  void set_plug_words(PlugWords* words) { plug_words_ = words; }

  // --- Any thread ---
  const std::string& version() const { return version_; }
  Machine& machine() { return machine_; }
  /// What is wrong with such a line whatever the machine holds: a command that there is not, arguments that are missing, too many or no
  /// numbers.
  static Result<Done, CommandError> check_line(std::string_view line);
  /// The commands that a person may mean who has typed `prefix`.
  static std::vector<std::string> completions(std::string_view prefix);

 private:
  /// What was given for a parameter.
  struct Word {
    const Parameter* parameter;
    std::string_view text;
  };
  Result<Arguments, CommandError> understand(const Command& command, std::span<const Word> given);
  Result<Done, CommandError> take(const Parameter& parameter, std::string_view text, Arguments& arguments);
  Outcome carry_out(const Command& command, const Arguments& arguments);
  Outcome choose_cpu(std::string_view choice);
  /// Nothing: it is none of these.
  std::optional<Outcome> plug_command(std::string_view command, const Arguments& arguments);

  Machine& machine_;
  const std::string version_;
  PlugWords* plug_words_ = nullptr;
  std::optional<unsigned> cpu_;  // that commands are about; nothing: the one whose turn it is
};

}  // namespace reprise::machine::monitor
