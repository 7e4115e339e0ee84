// The options of `reprise run`, as rows.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/options/option.h"
#include "frontend/options/run_options.h"

namespace reprise::frontend {

/// What the setters write to.
struct RunDraft {
  RunOptions options;
  std::set<std::string_view> given;       // names of the options that were
  std::set<std::string_view> given_here;  // of them: on this command line, not in a saved state
  unsigned serial_ports = 0;              // --serial so far
  std::string watchdog_action;            // of the i6300esb; empty: as it says itself
  u32 display_width = 0;                  // of --display-size; 0: as the VGA says itself
  u32 display_height = 0;
  machine::RunOrigin loaded;  // of the saved state that --load names
  bool of_state = false;      // options are, or come behind, those of a saved state or recording
  std::string answer;         // not empty: the command asks for this text and nothing else

  bool has(std::string_view name) const { return given.contains(name); }
};

using RunOption = Option<RunDraft>;

std::span<const RunOption> boot_rows();
std::span<const RunOption> disk_rows();
std::span<const RunOption> machine_rows();
std::span<const RunOption> net_rows();
std::span<const RunOption> processor_rows();
std::span<const RunOption> limit_rows();
std::span<const RunOption> jit_rows();
std::span<const RunOption> report_rows();

/// All of them, in the order of `--help`.
std::span<const OptionGroup<RunDraft>> run_option_groups();

/// That no file is written by one option and used by another. Throws BadValue.
void check_files(RunDraft& draft);

/// Whether --boot names the network.
bool boots_from_network(const RunDraft& draft);

/// Gives the machine a card for its network, and the host's time where certificates are to be believed.
void complete_network(RunDraft& draft);

/// What options demand of each other, once all are in `draft`. Throws BadValue.
void check_together(RunDraft& draft);

}  // namespace reprise::frontend
