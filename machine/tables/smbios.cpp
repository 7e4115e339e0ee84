#include "machine/tables/smbios.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>

#include "common/bits.h"
#include "machine/layout/memory_map.h"
#include "machine/tables/table_bytes.h"

namespace reprise::machine {
namespace {

constexpr std::string_view kMaker = "Reprise";
constexpr u16 kNoHandle = 0xffff;
constexpr u8 kUnknown = 2;  // in most enumerations
constexpr u8 kSafe = 3;     // chassis states

/// The structures, one after the other. 6.1.2.
class Structures {
 public:
  void begin(u8 type, u16 handle) {
    start_ = bytes_.size();
    strings_.clear();
    bytes({type, 0});
    word(handle);
  }
  Structures& bytes(std::initializer_list<u8> values) {
    bytes_.insert(bytes_.end(), values);
    return *this;
  }
  Structures& le(u64 value, unsigned count) {
    for (unsigned i = 0; i < count; ++i) bytes_.push_back(static_cast<u8>(value >> (8 * i)));
    return *this;
  }
  Structures& word(u16 value) { return le(value, 2); }
  Structures& dword(u32 value) { return le(value, 4); }
  /// The number of a string in this structure's string set. 6.1.3.
  Structures& text(std::string_view value) {
    strings_.push_back(value);
    return bytes({static_cast<u8>(strings_.size())});
  }
  /// One more in the string set, of which no field tells.
  void string(std::string_view value) { strings_.push_back(value); }
  /// The same; 0 of an empty one.
  Structures& text_if_any(std::string_view value) { return value.empty() ? bytes({0}) : text(value); }
  void end() {
    bytes_[start_ + 1] = static_cast<u8>(bytes_.size() - start_);
    for (const std::string_view value : strings_) {
      bytes_.insert(bytes_.end(), value.begin(), value.end());
      bytes_.push_back(0);
    }
    if (strings_.empty()) bytes_.push_back(0);
    bytes_.push_back(0);
    largest_ = std::max(largest_, bytes_.size() - start_);
    ++count_;
  }

  std::vector<u8> take() { return std::move(bytes_); }
  u16 largest() const { return static_cast<u16>(largest_); }
  u16 count() const { return count_; }

