// What the CMOS memory tells firmware and boot loaders: memory sizes, drives, boot order. The layout of the
// IBM AT with the additions that SeaBIOS reads (QEMU, hw/i386 documentation of "CMOS layout"; SeaBIOS,
// src/hw/rtc.h). Missing: hard disk types and geometries (12h, 19h-2Ch): firmware asks the disks themselves.
#pragma once

#include <array>

#include "devices/timer/cmos_rtc.h"
#include "machine/layout/memory_map.h"

namespace reprise::machine {

/// What a BIOS calls the floppy drive types.
enum class FloppyType : u8 { None = 0, K360 = 1, K1200 = 2, K720 = 3, K1440 = 4, K2880 = 5 };

/// The nibbles of bytes 3Dh and 38h.
enum class BootDevice : u8 { None = 0, Floppy = 1, HardDisk = 2, Cdrom = 3, Network = 4 };

struct CmosFacts {
  const MemoryMap& memory;
  unsigned cpus = 1;
  std::array<FloppyType, 2> floppies{};
  bool ps2_mouse = false;
  std::array<BootDevice, 3> boot_order{BootDevice::HardDisk, BootDevice::Floppy, BootDevice::Cdrom};
};

/// Once, when the machine is built: afterwards the bytes are the guest's.
void fill_cmos(devices::CmosRtc& rtc, const CmosFacts& facts);

}  // namespace reprise::machine
