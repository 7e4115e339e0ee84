// A gdb (or lldb) that is connected: its packets to answers. GDB manual, appendix E; docs/debugging.md.
//
// Threads of the protocol are processors: thread 1 is processor 0. Reading changes nothing of the guest: memory is looked at
// through the page tables of the chosen processor without A and D bits, TLBs or devices. Whatever is asked, the guest is
// what it would be without a debugger, until one writes registers or memory.
//
// Thread: the one that runs the machine, between turns.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "machine/gdb/registers.h"
#include "machine/monitor/monitor.h"

namespace reprise::machine::gdb {

/// What a packet leads to.
struct Answers {
  std::vector<std::string> payloads;  // in this order
  bool no_ack = false;                // neither side acknowledges from here on
  bool leaves = false;                // the connection ends behind them
};

class Session {
 public:
  using Say = std::function<void(std::string_view sentence)>;
  /// A debugger comes: the guest stands still. All outlive this; `say` takes what the user should hear of.
  Session(monitor::Monitor& monitor, Say say);
  /// It has gone: what it had set is taken away, and the guest stays as it is, still or running.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// No payloads: an answer follows when the guest stands still, by stop_answer().
  Answers take(std::string_view payload);
  /// The user wants the guest to stand still.
  void interrupt();
  /// What is due now because the guest stands still; once for each time that it was let go.
  std::vector<std::string> stop_answers();
  bool waits() const { return waits_ == Waits::ForStop; }
  /// The client waits, and may like to see something meanwhile.
  bool is_busy() const { return waits_ != Waits::No; }
  /// How far a journey has come; nothing: there is none.
  std::optional<std::string> progress() const;

 private:
  using Handler = std::string (Session::*)(std::string_view arguments);
  struct Named {
    std::string_view name;
    Handler handler;
  };
  static const Named kNamed[];
  std::string answer(std::string_view payload);

  // Packets of one letter.
  std::string read_registers(std::string_view);
  std::string write_registers(std::string_view arguments);
  std::string read_register(std::string_view arguments);
  std::string write_register(std::string_view arguments);
  std::string read_memory(std::string_view arguments);
  std::string write_memory_hex(std::string_view arguments);
  std::string write_memory_binary(std::string_view arguments);
  std::string choose_thread(std::string_view arguments);
  std::string is_alive(std::string_view arguments);
  std::string insert(std::string_view arguments);
  std::string remove(std::string_view arguments);
  std::string go_on(std::string_view arguments);
  std::string step(std::string_view arguments);
  std::string step_back(std::string_view);
  std::string run_back(std::string_view);
  std::string why(std::string_view);
  // Named ones.
  std::string supported(std::string_view arguments);
  std::string current_thread(std::string_view);
  std::string first_threads(std::string_view);
  std::string more_threads(std::string_view);
  std::string thread_info(std::string_view arguments);
  std::string description(std::string_view arguments);
  std::string attached(std::string_view);
  std::string symbols(std::string_view);
  std::string command(std::string_view arguments);
  std::string memory_mode(std::string_view);
  std::string set_memory_mode(std::string_view arguments);
  std::string actions(std::string_view);
  std::string act(std::string_view arguments);
  std::string kill(std::string_view);
  std::string detach(std::string_view);
  std::string start_no_ack(std::string_view);
  std::string unknown(std::string_view);

  struct Place {
    u64 address = 0;
    u64 bytes = 0;
  };
  std::optional<Place> place_of(std::string_view text) const;
  std::string write_memory(Place place, std::string_view bytes);
  std::string resume();
  std::string travel(const Result<Done>& begun);
  Processor& chosen() { return machine_.pc().processors().at(chosen_); }
  std::optional<unsigned> processor_of(std::string_view thread) const;
  std::string stop_text(const DebugStop& stop) const;
  void say_of_change(bool had_changed);
  /// Where `address` of the chosen processor lies; by physical address if that is the mode.
  std::optional<u64> phys_of(u64 address);
  std::string bind(std::string_view words);

  // Breakpoints of the client, by kind of packet (0: software, 1: hardware) and address.
  std::map<std::pair<unsigned, u64>, cpu::Breakpoint> breakpoints_;
  // The same for watchpoints: kind, address, length, space.
  std::map<std::tuple<unsigned, u64, u64, bool>, cpu::Watchpoint> watchpoints_;
  std::map<u64, u64> roots_;  // by address: the address space in which breakpoints there count

  monitor::Monitor& monitor_;
  Machine& machine_;
  Debugger& debugger_;
  const Say say_;
  unsigned chosen_ = 0;  // processor that registers and memory are those of
  bool phys_mode_ = false;
  bool tells_reason_ = false;  // the client knows swbreak and hwbreak
  enum class Waits : u8 { No, ForStop, ForCommand };
  Waits waits_ = Waits::No;  // for the guest to stand still: to tell so, or that a command is done
  bool just_came_ = true;
  Answers* answers_ = nullptr;  // of the packet that is taken now
};

}  // namespace reprise::machine::gdb
