// Registers of the 82540EM that somebody else than the driver cares about. Intel 82540EM manual, table 13-2.
#pragma once

#include "common/types.h"

namespace reprise::devices::e1000 {

inline constexpr u32 kCtrl = 0x0000, kStatus = 0x0008, kEecd = 0x0010, kEerd = 0x0014, kMdic = 0x0020,
                     kVet = 0x0038, kIcr = 0x00c0, kIcs = 0x00c8, kIms = 0x00d0, kImc = 0x00d8,
                     kRctl = 0x0100, kTctl = 0x0400, kTipg = 0x0410, kLedctl = 0x0e00, kPba = 0x1000,
                     kRdbal = 0x2800, kRdbah = 0x2804, kRdlen = 0x2808, kRdh = 0x2810, kRdt = 0x2818,
                     kTdbal = 0x3800, kTdbah = 0x3804, kTdlen = 0x3808, kTdh = 0x3810, kTdt = 0x3818,
                     kStatistics = 0x4000, kMissed = 0x4010, kGoodReceived = 0x4074, kGoodSent = 0x4080,
                     kBytesReceived = 0x4088, kBytesSent = 0x4090, kStatisticsEnd = 0x4128, kRxcsum = 0x5000,
                     kMulticastTable = 0x5200, kReceiveAddresses = 0x5400, kVlanTable = 0x5600,
                     kManc = 0x5820;
/// Of younger ones of the family: drivers for all of them (U-Boot) take the EEPROM by it, and want to read what they have written, as from QEMU's.
inline constexpr u32 kSwsm = 0x5b50;
inline constexpr u32 kReceiveAddressCount = 16;

// CTRL
inline constexpr u32 kCtrlReset = 1u << 26, kCtrlVlan = 1u << 30, kCtrlPhyReset = 1u << 31;
// STATUS
inline constexpr u32 kStatusFullDuplex = 1u << 0, kStatusLinkUp = 1u << 1, kStatus1000 = 2u << 6,
                     kStatusDetected1000 = 2u << 8;
// ICR and its kin
inline constexpr u32 kTransmitted = 1u << 0, kTransmitEmpty = 1u << 1, kLinkChanged = 1u << 2,
                     kReceiveLow = 1u << 4, kOverrun = 1u << 6, kReceived = 1u << 7, kMdioDone = 1u << 9;
// RCTL
inline constexpr u32 kReceiveOn = 1u << 1, kUnicastAll = 1u << 3, kMulticastAll = 1u << 4,
                     kBroadcasts = 1u << 15, kVlanFilter = 1u << 18, kLargeBuffers = 1u << 25,
                     kStripCrc = 1u << 26;
// TCTL
inline constexpr u32 kTransmitOn = 1u << 1;
// RAH
inline constexpr u32 kAddressValid = 1u << 31;

inline constexpr u32 kDescriptorBytes = 16;
inline constexpr u16 kTypeVlan = 0x8100;

// Virtual time, as virtio-net's.
inline constexpr u64 kTransmitDelayNs = 2'000, kReceiveDelayNs = 3'000;
constexpr u64 burst_ns(u64 bytes) { return 1'000 + bytes; }

}  // namespace reprise::devices::e1000