 private:
  std::vector<u8> bytes_;
  std::vector<std::string_view> strings_;
  std::size_t start_ = 0;
  std::size_t largest_ = 0;
  u16 count_ = 0;
};

std::string_view or_usual(std::string_view word, std::string_view usual) {
  return word.empty() ? usual : word;
}

/// 7.1.
void bios_information(Structures& s, const SmbiosWords& words) {
  constexpr u64 kCharacteristicsNotSupported = 1u << 3;
  constexpr u8 kVirtualMachine = 1u << 4;
  constexpr u8 kAcpi = 1u << 0;
  s.begin(0, 0x0000);
  s.text(or_usual(words.bios_vendor, kMaker)).text(or_usual(words.bios_version, "1")).word(0xe800);
  s.text(or_usual(words.bios_date, "01/01/2025")).bytes({0});
  s.le(kCharacteristicsNotSupported, 8).bytes({kAcpi, kVirtualMachine});
  s.bytes({0, 0, 0xff, 0xff});  // releases of BIOS and embedded controller
  s.end();
}

/// 7.2.
void system_information(Structures& s, const SmbiosWords& words) {
  constexpr u8 kWakeUpPowerSwitch = 6;
  s.begin(1, 0x0100);
  s.text(or_usual(words.maker, kMaker)).text(or_usual(words.product, "Reprise PC"));
  s.text(or_usual(words.version, "1")).text_if_any(words.serial);
  // Zeros: not set. Its first three fields are numbers, 7.2.1.
  const std::array<u8, 16> uuid = words.uuid.value_or(std::array<u8, 16>{});
  for (const unsigned at : {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15}) s.bytes({uuid[at]});
  s.bytes({kWakeUpPowerSwitch}).text_if_any(words.sku).text_if_any(words.family);
  s.end();
}

/// 7.4.
void chassis(Structures& s, const SmbiosWords& words) {
  constexpr u8 kTypeOther = 1;
  s.begin(3, 0x0300);
  s.text(or_usual(words.chassis_maker, kMaker)).bytes({kTypeOther});
  s.text(or_usual(words.chassis_version, "1")).text_if_any(words.chassis_serial);
  s.text_if_any(words.chassis_asset).bytes({kSafe, kSafe, kSafe, kUnknown});
  s.dword(0).bytes({0, 0, 0, 0});
  s.end();
}

/// 7.12.
void oem_strings(Structures& s, const SmbiosWords& words) {
  if (words.oem_strings.empty()) return;
  s.begin(11, 0x0b00);
  s.bytes({static_cast<u8>(words.oem_strings.size())});
  for (const std::string& text : words.oem_strings) s.string(text);
  s.end();
}

/// 7.5: a processor is what sits in a socket.
void processor(Structures& s, unsigned socket, const SmbiosConfig& config) {
  constexpr u8 kCentral = 3;
  constexpr u8 kFamilyOther = 1;
  constexpr u8 kEnabled = 0x41;
  constexpr u8 kUpgradeOther = 1;
  constexpr u16 k64Bit = 1u << 2;
  constexpr u16 kMultiCore = 1u << 3;
  constexpr u16 kHardwareThread = 1u << 4;
  const cpu::Topology& topology = config.topology;
  const auto cores = static_cast<u8>(topology.cores);
  const auto threads = static_cast<u8>(topology.per_socket());
  const auto characteristics =
      static_cast<u16>(k64Bit | (cores > 1 ? kMultiCore : 0) | (topology.threads > 1 ? kHardwareThread : 0));
  const std::string name = fmt::format("CPU {}", socket);
  s.begin(4, static_cast<u16>(0x0400 + socket));
  s.text(name).bytes({kCentral, kFamilyOther}).text(kMaker);
  s.dword(config.cpu_signature).dword(config.cpu_features).text("1");
  s.bytes({0}).word(0).word(1000).word(1000);  // voltage, clocks in MHz
  s.bytes({kEnabled, kUpgradeOther});
  s.word(kNoHandle).word(kNoHandle).word(kNoHandle);  // caches
  s.bytes({0, 0, 0, cores, cores, threads}).word(characteristics).word(kFamilyOther);
  s.end();
}

/// 7.17, 7.18 and 7.20: one array with one module.
void memory(Structures& s, u64 ram_bytes) {
  constexpr u16 kArray = 0x1000;
  constexpr u8 kLocationOther = 1;
  constexpr u8 kUseSystemMemory = 3;
  constexpr u8 kMultiBitEcc = 6;
  constexpr u8 kFormFactorDimm = 9;
  constexpr u8 kTypeRam = 7;
  constexpr u16 kDetailOther = 1u << 1;
  constexpr u32 kExtended = 0x8000'0000;
  const u64 kib = ram_bytes / kKiB;
  const bool large = kib >= kExtended;
  s.begin(16, kArray);
  s.bytes({kLocationOther, kUseSystemMemory, kMultiBitEcc}).dword(large ? kExtended : static_cast<u32>(kib));
  s.word(0xfffe).word(1).le(large ? ram_bytes : 0, 8);
  s.end();

  const u64 mib = ram_bytes / kMiB;
  const bool wide = mib >= 0x7fff;
  s.begin(17, 0x1100);
  s.word(kArray).word(0xfffe).word(0xffff).word(0xffff);
  s.word(wide ? 0x7fff : static_cast<u16>(mib)).bytes({kFormFactorDimm, 0}).text("DIMM 0").bytes({0});
  s.bytes({kTypeRam}).word(kDetailOther).word(0).text(kMaker).bytes({0, 0, 0, 0});
  s.dword(wide ? static_cast<u32>(mib) : 0).word(0);
  s.word(0).word(0).word(0);  // voltages
  s.end();

  const auto mapped = [&](u16 handle, u64 phys, u64 bytes) {
    const u64 last = phys + bytes - 1;
    const bool far = last / kKiB >= 0xffff'ffff;
    s.begin(19, handle);
    s.dword(far ? 0xffff'ffff : static_cast<u32>(phys / kKiB))
        .dword(far ? 0xffff'ffff : static_cast<u32>(last / kKiB));
    s.word(kArray).bytes({1}).le(far ? phys : 0, 8).le(far ? last : 0, 8);
    s.end();
  };
  const MemoryMap map(ram_bytes);
  mapped(0x1300, 0, map.low_ram_end_phys());
  if (map.high_ram_end_phys() > kAbove4GPhys)
    mapped(0x1301, kAbove4GPhys, map.high_ram_end_phys() - kAbove4GPhys);
}

/// 7.33 and 7.128.
void boot_status_and_end(Structures& s) {
  s.begin(32, 0x2000);
  s.bytes({0, 0, 0, 0, 0, 0, 0});  // no errors
  s.end();
  s.begin(127, 0x7f00);
  s.end();
}

/// 5.2.1. The checksums and the address are the firmware's to fill in.
std::vector<u8> anchor(const Structures& s, std::size_t tables_bytes) {
  std::vector<u8> out = {'_', 'S', 'M', '_', 0, 0x1f, 2, 8};
  const auto le = [&](u64 value, unsigned count) {
    for (unsigned i = 0; i < count; ++i) out.push_back(static_cast<u8>(value >> (8 * i)));
  };
  le(s.largest(), 2);
  le(0, 1 + 5);
  for (const char c : std::string_view("_DMI_")) out.push_back(static_cast<u8>(c));
  le(0, 1);
  le(tables_bytes, 2);
  le(0, 4);
  le(s.count(), 2);
  le(0x28, 1);
  return out;
}

}  // namespace

SmbiosTables build_smbios(const SmbiosConfig& config) {
  Structures s;
  bios_information(s, config.words);
  system_information(s, config.words);
  chassis(s, config.words);
  oem_strings(s, config.words);
  for (unsigned socket = 0; socket < config.topology.sockets; ++socket) processor(s, socket, config);
  memory(s, config.ram_bytes);
  boot_status_and_end(s);
  SmbiosTables out;
  out.tables = s.take();
  out.anchor = anchor(s, out.tables.size());
  return out;
}

std::vector<u8> place_smbios(const SmbiosTables& smbios, u64 phys) {
  constexpr u64 kAlignment = 16;
  constexpr std::size_t kIntermediateAnchor = 16;  // "_DMI_", with a checksum of its own
  std::vector<u8> bytes = smbios.anchor;
  const u64 tables_phys = align_up(phys + bytes.size(), kAlignment);
  for (unsigned i = 0; i < 4; ++i) bytes[24 + i] = static_cast<u8>(tables_phys >> (8 * i));
  make_sum_zero(std::span(bytes).subspan(kIntermediateAnchor), 5);
  make_sum_zero(bytes, 4);
  bytes.resize(tables_phys - phys);
  bytes.insert(bytes.end(), smbios.tables.begin(), smbios.tables.end());
  return bytes;
}

}  // namespace reprise::machine
