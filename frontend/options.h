// The command line of `reprise`: words to settings, or to one sentence about what is wrong with them.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "machine/board/config.h"

namespace reprise::frontend {

struct SerialTarget {
  enum class Kind : u8 { Stdio, File, Null };
  Kind kind = Kind::Stdio;
  std::string path;  // of File
};

enum class ClockChoice : u8 { Auto, Paced, Free };

struct RunOptions {
  machine::MachineConfig config;
  machine::RunLimits limits;  // `clock` is decided by `clock_choice` and the terminal
  ClockChoice clock_choice = ClockChoice::Auto;
  SerialTarget com1;
  SerialTarget com2{SerialTarget::Kind::Null, {}};
  std::optional<SerialTarget> console;  // of a virtio console, if there is to be one
  std::string monitor_path;             // of the socket of --monitor; empty: none
  std::string json_path;                // empty: none
  std::string screen_path;              // of --dump-screen; empty: none, "-": stdout
  std::string log_spec;
  std::vector<std::string> trace;  // event categories
  bool stats = false;
  bool verbose = false;
};

/// "reprise 0.1".
std::string_view version_text();

/// Nothing is to be run: print `text` and exit.
struct EarlyExit {
  int exit_code = 0;
  std::string text;  // exit code 0: for stdout; otherwise one sentence for stderr
};

/// `words` are the arguments after the program's name.
std::variant<RunOptions, EarlyExit> parse_options(const std::vector<std::string>& words);

// --- Values; nullopt when malformed or out of range ---

/// "512M", "1G", "65536K", "2GiB", or plain bytes.
std::optional<u64> parse_size(std::string_view text);
/// Decimal, or hexadecimal with 0x.
std::optional<u64> parse_number(std::string_view text);
/// Seconds with an optional fraction: "1.5".
std::optional<double> parse_seconds(std::string_view text);
/// "2024-02-29", "2024-02-29T12:34:56" (UTC), or seconds since 1970.
std::optional<i64> parse_time(std::string_view text);
/// "unix:PATH": the path.
std::optional<std::string> parse_monitor(std::string_view text);
/// "stdio", "null", "file:PATH".
std::optional<SerialTarget> parse_serial(std::string_view text);

}  // namespace reprise::frontend
