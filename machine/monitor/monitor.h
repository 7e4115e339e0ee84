// Monitor: carries out commands on a machine, wherever they come from. docs/monitor.md.
// Looking never changes the run: no A or D bits, no TLB fills, no device reads. What changes the guest
// (reset, powerdown) goes through the machine's inbox and its log.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "machine/monitor/command.h"

namespace reprise::machine::monitor {

struct EmulatorTables;
class PlugWords;

/// Something that a client of QMP began, and may ask about until it dismisses it. All are over when they have an answer.
struct Job {
  std::string id;
  std::string type;
  std::string error = {};  // empty: it did what it was to do
};

/// What clients of QMP are told of besides their answers.
struct ToldEvent {
  std::string name;
  Json data;
};

class Monitor {
 public:
  /// `machine` outlives this. `version` is the emulator's.
  Monitor(Machine& machine, std::string version);

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

  // --- For commands of QMP ---
  /// What the command line was read by. Before the run; outlives this.
  void set_tables(const EmulatorTables& tables) { tables_ = &tables; }
  const EmulatorTables& tables() const { return *tables_; }
  std::vector<Job>& jobs() { return jobs_; }
  /// Bytes of the last dump-guest-memory; 0: there was none.
  u64 dumped() const { return dumped_; }
  void set_dumped(u64 bytes) { dumped_ = bytes; }
  void tell(std::string name, Json data) { told_.push_back({std::move(name), std::move(data)}); }
  std::vector<ToldEvent> take_told() { return std::exchange(told_, {}); }

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
  const EmulatorTables* tables_;
  std::vector<Job> jobs_;
  std::vector<ToldEvent> told_;
  u64 dumped_ = 0;
  std::optional<unsigned> cpu_;  // that commands are about; nothing: the one whose turn it is
};

}  // namespace reprise::machine::monitor
