#include "machine/acpi_tables.h"

#include <algorithm>
#include <initializer_list>
#include <numeric>
#include <span>
#include <string_view>

#include "common/bits.h"
#include "machine/memory_map.h"
#include "machine/pc_layout.h"

namespace reprise::machine {
namespace {

/// Table bytes, written field after field.
class TableWriter {
 public:
  TableWriter& u8s(std::initializer_list<u8> values) {
    bytes_.insert(bytes_.end(), values);
    return *this;
  }
  TableWriter& le(u64 value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) bytes_.push_back(static_cast<u8>(value >> (8 * i)));
    return *this;
  }
  TableWriter& text(std::string_view value) {
    bytes_.insert(bytes_.end(), value.begin(), value.end());
    return *this;
  }
  TableWriter& zeros(std::size_t count) {
    bytes_.insert(bytes_.end(), count, 0);
    return *this;
  }
  /// Generic address structure, 5.2.3.2.
  enum class Space : u8 { Memory = 0, Io = 1 };
  TableWriter& address(Space space, u8 bit_width, u64 address) {
    return u8s({static_cast<u8>(space), bit_width, 0, 0}).le(address, 8);
  }
  std::vector<u8> take() { return std::move(bytes_); }

 private:
  std::vector<u8> bytes_;
};

/// The byte that makes `bytes` sum to zero.
u8 checksum(std::span<const u8> bytes) {
  return static_cast<u8>(-std::accumulate(bytes.begin(), bytes.end(), 0));
}

/// System description table header (5.2.6) and `body`.
std::vector<u8> table(std::string_view signature, u8 revision, const std::vector<u8>& body) {
  constexpr std::size_t kHeaderBytes = 36;
  constexpr std::size_t kChecksumOffset = 9;
  TableWriter writer;
  writer.text(signature).le(kHeaderBytes + body.size(), 4).u8s({revision, 0});
  writer.text("REPRIS").text("REPRISPC").le(1, 4);  // OEM id, OEM table id and revision
  writer.text("RPRS").le(1, 4);                     // creator id and revision
  std::vector<u8> bytes = writer.take();
  bytes.insert(bytes.end(), body.begin(), body.end());
  bytes[kChecksumOffset] = checksum(bytes);
  return bytes;
}

/// 5.2.9. Revision 4: the tables of ACPI 4.0, which every guest reads.
std::vector<u8> fadt(u64 facs_phys, u64 dsdt_phys) {
  constexpr u16 kBootLegacyDevices = 1u << 0;
  constexpr u16 kBoot8042 = 1u << 1;
  constexpr u16 kBootNoVga = 1u << 2;
  constexpr u32 kFlagWbinvd = 1u << 0;
  constexpr u32 kFlagProcC1 = 1u << 2;
  constexpr u32 kFlagSleepButtonIsDevice = 1u << 5;
  constexpr u32 kFlagFixedRtcWakeAbsent = 1u << 6;
  constexpr u32 kFlagResetRegister = 1u << 10;
  constexpr u16 kNoCState = 0xffff;
  using Space = TableWriter::Space;

  TableWriter w;
  w.le(facs_phys, 4).le(dsdt_phys, 4);
  w.u8s({0, 0});     // reserved; preferred profile: unspecified
  w.le(kIrqSci, 2);  // SCI_INT
  w.le(kSmiCommandPort, 4).u8s({kAcpiEnable, kAcpiDisable, 0, 0});
  w.le(kPm1EventPort, 4).le(0, 4);    // PM1a, PM1b event blocks
  w.le(kPm1ControlPort, 4).le(0, 4);  // PM1a, PM1b control blocks
  w.le(0, 4).le(kPmTimerPort, 4);     // PM2 control block, PM timer
  w.le(kGpe0Port, 4).le(0, 4);        // GPE0, GPE1 blocks
  w.u8s({4, 2, 0, 4, 4, 0, 0, 0});    // lengths: PM1_EVT PM1_CNT PM2_CNT PM_TMR GPE0 GPE1; GPE1_BASE; CST_CNT
  w.le(kNoCState, 2).le(kNoCState, 2);  // no C2, no C3
  w.le(0, 2).le(0, 2).u8s({0, 0});      // FLUSH_SIZE, FLUSH_STRIDE, DUTY_OFFSET, DUTY_WIDTH
  w.u8s({0, 0, 0x32});                  // DAY_ALRM, MON_ALRM, CENTURY
  w.le(kBootLegacyDevices | kBoot8042 | kBootNoVga, 2).u8s({0});
  w.le(kFlagWbinvd | kFlagProcC1 | kFlagSleepButtonIsDevice | kFlagFixedRtcWakeAbsent | kFlagResetRegister,
       4);
  w.address(Space::Io, 8, kResetControlPort).u8s({kResetControlValue}).zeros(3);
  w.le(0, 8).le(dsdt_phys, 8);  // X_FIRMWARE_CTRL (FIRMWARE_CTRL is used), X_DSDT
  w.address(Space::Io, 32, kPm1EventPort).address(Space::Io, 0, 0);
  w.address(Space::Io, 16, kPm1ControlPort).address(Space::Io, 0, 0);
  w.address(Space::Io, 0, 0).address(Space::Io, 32, kPmTimerPort);
  w.address(Space::Io, 32, kGpe0Port).address(Space::Io, 0, 0);
  return table("FACP", 4, w.take());
}

/// 5.2.10. No checksum, no standard header.
std::vector<u8> facs() {
  TableWriter w;
  w.text("FACS").le(64, 4).zeros(56);
  return w.take();
}

/// 5.2.12.
std::vector<u8> madt(const AcpiConfig& config) {
  constexpr u32 kPcAtCompatible = 1;  // there are 8259s
  constexpr u32 kEnabled = 1;
  constexpr u16 kConforms = 0;
  constexpr u16 kActiveHighLevel = 1 | 3 << 2;
  constexpr u8 kAllProcessors = 0xff;
  TableWriter w;
  w.le(kLapicPhys, 4).le(kPcAtCompatible, 4);
  for (std::size_t i = 0; i < config.apic_ids.size(); ++i) {
    w.u8s({0, 8, static_cast<u8>(i), config.apic_ids[i]}).le(kEnabled, 4);
  }
  w.u8s({1, 12, kIoApicId, 0}).le(kIoApicPhys, 4).le(0, 4);
  w.u8s({2, 10, 0, kIrqPit}).le(kPitGsi, 4).le(kConforms, 2);
  w.u8s({2, 10, 0, kIrqSci}).le(kIrqSci, 4).le(kActiveHighLevel, 2);
  w.u8s({4, 6, kAllProcessors}).le(kConforms, 2).u8s({1});
  return table("APIC", 3, w.take());
}

/// IA-PC HPET specification 1.0a, 3.2.4.
std::vector<u8> hpet(const AcpiConfig& config) {
  TableWriter w;
  w.le(config.hpet_block_id, 4).address(TableWriter::Space::Memory, 64, kHpetPhys);
  w.u8s({0}).le(0x80, 2).u8s({0});  // number, minimum tick of periodic mode, no page protection
  return table("HPET", 1, w.take());
}

/// 5.2.8.
std::vector<u8> xsdt(const std::vector<u64>& entries_phys) {
  TableWriter w;
  for (const u64 phys : entries_phys) w.le(phys, 8);
  return table("XSDT", 1, w.take());
}

constexpr std::size_t kRsdpBytes = 36;

/// 5.2.5.3. The first checksum covers the 20 bytes of revision 0, the second all.
std::vector<u8> rsdp(u64 xsdt_phys) {
  TableWriter w;
  w.text("RSD PTR ").u8s({0}).text("REPRIS").u8s({2}).le(0, 4);
  w.le(kRsdpBytes, 4).le(xsdt_phys, 8).u8s({0}).zeros(3);
  std::vector<u8> bytes = w.take();
  bytes[8] = checksum(std::span(bytes).first(20));
  bytes[32] = checksum(bytes);
  return bytes;
}

}  // namespace

AcpiTables build_acpi_tables(const AcpiConfig& config, u64 phys) {
  AcpiTables tables{.phys = phys, .bytes = std::vector<u8>(kRsdpBytes)};
  const auto place = [&](const std::vector<u8>& bytes) {
    constexpr u64 kAlignment = 64;  // what the FACS needs
    tables.bytes.resize(align_up(tables.bytes.size(), kAlignment));
    const u64 at = phys + tables.bytes.size();
    tables.bytes.insert(tables.bytes.end(), bytes.begin(), bytes.end());
    return at;
  };
  const u64 facs_phys = place(facs());
  const u64 dsdt_phys = place(table("DSDT", 2, dsdt_aml(config)));
  const u64 fadt_phys = place(fadt(facs_phys, dsdt_phys));
  const u64 madt_phys = place(madt(config));
  const u64 hpet_phys = place(hpet(config));
  const u64 xsdt_phys = place(xsdt({fadt_phys, madt_phys, hpet_phys}));
  const std::vector<u8> root = rsdp(xsdt_phys);
  std::copy(root.begin(), root.end(), tables.bytes.begin());
  return tables;
}

}  // namespace reprise::machine
