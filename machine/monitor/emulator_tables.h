// EmulatorTables: what a client of QMP asks about the emulator and its command line, not about the guest. Whoever translates such a
// command line fills it from its own tables (frontend/qemu/tables.h).
#pragma once

#include <string>
#include <vector>

#include "common/types.h"

namespace reprise::machine::monitor {

struct EmulatorTables {
  struct Property {
    std::string name;
    std::string type;  // "str", "bool", "int"
    std::string help = {};
  };
  /// A class of QEMU's object model.
  struct Type {
    std::string name;
    std::string parent;  // "device", "machine", "cpu", "object"
    std::vector<Property> properties = {};
  };
  struct Board {
    std::string name;
    std::string alias;
    std::string help;
    bool is_default = false;
  };
  struct Chardev {
    std::string label;
    std::string filename;  // "pty:/dev/pts/3"
    std::string
        end;  // whose it is: "com1", "port0" of the first virtconsole or virtserialport; empty: a monitor
  };
  /// What the command line calls a drive that the machine has as `name`. Empty: nothing.
  struct Disk {
    std::string name;            // "disk0"
    std::string drive = {};      // id of -drive
    std::string device = {};     // id of -device
    std::string node = {};       // of -blockdev
    std::string file_node = {};  // the one below it
    bool on_virtio = false;
  };
  struct Memory {
    std::string id;
    u64 bytes = 0;
  };

  std::string guest_name;  // of -name
  std::vector<Type> types;
  std::vector<Board> boards;
  std::vector<std::string> options;
  std::vector<Chardev> chardevs;
  std::vector<Disk> disks;
  std::vector<Memory> memories;
  std::vector<std::string> io_threads;
};

}  // namespace reprise::machine::monitor
