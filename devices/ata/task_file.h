// The ATA command block: what a host writes before a command and reads after it. ATA8-ACS (T13/1699-D
// revision 6a), section 6; ATA8-APT (T13/1700-D) for the parallel registers; Serial ATA 2.6 10.3.4 for the
// same as a FIS.
#pragma once

#include "common/archive.h"
#include "common/types.h"

namespace reprise::devices::ata {

inline constexpr u64 kSectorBytes = 512;

// Status register.
inline constexpr u8 kStatusErr = 0x01;  // CHK for packet devices
inline constexpr u8 kStatusDrq = 0x08;
inline constexpr u8 kStatusDsc = 0x10;
inline constexpr u8 kStatusDf = 0x20;
inline constexpr u8 kStatusDrdy = 0x40;
inline constexpr u8 kStatusBsy = 0x80;
inline constexpr u8 kStatusReady = kStatusDrdy | kStatusDsc;

// Error register.
inline constexpr u8 kErrorAbrt = 0x04;
inline constexpr u8 kErrorIdnf = 0x10;
inline constexpr u8 kErrorUnc = 0x40;

// Device register.
inline constexpr u8 kDeviceHead = 0x0f;
inline constexpr u8 kDeviceDev = 0x10;
inline constexpr u8 kDeviceLba = 0x40;
inline constexpr u8 kDeviceFua = 0x80;  // READ and WRITE FPDMA QUEUED

// Interrupt reason, in the count register of packet devices. 7.18 PACKET.
inline constexpr u8 kReasonCommand = 0x01;  // C/D
inline constexpr u8 kReasonToHost = 0x02;   // I/O

enum class Command : u8 {
  Nop = 0x00,
  DataSetManagement = 0x06,
  DeviceReset = 0x08,
  Recalibrate = 0x10,  // 10h to 1Fh
  ReadSectors = 0x20,
  ReadSectorsNoRetry = 0x21,
  ReadSectorsExt = 0x24,
  ReadDmaExt = 0x25,
  ReadNativeMaxExt = 0x27,
  ReadMultipleExt = 0x29,
  ReadLogExt = 0x2f,
  WriteSectors = 0x30,
  WriteSectorsNoRetry = 0x31,
  WriteSectorsExt = 0x34,
  WriteDmaExt = 0x35,
  WriteMultipleExt = 0x39,
  WriteDmaFuaExt = 0x3d,
  ReadVerify = 0x40,
  ReadVerifyNoRetry = 0x41,
  ReadVerifyExt = 0x42,
  ReadFpdmaQueued = 0x60,
  WriteFpdmaQueued = 0x61,
  Seek = 0x70,  // 70h to 7Fh
  DeviceDiagnostic = 0x90,
  InitializeParameters = 0x91,
  Packet = 0xa0,
  IdentifyPacketDevice = 0xa1,
  ReadMultiple = 0xc4,
  WriteMultiple = 0xc5,
  SetMultiple = 0xc6,
  ReadDma = 0xc8,
  ReadDmaNoRetry = 0xc9,
  WriteDma = 0xca,
  WriteDmaNoRetry = 0xcb,
  WriteMultipleFuaExt = 0xce,
  StandbyImmediate = 0xe0,
  IdleImmediate = 0xe1,
  Standby = 0xe2,
  Idle = 0xe3,
  CheckPowerMode = 0xe5,
  Sleep = 0xe6,
  FlushCache = 0xe7,
  FlushCacheExt = 0xea,
  IdentifyDevice = 0xec,
  SetFeatures = 0xef,
  ReadNativeMax = 0xf8,
};

/// Two-byte registers hold the last write in the low byte and the one before it in the high byte: the order
/// in which 48-bit commands get their operands.
struct TaskFile {
  u16 features = 0;
  u16 count = 0;
  u16 lba_low = 0;
  u16 lba_mid = 0;
  u16 lba_high = 0;
  u8 device = 0;
  u8 status = 0;
  u8 error = 0;

  u64 lba28() const {
    return u64{u8(lba_low)} | u64{u8(lba_mid)} << 8 | u64{u8(lba_high)} << 16 | u64{device & 0x0fu} << 24;
  }
  u64 lba48() const {
    return u64{u8(lba_low)} | u64{u8(lba_mid)} << 8 | u64{u8(lba_high)} << 16 | u64(lba_low >> 8) << 24 |
           u64(lba_mid >> 8) << 32 | u64(lba_high >> 8) << 40;
  }
  void set_lba28(u64 lba) {
    lba_low = u8(lba);
    lba_mid = u8(lba >> 8);
    lba_high = u8(lba >> 16);
    device = u8((device & 0xf0) | (lba >> 24 & 0x0f));
  }
  void set_lba48(u64 lba) {
    lba_low = u16(u8(lba) | (lba >> 24 & 0xff) << 8);
    lba_mid = u16(u8(lba >> 8) | (lba >> 32 & 0xff) << 8);
    lba_high = u16(u8(lba >> 16) | (lba >> 40 & 0xff) << 8);
  }
  /// Sector counts: 0 stands for the largest.
  u32 count28() const { return u8(count) == 0 ? 256 : u8(count); }
  u32 count48() const { return count == 0 ? 65536 : count; }

  void serialize(Archive& archive) {
    archive.value(features);
    archive.value(count);
    archive.value(lba_low);
    archive.value(lba_mid);
    archive.value(lba_high);
    archive.value(device);
    archive.value(status);
    archive.value(error);
  }
};

}  // namespace reprise::devices::ata
