#include "frontend/options/qemu_words.h"

#include <fmt/format.h>

#include <algorithm>

#include "frontend/options/run_rows.h"

namespace reprise::frontend {
namespace {

struct QemuWord {
  std::string_view names;  // without dashes, with spaces around each
  std::string_view instead;
};

constexpr QemuWord kQemuWords[] = {
    {" m ", "give --memory SIZE"},
    {" hda hdb hdc hdd ", "give --disk FILE,bus=ide, or only the file's name"},
    {" drive blockdev ", "give --disk FILE[,KEY=VALUE...]"},
    {" fda fdb ", "give --floppy FILE"},
    {" pflash ", "give --bios ovmf and --bios-vars FILE"},
    {" smp ", "give --cpus N,sockets=S,cores=C,threads=T"},
    {" accel enable-kvm no-kvm ", "leave it out, since the guest's code is always translated (--engine)"},
    {" machine M ", "leave it out, since there is one machine, a PC with an i440FX"},
    {" nographic curses display vga spice vnc sdl full-screen g ",
     "leave it out, since the first serial port is on this terminal, and the VGA's text shows by "
     "--dump-screen and in the "
     "monitor by screen"},
    {" monitor qmp mon chardev ", "give --monitor unix:PATH, or press Ctrl-A c at the terminal"},
    {" s S gdb ", "use the monitor (Ctrl-A c, --monitor unix:PATH): it stops, steps and shows registers"},
    {" net nic netdev ", "leave it out, since there is no network"},
    {" virtfs fsdev ", "put the files onto a disk, since folders of the host cannot be shared"},
    {" usb usbdevice ", "leave it out, since there is no USB"},
    {" audio audiodev soundhw ", "leave it out, since there is no sound"},
    {" snapshot ", "leave it out, since what the guest writes is gone with the run anyway"},
    {" icount ", "leave it out, since time always follows from the instructions"},
    {" loadvm incoming ", "start anew, since states cannot be loaded yet"},
    {" no-shutdown no-fd-bootchk no-hpet no-acpi nodefaults no-user-config ", "leave it out"},
    {" d D ", "give --log CATEGORY[:LEVEL] or --trace LIST"},
    {" daemonize pidfile runas chroot name uuid k ", "leave it out"},
    {" smbios acpitable fw_cfg global set object readconfig L option-rom dtb sandbox ",
     "leave it out, since it cannot be chosen"},
    {" h help ", "give --help"},
};

}  // namespace

std::string instead_of_qemu_word(std::string_view word) {
  if (!word.starts_with('-')) return {};
  std::string_view name = word.substr(std::min(word.find_first_not_of('-'), word.size()));
  name = name.substr(0, name.find('='));
  // The same name with two dashes, which ours always have.
  const std::string doubled = fmt::format("--{}", name);
  if (word != doubled) {
    for (const OptionGroup<RunDraft>& group : run_option_groups())
      for (const RunOption& row : group.rows)
        if (row.name == doubled)
          return fmt::format("give {}{}{}", row.name, row.value.empty() ? "" : " ", row.value);
  }
  const std::string wanted = fmt::format(" {} ", name);
  const auto* found = std::ranges::find_if(
      kQemuWords, [&](const QemuWord& row) { return row.names.find(wanted) != std::string_view::npos; });
  return found == std::end(kQemuWords) || name.empty() ? std::string() : std::string(found->instead);
}

}  // namespace reprise::frontend
