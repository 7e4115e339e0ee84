// A monitor command: a row of the table in commands.cpp, its arguments and its answer.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include "common/result.h"
#include "machine/machine.h"

namespace reprise::machine::monitor {

using Json = nlohmann::ordered_json;

/// The same answer for a program and for a person. Addresses and register values are strings ("0x1000") in
/// `json`, because many readers of JSON keep numbers as doubles; counts are numbers.
struct Answer {
  Json json = Json::object();
  std::string text;  // lines, each with its newline; empty: nothing to say
};

struct CommandError {
  enum class Kind : u8 { UnknownCommand, BadArgument, Failed };
  Kind kind;
  std::string message;  // one sentence
};

using Outcome = Result<Answer, CommandError>;

struct Parameter {
  enum class Kind : u8 { Address, Number, Integer, Word };
  std::string_view name;
  Kind kind;
  bool required;
  std::string_view help;
  /// In a line it stands behind this word; with ",", behind that and the parameter before it. Empty: it has a place.
  std::string_view lead = {};
  /// `lead` alone is what it says.
  bool flag = false;
};

/// Arguments as they were understood: numbers for Address, Number and Integer (in two's complement), text for Word.
class Arguments {
 public:
  std::map<std::string, u64, std::less<>> numbers;
  std::map<std::string, std::string, std::less<>> words;

  bool has(std::string_view name) const { return numbers.contains(name) || words.contains(name); }
  u64 number(std::string_view name, u64 otherwise = 0) const {
    const auto found = numbers.find(name);
    return found == numbers.end() ? otherwise : found->second;
  }
  std::string_view word(std::string_view name) const {
    const auto found = words.find(name);
    return found == words.end() ? std::string_view() : std::string_view(found->second);
  }
};

struct Command {
  std::string_view name;  // one or two words
  std::span<const Parameter> parameters;
  std::string_view help;
  /// Machine thread, between turns. Null: the monitor itself answers (help, version, device_add).
  Outcome (*handler)(Machine& machine, const Arguments& arguments);
};

/// Every command there is, in the order of `help`.
std::span<const Command> commands();

// --- For handlers ---

/// The processor that argument `cpu` names; without it, the one whose turn it is. The monitor has put the one in that
/// was chosen by command `cpu`.
Processor& processor_of(Machine& machine, const Arguments& arguments);

std::string hex(u64 value);
/// The instant that argument `name` is; nothing without it.
Result<std::optional<Position>, CommandError> instant_of(const Arguments& arguments, std::string_view name);
/// The same of a text that was given for `name`.
Result<Position, CommandError> instant_in(std::string_view name, std::string_view text);
/// "4 KiB", "2 MiB", "1.5 GiB": exact for powers of two, else to one place.
std::string size_text(u64 bytes);

/// `text`, and behind it the names of the addresses in it that have one: "call 0xffffffff81000010 <schedule+0x10>".
std::string with_names(const symbols::KernelSymbols& names, std::string text);
/// "0xffffffff8114a065 <tick_do_update_jiffies64+0x65>", as far as it has a name.
std::string place_text(const symbols::KernelSymbols& names, u64 linear);

// Handlers by file.
Outcome status(Machine&, const Arguments&);
Outcome stop(Machine&, const Arguments&);
Outcome cont(Machine&, const Arguments&);
Outcome step(Machine&, const Arguments&);
Outcome quit(Machine&, const Arguments&);
Outcome reset(Machine&, const Arguments&);
Outcome powerdown(Machine&, const Arguments&);
Outcome nmi(Machine&, const Arguments&);
Outcome send_break(Machine&, const Arguments&);
Outcome gdbserver(Machine&, const Arguments&);
Outcome eject(Machine&, const Arguments&);
Outcome change(Machine&, const Arguments&);
Outcome device_del(Machine&, const Arguments&);
Outcome balloon(Machine&, const Arguments&);
Outcome info_balloon(Machine&, const Arguments&);
Outcome screen(Machine&, const Arguments&);
Outcome screenshot(Machine&, const Arguments&);
Outcome dump_guest_memory(Machine&, const Arguments&);
Outcome record(Machine&, const Arguments&);
Outcome save(Machine&, const Arguments&);
Outcome savevm(Machine&, const Arguments&);
Outcome delvm(Machine&, const Arguments&);
Outcome info_snapshots(Machine&, const Arguments&);
Outcome print(Machine&, const Arguments&);
Outcome info_hash(Machine&, const Arguments&);
Outcome info_stats(Machine&, const Arguments&);

Outcome info_network(Machine&, const Arguments&);
Outcome info_usernet(Machine&, const Arguments&);
Outcome set_link(Machine&, const Arguments&);
Outcome hostfwd_add(Machine&, const Arguments&);
Outcome hostfwd_remove(Machine&, const Arguments&);

Outcome sendkey(Machine&, const Arguments&);
Outcome type_text(Machine&, const Arguments&);
Outcome mouse_move(Machine&, const Arguments&);
Outcome mouse_to(Machine&, const Arguments&);
Outcome mouse_buttons(Machine&, const Arguments&);
Outcome click(Machine&, const Arguments&);

Outcome when(Machine&, const Arguments&);  // with a condition: when_began()
Outcome when_began(Machine&, const Arguments&);
Outcome checkpoint(Machine&, const Arguments&);
Outcome info_checkpoints(Machine&, const Arguments&);
Outcome restart(Machine&, const Arguments&);
Outcome run_to(Machine&, const Arguments&);
Outcome reverse_step(Machine&, const Arguments&);
Outcome reverse_continue(Machine&, const Arguments&);
Outcome branch(Machine&, const Arguments&);

Outcome kaslr(Machine&, const Arguments&);
Outcome last_write(Machine&, const Arguments&);
Outcome first_write(Machine&, const Arguments&);
Outcome last_exec(Machine&, const Arguments&);
Outcome next_exec(Machine&, const Arguments&);
Outcome bisect(Machine&, const Arguments&);

Outcome info_cpus(Machine&, const Arguments&);
Outcome info_registers(Machine&, const Arguments&);
Outcome info_tlb(Machine&, const Arguments&);
Outcome disassemble(Machine&, const Arguments&);

Outcome explain(Machine&, const Arguments&);
Outcome info_pagewalk(Machine&, const Arguments&);
Outcome info_memory_map(Machine&, const Arguments&);
Outcome info_phys_map(Machine&, const Arguments&);
Outcome memory(Machine&, const Arguments&);

Outcome info_irq(Machine&, const Arguments&);
Outcome info_pci(Machine&, const Arguments&);
Outcome info_devices(Machine&, const Arguments&);
Outcome info_disks(Machine&, const Arguments&);

}  // namespace reprise::machine::monitor
