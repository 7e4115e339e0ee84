// What the user says of a disk, and what the board gets of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "devices/backend.h"
#include "devices/floppy/floppy_geometry.h"

namespace reprise::machine {

enum class DiskBus : u8 { Auto, Ide, Ahci, Virtio, Floppy, Scsi };
enum class DiskMedia : u8 { Disk, Cdrom, Floppy };
/// "disk", "cdrom", "floppy".
std::string_view kind_name(DiskMedia media);
enum class DiskFormat : u8 { Auto, Raw, Qcow2 };

/// A disk as the user wants it: a drive among the devices of the configuration.
/// What a drive with removable media holds.
struct HeldMedium {
  std::string drive;  // "cdrom0"
  std::string path;   // from /; empty: nothing
};

struct DiskConfig {
  std::string path;  // empty: an empty drive
  DiskFormat format = DiskFormat::Auto;
  DiskBus bus = DiskBus::Auto;
  DiskBus ata_bus = DiskBus::Ide;  // of the board: what every system knows; SCSI where there is none
  std::optional<DiskMedia> media;  // nullopt: an ISO 9660 image is a CD-ROM, anything else a disk
  bool write_through = false;      // else an overlay that dies with the run takes the writes
  std::string overlay_path;        // if not empty: a kept overlay over `path`, made when missing
  std::string serial;              // empty: made from the position
  std::optional<unsigned>
      place;  // on its bus: the drive's unit, its SCSI id, a virtio card's PCI slot; nullopt: the next free
  std::string id = {};       // what the user calls the device; empty: nothing
  std::string pci_bus = {};  // of a virtio card: as DeviceConfig::bus
  bool hotplug = false;      // it waits to be plugged in, empty: a card that is in no slot
  std::size_t card = 0;      // of SCSI: which of the host adapters it is on
  unsigned lun = 0;          // of SCSI
};

/// A disk with its decisions taken: what the board plugs in.
struct AttachedDisk {
  devices::BlockBackend* medium = nullptr;  // outlives the board
  DiskBus bus = DiskBus::Virtio;            // never Auto
  DiskMedia media = DiskMedia::Disk;
  std::string serial;
  std::string name = {};                               // by kind and position: "disk0", "cdrom0", "floppy1"
  std::optional<unsigned> place = {};                  // as in DiskConfig
  std::string id = {};                                 // the same
  std::string pci_bus = {};                            // the same
  bool hotplug = false;                                // the same
  std::size_t card = 0;                                // the same
  unsigned lun = 0;                                    // the same
  std::optional<devices::FloppyGeometry> floppy = {};  // how a floppy in it is formatted
};

}  // namespace reprise::machine
