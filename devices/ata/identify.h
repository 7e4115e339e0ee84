// IDENTIFY DEVICE and IDENTIFY PACKET DEVICE data. ATA8-ACS (T13/1699-D revision 6a) 7.16 and 7.17.
#pragma once

#include <array>
#include <string_view>

#include "common/types.h"

namespace reprise::devices::ata {

/// How a unit is cabled: parallel units have transfer modes and a cable, serial ones a command queue.
enum class Cable : u8 { Parallel, Serial };

/// SET FEATURES 03h takes these (7.45, table 57). PIO modes are 0 to 4 with flow control, multiword DMA 0 to
/// 2, Ultra DMA 0 to 5.
inline constexpr u8 kTransferModeDefault = 0x42;  // Ultra DMA 2
bool is_transfer_mode(u8 mode);

struct Geometry {
  u16 cylinders = 0;
  u16 heads = 0;
  u16 sectors = 0;  // per track
};

struct IdentifyDisk {
  std::string_view serial;  // 20 characters
  u64 sectors = 0;
  Geometry native;
  Geometry current;
  Cable cable = Cable::Parallel;
  u8 max_multiple = 0;
  u8 multiple = 0;
  u8 transfer_mode = 0;
  bool write_cache = true;
  bool look_ahead = true;
  unsigned queue_depth = 0;
  unsigned max_trim_blocks = 0;
  u64 world_wide_name = 0;
};

struct IdentifyCdrom {
  std::string_view serial;
  Cable cable = Cable::Parallel;
  u8 transfer_mode = 0;
};

using IdentifyWords = std::array<u16, 256>;
IdentifyWords identify_disk(const IdentifyDisk& disk);
IdentifyWords identify_cdrom(const IdentifyCdrom& cdrom);

}  // namespace reprise::devices::ata
