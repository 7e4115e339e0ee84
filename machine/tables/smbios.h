// SMBIOS tables: what the machine is called what processors and how much memory it has. DMTF DSP0134 2.8. Types 0, 1, 3, 4,
// 11, 16, 17, 19, 32, 127.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/types.h"
#include "cpu/profile/topology.h"

namespace reprise::machine {

/// What the user wants them to say; empty: the usual words.
struct SmbiosWords {
  std::string bios_vendor = {};  // type 0
  std::string bios_version = {};
  std::string bios_date = {};
  std::string maker = {};  // type 1: of the system
  std::string product = {};
  std::string version = {};
  std::string serial = {};
  std::string sku = {};
  std::string family = {};
  std::string chassis_maker = {};  // type 3
  std::string chassis_version = {};
  std::string chassis_serial = {};
  std::string chassis_asset = {};
  std::vector<std::string> oem_strings = {};    // type 11
  std::optional<std::array<u8, 16>> uuid = {};  // of the system, in the order in which it is written
};

/// A text of them, as QEMU's -smbios names it.
struct SmbiosWord {
  unsigned type;
  std::string_view key;
  std::string SmbiosWords::*text;
};
inline constexpr SmbiosWord kSmbiosWords[] = {
    {0, "vendor", &SmbiosWords::bios_vendor},      {0, "version", &SmbiosWords::bios_version},
    {0, "date", &SmbiosWords::bios_date},          {1, "manufacturer", &SmbiosWords::maker},
    {1, "product", &SmbiosWords::product},         {1, "version", &SmbiosWords::version},
    {1, "serial", &SmbiosWords::serial},           {1, "sku", &SmbiosWords::sku},
    {1, "family", &SmbiosWords::family},           {3, "manufacturer", &SmbiosWords::chassis_maker},
    {3, "version", &SmbiosWords::chassis_version}, {3, "serial", &SmbiosWords::chassis_serial},
    {3, "asset", &SmbiosWords::chassis_asset}};

struct SmbiosConfig {
  u64 ram_bytes = 0;
  cpu::Topology topology;
  u32 cpu_signature = 0;  // CPUID.1: EAX, EDX
  u32 cpu_features = 0;
  SmbiosWords words = {};
};

struct SmbiosTables {
  std::vector<u8>
      anchor;  // the entry point structure; firmware fills in where the tables are, and the checksums
  std::vector<u8> tables;
};

SmbiosTables build_smbios(const SmbiosConfig& config);

/// The entry point structure with the tables behind it, for guest-physical address `phys`: 16-byte aligned, in the
/// area that guests search (F0000h to FFFFFh).
std::vector<u8> place_smbios(const SmbiosTables& smbios, u64 phys);

}  // namespace reprise::machine
