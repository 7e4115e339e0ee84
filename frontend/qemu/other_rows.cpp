// Options about QEMU's own process, and what has no place here.
#include "frontend/qemu/option_row.h"

namespace reprise::frontend::qemu {
namespace {

void set_name(Draft& draft, std::string_view option, const std::string& value) {
  KeyValues keys = KeyValues::parse(option, value, "guest");
  draft.guest_name = keys.take_or_empty("guest");
  keys.ignore("process debug-threads");
  keys.refuse_rest();
}

constexpr OptionRow kRows[] = {
    {" name ", "[guest=]NAME", Effect::Translated, "of query-name", set_name},
    {" no-user-config nodefconfig ", "", Effect::Silent, "there are no configuration files"},
    {" sandbox ", "on|off[,...]", Effect::Silent, "which calls of the host QEMU may make"},
    {" msg ", "KEY=VALUE", Effect::Silent, "how messages look"},
    {" compat ", "KEY=VALUE", Effect::Silent, "nothing is deprecated"},
    {" run-with ", "KEY=VALUE", Effect::Silent, "how QEMU's process ends"},
    {" async-teardown ", "", Effect::Silent, "the same"},
    {" no-fd-bootchk win2k-hack ", "", Effect::Silent, "for old systems, which boot without"},
    {" only-migratable enable-sync-profile ", "", Effect::Silent, "QEMU's own state"},
    {" L ", "FOLDER", Effect::Silent, "firmware is that of Debian's packages, or -bios FILE"},
    {" tb-size ", "MIB", Effect::Silent, "the size of QEMU's code cache"},
    {" singlestep one-insn-per-tb ", "", Effect::Silent, "how QEMU translates"},
    {" perfmap jitdump ", "", Effect::Noted,
     "what is translated is told to perf by REPRISE_OPTIONS=--perf-map"},
    {" D ", "FILE", Effect::Noted,
     "QEMU's log is not written: REPRISE_OPTIONS=--log=CATEGORY:LEVEL chooses what is told"},
    {" d ", "ITEMS", Effect::Noted, "the same"},
    {" dfilter ", "RANGE", Effect::Noted, "the same"},
    {" trace ", "...", Effect::Noted, "REPRISE_OPTIONS=--trace=LIST chooses what is traced"},
    {" usb ", "", Effect::Noted, "there is no USB, and nothing that was plugged in there"},
    {" audio audiodev ", "...", Effect::Noted,
     "sound is heard by REPRISE_OPTIONS=--sound=sdl, or =--sound=wav:FILE"},
    {" usbdevice ", "NAME", Effect::Refused,
     "there is no USB: give -device virtio-tablet-pci or virtio-keyboard-pci"},
    {" soundhw ", "NAME", Effect::Refused, "give -device AC97"},
    {" tpmdev ", "...", Effect::Refused, "there is no TPM: leave it out"},
    {" plugin ", "...", Effect::Refused, "there are no plugins: REPRISE_OPTIONS=--trace=LIST traces"},
    {" readconfig ", "FILE", Effect::Refused, "options are read from the command line only: give them there"},
    {" runas chroot ", "...", Effect::Refused, "the process stays who it is: start it as who it is to be"},
    {" semihosting semihosting-config ", "...", Effect::Refused, "x86 has none: give -device isa-debug-exit"},
    {" qtest qtest-log ", "...", Effect::Refused, "devices cannot be driven from outside: leave it out"},
    {" dump-vmstate ", "FILE", Effect::Refused, "that is QEMU's own state: leave it out"},
    {" xen-attach xen-domid xen-domid-restrict xen-create ", "...", Effect::Refused,
     "Xen is no host here: leave it out"},
    {" portrait rotate ", "...", Effect::Refused, "the picture is shown as it is: leave it out"},
};

}  // namespace

std::span<const OptionRow> other_rows() { return kRows; }

}  // namespace reprise::frontend::qemu
