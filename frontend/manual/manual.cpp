#include "frontend/manual/manual.h"

#include <fmt/format.h>

#include <algorithm>

#include "frontend/options/image_rows.h"
#include "frontend/options/manual_rows.h"
#include "frontend/options/replay_rows.h"
#include "frontend/options/run_rows.h"
#include "frontend/test/merge_command.h"
#include "frontend/test/test_rows.h"

namespace reprise::frontend {
namespace {

/// A usage line names so many options, no more.
constexpr std::size_t kMaxNamedOptions = 4;

constexpr ExitCode kExitCodes[] = {
    {"0", "power-off, --stop-at, quit"},
    {"2", "wrong usage"},
    {"10", "panic"},
    {"11", "hang"},
    {"12", "--timeout"},
    {"13", "triple fault"},
    {"14", "reset"},
    {"15", "no boot"},
    {"16", "not --expect"},
    {"20", "host error, loss"},
    {"21", "--wall-timeout"},
    {"22", "not as recorded"},
    {"23", "lockstep"},
    {"128+N", "signal N"},
};

template <class Target>
std::vector<ManualGroup> manual_groups(std::span<const OptionGroup<Target>> groups) {
  std::vector<ManualGroup> out;
  for (const OptionGroup<Target>& group : groups) {
    ManualGroup& made = out.emplace_back(ManualGroup{group.heading, group.remark, {}});
    for (const Option<Target>& row : group.rows) made.options.push_back(row.text());
  }
  return out;
}

/// "FILE", "[SIZE]", "[IMAGE...]", "[--format raw|qcow2]".
std::string in_usage(const OptionText& option) {
  std::string text = name_and_value(option);
  if (option.is_argument() && option.counts == Counts::Each) text += "...";
  return option.required ? text : '[' + text + ']';
}

}  // namespace

CommandManual run_manual() {
  return {
      .name = "run",
      .purpose =
          "Boots a disk image or a kernel on an emulated PC, with its first serial port on this terminal.",
      .examples = {"reprise run debian.qcow2",
                   "reprise run --kernel vmlinuz --initrd initrd.img --append \"console=ttyS0\" --memory 1G"},
      .groups = manual_groups(run_option_groups()),
      .keys =
          "At the terminal Ctrl-A x quits, c toggles the monitor, b sends a break, h helps, Ctrl-A is "
          "itself. "
          "Ctrl-C: to the guest."};
}

CommandManual replay_manual() {
  return {
      .name = "replay",
      .purpose =
          "Runs again what was recorded, instruction by instruction, and compares it with the recording.",
      .examples = {"reprise run debian.qcow2 --record boot.rec", "reprise replay boot.rec --engine interp"},
      .groups = manual_groups(replay_option_groups()),
      .keys = {}};
}

CommandManual ask_manual() {
  return {.name = "ask",
          .purpose =
              "Answers questions about a recorded run: who wrote a word of memory, when an instruction was "
              "executed, since when "
              "something holds. It runs it for that.",
          .examples = {"reprise ask boot.rec last-write 0xffffffff82a079c0,8",
                       "reprise ask boot.rec --to 41203118554 'last-exec rip' 'bisect u32[0x200000]==5'"},
          .groups = manual_groups(ask_option_groups()),
          .keys = {}};
}

CommandManual pack_manual() {
  return {.name = "pack",
          .purpose =
              "Puts all that a recorded run reads of images, kernel, initrd, firmware and a saved state into "
              "its recording, which then "
              "replays anywhere. It runs it for that.",
          .examples = {"reprise pack boot.rec --output boot-with-images.rec"},
          .groups = manual_groups(pack_option_groups()),
          .keys = {}};
}

CommandManual test_manual() {
  std::vector<ManualGroup> groups = manual_groups(test_option_groups());
  for (ManualGroup& group : manual_groups(run_option_groups_of_test())) groups.push_back(std::move(group));
  return {.name = "test",
          .purpose =
              "Boots a kernel, runs a command in the guest with its output here, and says what became of it: "
              "its exit code, results in "
              "TAP or KTAP, and what the kernel reported.",
          .examples = {"reprise test -k arch/x86/boot/bzImage -- uname -a",
                       "reprise test -k bzImage --share . --junit result.xml -- ./run_tests.sh --all"},
          .groups = std::move(groups),
          .keys = {}};
}

CommandManual merge_manual() {
  return {.name = "merge",
          .purpose = "Joins results that several processes of reprise test have left, whatever their order.",
          .examples = {"reprise merge out --junit result.xml"},
          .groups = manual_groups(merge_option_groups()),
          .keys = {}};
}

CommandManual manual_manual() {
  return {.name = "manual",
          .purpose = "Prints what this program says about itself.",
          .examples = {"reprise manual man | man -l -", "source <(reprise manual bash)"},
          .groups = manual_groups(manual_option_groups()),
          .keys = {}};
}

std::vector<CommandManual> image_manuals() {
  std::vector<CommandManual> out;
  for (const ImageCommand& command : image_commands())
    out.push_back({.name = command.name,
                   .purpose = command.purpose,
                   .examples = {},
                   .groups = manual_groups(command.groups),
                   .keys = {}});
  return out;
}

std::vector<CommandManual> all_manuals() {
  std::vector<CommandManual> out = {run_manual(),  replay_manual(), ask_manual(),
                                    pack_manual(), test_manual(),   merge_manual()};
  for (CommandManual& command : image_manuals()) out.push_back(std::move(command));
  out.push_back(manual_manual());
  return out;
}

std::span<const ExitCode> exit_codes() { return kExitCodes; }

std::string usage_line(const CommandManual& command) {
  std::string arguments, options;
  std::size_t count = 0;
  for (const ManualGroup& group : command.groups) {
    for (const OptionText& option : group.options) {
      (option.is_argument() ? arguments : options) += ' ' + in_usage(option);
      count += option.is_argument() ? 0 : 1;
    }
  }
  return fmt::format("reprise {}{}{}", command.name, arguments,
                     count > kMaxNamedOptions ? " [OPTION...]" : options);
}

std::string name_and_value(const OptionText& option) {
  return option.value.empty() ? std::string(option.name) : fmt::format("{} {}", option.name, option.value);
}

std::string sentence(std::string_view phrase) {
  std::string text(phrase);
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text + '.';
}

std::string description(const OptionText& option) {
  std::string text(option.help);
  std::ranges::replace(text, '\n', ' ');
  return fmt::format("{}.{}{}", text, option.more.empty() ? "" : " ", option.more);
}

}  // namespace reprise::frontend
