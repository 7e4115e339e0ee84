// How a run ended.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/types.h"
#include "machine/net/network_info.h"
#include "machine/outside/position.h"
#include "machine/storage/disk_info.h"
#include "machine/storage/host_file.h"

namespace reprise::machine {

enum class ExitReason : u8 {
  PowerOff,   // the guest switched itself off
  Reset,      // the guest asked for a reset
  DebugExit,  // the guest wrote to the debug-exit port
  StopAt,     // the instruction count asked for was reached
  Quit,       // the user asked at the terminal
  Panic,      // the guest's kernel panicked
  Hang,       // nothing can ever happen again
  Timeout,    // virtual time limit
  TripleFault,
  HostError,
  Usage,          // the command asked for a machine that cannot be
  WallTimeout,    // host time limit
  EnginesDiffer,  // --engine lockstep found a difference
  Signal,         // SIGINT, SIGTERM, ...
  NoBoot,         // firmware found nothing to boot
  ReplayDiffers,  // a run that follows a recording differs from it
};

/// Of a run that HostError ends because this process got no more memory.
inline constexpr const char* kOutOfMemory =
    "this process got no more memory from the host: give the guest less (--memory), or the process more.";

/// The name in JSON output: "poweroff", "reset", ...
std::string_view exit_reason_name(ExitReason reason);

/// The reason of that name.
std::optional<ExitReason> exit_reason_of_name(std::string_view name);

/// The process exit code, docs/command.md. DebugExit and Signal carry their own.
int exit_code_of(ExitReason reason);

/// "ended by SIGTERM".
std::string ended_by_signal(int signal);

struct HashPoint {
  u64 retired;
  u64 state_hash;
};

/// Where a replay differs from its recording.
struct ReplaySpan {
  Position agreed;  // the last link of the chain that agreed, or the beginning
  Position differed;
};

struct RunResult {
  ExitReason reason = ExitReason::HostError;
  int exit_code = 0;
  std::string message;  // one sentence, for a person
  std::string details;  // lines that say more; often empty
  u64 retired = 0;
  std::string position;  // as messages name it: "@N.K"; empty: there was no run
  u64 virtual_ns = 0;
  u64 idle_ns = 0;
  double wall_s = 0;
  u64 state_hash = 0;
  std::vector<HashPoint> hashes;
  std::vector<DiskInfo> disks;
  std::vector<FileRead> files;     // kernel, initrd, firmware, as they were read
  std::vector<std::string> shape;  // what the machine consists of, line by line
  NetworkInfo network;
  std::optional<ReplaySpan> differs;  // a replay
  u64 lost_variable_saves = 0;        // changes of firmware's variables that their file does not have
};

}  // namespace reprise::machine
