// What a command line of QEMU's asks for, before its parts have found each other: -device names a -drive by its id, and either
// may stand first.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "frontend/options/run_options.h"
#include "frontend/qemu/key_values.h"
#include "machine/monitor/emulator_tables.h"

namespace reprise::frontend::qemu {

/// What has a medium: -drive, -hda, -cdrom, a node of -blockdev.
struct Drive {
  std::string option;  // as it was given, for errors
  std::string id = {};
  std::string file = {};  // empty: no medium
  std::string format = {};
  std::string interface = {};  // ide, virtio, floppy, scsi, pflash, none
  std::string serial = {};
  std::string address = {};  // addr= of if=virtio
  bool cdrom = false;
  bool read_only = false;
  bool snapshot = false;
  bool by_default = false;             // nobody asked for it
  std::optional<unsigned> index = {};  // among those of its interface
  bool used = false;                   // by a -device
};

/// One end of a network: -netdev, -net user, -nic.
struct Netdev {
  std::string option;
  std::string kind;                         // user, none
  std::vector<std::string> our_words = {};  // behind --net user: "restrict=yes"
  bool used = false;
};

/// What characters come from and go to: -chardev, -serial, -monitor.
struct Chardev {
  std::string target;      // as --serial takes it: "stdio", "unix:PATH"
  std::string log = {};    // of what is said there, as --serial has it behind the target: ",log=FILE"
  bool mux = false;        // the monitor can be reached there
  std::string label = {};  // id of its -chardev
  bool used = false;
};

/// A monitor that was asked for.
struct MonitorWish {
  std::string option;
  Chardev at;
  bool qmp = false;
  bool pretty = false;
};

struct FolderWish {
  std::string option;
  std::string path;
  std::string owner;  // as --share has it
  bool read_only = false;
};

enum class PanicAction : u8 { Shutdown, ExitFailure, Pause, None };

struct Draft {
  std::vector<std::string> words;  // of `reprise run`
  std::vector<std::string> notes;  // sentences
  std::string answer;              // the command asks for this text and nothing else

  std::vector<Drive> drives;
  std::map<std::string, Drive> nodes;       // of -blockdev, by node-name
  std::map<std::string, std::string> over;  // node-name of a format, and of the file below it
  std::vector<KeyValues> devices;           // each with its driver as "driver"
  std::map<std::string, Netdev> netdevs;    // by id
  std::vector<KeyValues> cards;             // of -net nic and -nic, with "model"
  std::map<std::string, Chardev> chardevs;
  std::map<std::string, FolderWish> folders;                       // of -fsdev, by id
  std::vector<machine::monitor::EmulatorTables::Memory> memories;  // of -object
  std::vector<std::string> io_threads;                             // the same
  std::vector<Chardev>
      ports;  // of virtconsole and virtserialport devices; without a target those that have none
  std::vector<std::optional<Chardev>> serials;  // nothing: -serial none
  std::optional<Chardev> port_with_terminal;    // of a virtio-serial
  std::vector<MonitorWish> monitors;
  bool monitor_given = false;
  std::string boot_letters;        // of -boot order=
  std::string first_boot_letters;  // of once=
  bool boot_menu = false;
  std::string vga = {};
  std::string display = {};  // as --display has it; "default"
  std::string rtc = {};
  std::string watchdog_action = {};
  std::string pid_path = {};
  std::string guest_name = {};
  std::string loaded_state = {};  // of -loadvm
  std::string kernel = {};
  std::string bios = {};
  std::string gdb = {};
  unsigned next_id = 0;
  PanicAction on_panic = PanicAction::Shutdown;
  bool pvpanic = false;
  bool q35 = false;
  std::optional<std::string> microvm = {};  // it is one; what of it is switched, as --machine has it
  bool modern_virtio_mmio = false;
  bool nodefaults = false;
  bool nographic = false;
  bool no_graphics = false;  // of -machine
  bool net_none = false;
  bool snapshot = false;
  bool paused = false;
  bool no_reboot = false;
  bool stays_off = false;
  bool in_background = false;
  bool no_floppy_drive = false;  // without a medium
  bool memory_given = false;

  void word(std::string text) { words.push_back(std::move(text)); }
  void words_of(std::string_view option, std::string value) {
    words.emplace_back(option);
    words.push_back(std::move(value));
  }
  void note(std::string sentence) { notes.push_back(std::move(sentence)); }
  Drive* find_drive(std::string_view id);
};

}  // namespace reprise::frontend::qemu
