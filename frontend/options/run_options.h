// What the command line of `reprise run` asks for.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "frontend/display/display_choice.h"
#include "frontend/gdb/gdb_address.h"
#include "frontend/options/socket_address.h"
#include "machine/board/config.h"
#include "machine/monitor/plug_words.h"
#include "machine/observe/trace_kinds.h"
#include "machine/outside/position.h"
#include "machine/run_result.h"
#include "machine/storage/moved_file.h"

namespace reprise::machine::monitor {
struct EmulatorTables;
}

namespace reprise::frontend {

struct TestRequest;

/// Where characters go and come from. Pty: a pseudo-terminal of this host's, whose name is told. Socket: a stream.
struct SerialTarget {
  enum class Kind : u8 { Stdio, File, Null, Pty, Socket, Pipe };
  Kind kind = Kind::Stdio;
  std::string path = {};  // of File and Pipe
  SocketAddress socket = {};
  std::string log_path = {};  // of a file that has what the guest says, too; empty: none
  bool log_goes_on = false;   // behind what it holds
};

/// A monitor in one of QEMU's protocols: QMP, or lines for people.
struct ControlChoice {
  SerialTarget at;
  bool qmp = false;
  bool pretty = false;  // QMP on several lines
};

/// Where the guest's sound is heard.
struct SoundTarget {
  enum class Kind : u8 { None, Wav, Sdl };
  Kind kind = Kind::None;
  std::string path = {};  // of Wav
};

/// Where one processor may come by.
struct PlaceOfProcessor {
  unsigned processor = 0;
  u64 linear = 0;
};

/// At what time the guest's clock starts.
enum class RtcStart : u8 { Fixed, Option, Host };

enum class ClockChoice : u8 { Auto, Paced, Free };

/// How a script wants the run to end.
struct ExpectedEnd {
  machine::ExitReason reason = machine::ExitReason::PowerOff;
  std::optional<u8> debug_value;  // of a debug exit: what the guest is to write
};

struct RunOptions {
  machine::MachineConfig config;
  machine::RunLimits limits;  // `clock` is decided by `clock_choice` and the terminal
  ClockChoice clock_choice = ClockChoice::Auto;
  RtcStart rtc_start = RtcStart::Fixed;
  std::optional<ExpectedEnd> expected;
  std::vector<std::string> command;  // the words after "reprise"
  SerialTarget com1;
  SerialTarget com2{SerialTarget::Kind::Null};
  std::optional<SerialTarget> console;  // of a virtio console, if there is to be one
  std::vector<SerialTarget> ports;      // of virtconsole and virtserialport devices, in their order
  std::vector<DisplayChoice> displays;
  std::vector<std::string> displays_opened;  // their names, once they are
  std::string load_path;                     // of the saved state to begin with; empty: none
  std::string record_path;                   // of --record; empty: it is kept, and forgotten
  std::string replay_path;                   // of the recording that is replayed; empty: none
  std::optional<machine::Position> begin;    // of the replay: at the last kept checkpoint before it
  u64 keep_every_retired = 0;                // instructions from a kept checkpoint to the next; 0: none is
  std::string packed_path;                   // of what reprise pack makes of it; empty: nothing
  std::vector<std::string> questions;        // of reprise ask; none: it is another command
  bool answers_as_json = false;              // the same
  std::shared_ptr<TestRequest> test;         // of reprise test; nullptr: it is another command
  std::optional<u32> jobs;                   // of --jobs
  std::vector<machine::MovedFile> moved;     // of --image
  std::string record_failure_path;           // of --record-on failure=FILE; empty: none
  std::optional<u64> record_memory_bytes;    // of --record-memory
  std::string monitor_path;                  // of the socket of --monitor; empty: none
  std::vector<ControlChoice> controls;       // of -monitor and -qmp
  std::shared_ptr<machine::monitor::PlugWords>
      plug_words;  // in whose words things are plugged in; nullptr: ours
  std::shared_ptr<machine::monitor::EmulatorTables>
      tables;                     // what QMP tells of the program; nullptr: nothing
  std::optional<GdbAddress> gdb;  // of --gdb
  bool paused = false;            // --paused
  std::string json_path;          // empty: none
  SoundTarget sound;
  std::string code_path;         // of --code-cache-dir; empty: none
  std::string memory_page_path;  // of --report; empty: none
  machine::TraceKinds trace;     // of --trace
  std::string trace_path;        // of --trace-file; empty: stderr, "-": stdout
  std::string memory_dump_path;  // of --dump-memory; empty: none
  std::string turns_path;        // of --turns; empty: none
  std::vector<PlaceOfProcessor> turns_at;
  std::string coverage_path;         // of --coverage; empty: none
  machine::Position observers_from;  // where report, trace and coverage begin
  std::string screen_path;           // of --dump-screen; empty: none, "-": stdout
  std::string symbols_path;          // of --symbols; empty: none
  std::string capture_path;          // of --net-dump; empty: none
  std::string log_spec;
  std::vector<std::string> remarks;        // what the user should hear of before the run: sentences
  std::string pid_path;                    // of a file with the number of this process; empty: none
  std::string_view program = "reprise";    // what begins sentences
  std::string_view prompt = "(reprise) ";  // of the monitor
  /// The exit code for how the run ended; nullptr: the one that the result has.
  int (*exit_code_of)(const machine::RunResult& result) = nullptr;
  bool keys_of_pipes = false;  // Ctrl-A is obeyed in standard input that is no terminal, too
  bool in_background = false;  // once the run has begun, the process that was started ends
  bool narrow = false;         // --narrow
  bool stats = false;
  bool verbose = false;
};

}  // namespace reprise::frontend
