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
    {" display ", "give --display sdl, --display vnc:PORT or --display none"},
    {" vnc ", "give --display vnc:PORT, where PORT is 5901 for :1"},
    {" sdl ", "give --display sdl"},
    {" full-screen fullscreen ", "give --display sdl, and press Ctrl+Alt+F in the window"},
    {" vga ", "leave it out, since the card is the one of -vga std"},
    {" g ", "give --display-size WIDTHxHEIGHT"},
    {" spice ", "give --display vnc:PORT or --display sdl"},
    {" nographic curses ",
     "leave it out, since the first serial port is on this terminal, and the VGA's text shows by "
     "--dump-screen and in the "
     "monitor by screen"},
    {" monitor qmp qmp-pretty mon chardev ", "give --monitor unix:PATH, or press Ctrl-A c at the terminal"},
    {" s gdb ", "give --gdb tcp:1234"},
    {" S ", "give --paused"},
    {" nic netdev ", "give --net user or --net none, and --device virtio-net for a card of your own"},
    {" virtfs fsdev ", "give --share FOLDER,tag=NAME"},
    {" usb usbdevice ", "leave it out, since there is no USB"},
    {" audio audiodev soundhw ", "give --device AC97, and --sound sdl or wav:FILE"},
    {" snapshot ", "leave it out, since what the guest writes is gone with the run anyway"},
    {" icount ", "leave it out, since time always follows from the instructions"},
    {" loadvm incoming ", "give --load FILE, which `save FILE` in the monitor made"},
    {" no-hpet ", "give --hpet off"},
    {" no-shutdown no-fd-bootchk no-acpi nodefaults no-user-config ", "leave it out"},
    {" d D ", "give --log CATEGORY[:LEVEL] or --trace LIST"},
    {" daemonize pidfile runas chroot name uuid k ", "leave it out"},
    {" smbios acpitable fw_cfg global set object readconfig L option-rom dtb sandbox ",
     "leave it out, since it cannot be chosen"},
    {" h help ", "give --help"},
    {" debugcon ", "give --log guest:info, which shows what the guest writes to ports E9h and 402h"},
    {" watchdog ", "give --device i6300esb"},
    {" action ", "give --on-panic ACTION, --no-reboot or --watchdog-action ACTION"},
    {" parallel ",
     "leave it out, since there are no parallel ports; a second serial port is a second --serial"},
    {" msg ", "leave it out, since lines on stderr say which option they mean"},
    {" numa ", "leave it out, since all memory is one node"},
    {" mem-path mem-prealloc overcommit ",
     "leave it out, since the host gives memory as the guest uses it (--memory SIZE)"},
    {" plugin ", "give --stats, --trace LIST or --dump LIST, since there are no plugins"},
    {" singlestep one-insn-per-tb ", "give --max-block 1"},
    {" perfmap ", "give --perf-map"},
    {" jitdump ", "give --perf-map, which `perf report` reads too"},
    {" echr ", "leave it out, since Ctrl-A is the only escape key"},
    {" win2k-hack ", "leave it out, since disks answer Windows 2000 as they do others"},
    {" tpmdev ", "leave it out, since there is no TPM"},
    {" semihosting semihosting-config ",
     "leave it out, since x86 has none; a guest ends a run by --debug-exit PORT"},
    {" qtest qtest-log ", "leave it out, since devices are tested by the unit tests of the source tree"},
    {" compat ", "leave it out, since nothing is deprecated"},
    {" run-with async-teardown ", "leave it out, since it is for a service's start"},
    {" add-fd iscsi ", "give files by their names, since others cannot be opened"},
    {" dfilter ", "give --at ADDR,... with --dump LIST"},
    {" tb-size ", "give --code-cache SIZE"},
    {" portrait rotate no-frame no-quit ctrl-grab alt-grab ",
     "leave it out, since the window has one shape and fixed keys"},
    {" dump-vmstate only-migratable preconfig enable-sync-profile ", "leave it out"},
    {" xen-attach xen-domid xen-domid-restrict xen-create ", "leave it out, since Xen is no host here"},
    {" sd mtdblock ", "give --disk FILE, since there are no SD cards and no flash memory but firmware's"},
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
