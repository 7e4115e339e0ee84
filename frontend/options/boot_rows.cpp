// What is booted.
#include <fmt/format.h>

#include "frontend/options/moved_row.h"
#include "frontend/options/run_rows.h"
#include "frontend/options/want.h"

namespace reprise::frontend {
namespace {

constexpr RunOption kBootRows[] = {
    {.name = "--kernel",
     .value = "FILE",
     .help = "bzImage or zImage, ELF kernel with a PVH entry (vmlinux), or Multiboot kernel",
     .more = "It is started without firmware, but for kernels of Linux boot protocols before 2.10, and with "
             "--bios "
             "seabios.",
     .of_machine = true,
     .set = [](RunDraft& draft, const Given& given) { draft.options.config.boot.kernel_path = given.value; }},
    {.name = "--initrd",
     .value = "FILE",
     .help = "initial RAM disk; for Multiboot the modules: \"FILE ARGS,FILE ARGS\"",
     .of_machine = true,
     .set = [](RunDraft& draft, const Given& given) { draft.options.config.boot.initrd_path = given.value; }},
    {.name = "--append",
     .value = "TEXT",
     .help = "kernel command line",
     .empty = Empty::Taken,
     .of_machine = true,
     .set = [](RunDraft& draft,
               const Given& given) { draft.options.config.boot.command_line = given.value; }},
    {.name = "--bios-serial",
     .value = "on|off",
     .shown = Shown::Name,
     .help = "on (default): SeaBIOS's screen is on the first serial port, too",
     .words = "on off",
     .of_machine = true,
     .set = [](RunDraft& draft,
               const Given& given) { draft.options.config.firmware.serial_console = want_on(given); }},
    {.name = "--bios",
     .value = "NAME",
     .help = "firmware that boots a disk, or the kernel: seabios, ovmf (UEFI, disks only) or a file",
     .more = "SeaBIOS (default) and OVMF are those of Debian's packages seabios and ovmf. ovmf-2m is the "
             "smaller OVMF, for "
             "variables of 128 KiB.",
     .words = "seabios ovmf ovmf-2m",
     .of_machine = true,
     .set = [](RunDraft& draft, const Given& given) { draft.options.config.firmware.bios = given.value; }},
    {.name = "--bios-vars",
     .value = "FILE",
     .help = "keeps the variables of ovmf; made when missing (default: fresh ones each run)",
     .of_machine = true,
     .set = [](RunDraft& draft,
               const Given& given) { draft.options.config.firmware.variables_path = given.value; }},
    {.name = "--load",
     .value = "FILE",
     .help = "goes on from a state that the monitor's save wrote, with its options",
     .more = "Options that say what the machine is come from the state; others are given as ever. "
             "docs/saved-states.md.",
     .set = [](RunDraft& draft, const Given& given) { draft.options.load_path = given.value; }},
    kMovedRow,
};

}  // namespace

std::span<const RunOption> boot_rows() { return kBootRows; }

}  // namespace reprise::frontend
