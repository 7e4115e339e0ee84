// What firmware finds in the configuration device. QEMU docs/specs/fw_cfg; the file names are SeaBIOS's and
// OVMF's.
#include <algorithm>
#include <array>
#include <string_view>

#include "machine/firmware/firmware.h"
#include "machine/layout/pc_layout.h"
#include "machine/storage/run_files.h"
#include "machine/tables/smbios.h"

namespace reprise::machine {
namespace {

constexpr const char* kRsdpFile = "etc/acpi/rsdp";
constexpr const char* kTablesFile = "etc/acpi/tables";

void put_le(std::vector<u8>& out, u64 value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i) out.push_back(static_cast<u8>(value >> (8 * i)));
}

/// Lines, with a zero at the end, on which OVMF insists. `bytes` long with empty ones, if that is more.
std::vector<u8> boot_order_file(std::span<const std::string> paths, std::size_t bytes = 0) {
  std::vector<u8> out;
  for (const std::string& path : paths) {
    out.insert(out.end(), path.begin(), path.end());
    out.push_back('\n');
  }
  if (out.size() < bytes) out.resize(bytes, '\n');
  out.back() = 0;
  return out;
}

/// RAM as the firmware is to divide it: it makes its own reservations below 1 MiB.
std::vector<u8> e820_file(const MemoryMap& memory) {
  std::vector<u8> out;
  const auto entry = [&](u64 phys, u64 bytes, E820Type type) {
    put_le(out, phys, 8);
    put_le(out, bytes, 8);
    put_le(out, static_cast<u32>(type), 4);
  };
  entry(0, memory.low_ram_end_phys(), E820Type::Ram);
  if (memory.high_ram_end_phys() > kAbove4GPhys)
    entry(kAbove4GPhys, memory.high_ram_end_phys() - kAbove4GPhys, E820Type::Ram);
  return out;
}

/// One command of the table loader: 128 bytes, names of 56.
class LoaderScript {
 public:
  enum class Zone : u8 { High = 1, FSegment = 2 };
  void allocate(std::string_view file, u32 alignment, Zone zone) {
    begin(1);
    name(file);
    put_le(bytes_, alignment, 4);
    put_le(bytes_, static_cast<u8>(zone), 1);
    end();
  }
  void add_pointer(std::string_view in_file, std::string_view to_file, u32 offset, u8 bytes) {
    begin(2);
    name(in_file);
    name(to_file);
    put_le(bytes_, offset, 4);
    put_le(bytes_, bytes, 1);
    end();
  }
  void add_checksum(std::string_view file, u32 offset, u32 first, u32 bytes) {
    begin(3);
    name(file);
    put_le(bytes_, offset, 4);
    put_le(bytes_, first, 4);
    put_le(bytes_, bytes, 4);
    end();
  }
  std::vector<u8> take() { return std::move(bytes_); }

 private:
  static constexpr std::size_t kCommandBytes = 128;
  static constexpr std::size_t kNameBytes = 56;
  void begin(u32 command) { put_le(bytes_, command, 4); }
  void name(std::string_view file) {
    bytes_.insert(bytes_.end(), file.begin(), file.end());
    bytes_.resize(bytes_.size() + kNameBytes - file.size());
  }
  void end() { bytes_.resize((bytes_.size() + kCommandBytes - 1) / kCommandBytes * kCommandBytes); }

  std::vector<u8> bytes_;
};

}  // namespace

std::vector<u8> acpi_loader_script(const AcpiImage& image) {
  using Part = AcpiImage::Part;
  const auto file = [](Part part) { return part == Part::Rsdp ? kRsdpFile : kTablesFile; };
  LoaderScript script;
  script.allocate(kTablesFile, AcpiImage::kTablesAlignment, LoaderScript::Zone::High);
  script.allocate(kRsdpFile, AcpiImage::kRsdpAlignment, LoaderScript::Zone::FSegment);
  for (const AcpiImage::Pointer& pointer : image.pointers)
    script.add_pointer(file(pointer.part), kTablesFile, pointer.offset, pointer.bytes);
  for (const AcpiImage::Checksum& sum : image.checksums)
    script.add_checksum(file(sum.part), sum.offset, sum.first, sum.bytes);
  return script.take();
}

void update_acpi_tables(devices::FwCfg& fw_cfg, const AcpiImage& image) {
  if (fw_cfg.file(kTablesFile) != nullptr) fw_cfg.replace_file(kTablesFile, image.tables);
}

void fill_fw_cfg(devices::FwCfg& fw_cfg, const FirmwareFacts& facts) {
  using Key = devices::FwCfg::Key;
  const std::array<u8, 16> uuid = facts.config.words.uuid.value_or(std::array<u8, 16>{});
  fw_cfg.set(Key::Uuid, {uuid.begin(), uuid.end()});
  fw_cfg.set_number(Key::RamBytes, facts.memory.ram_bytes(), 8);
  fw_cfg.set_number(Key::NoGraphic, 0, 2);
  fw_cfg.set_number(Key::Cpus, facts.smbios.topology.count(), 2);
  fw_cfg.set_number(Key::MaxCpus, facts.smbios.topology.apic_id_limit(), 2);
  fw_cfg.set_number(Key::BootMenu, facts.config.boot_menu ? 1 : 0, 2);
  if (!facts.boot_order.empty()) {
    const std::size_t later =
        facts.order_after_reset.empty() ? 0 : boot_order_file(facts.order_after_reset).size();
    const std::vector<u8> first = boot_order_file(facts.boot_order, later);
    fw_cfg.set_file("bootorder", first);
    if (later != 0)
      fw_cfg.set_file_after_reset("bootorder", boot_order_file(facts.order_after_reset, first.size()));
  }
  fw_cfg.set_file("etc/e820", e820_file(facts.memory));
  const bool has_acpi = !facts.acpi.tables.empty();
  if (has_acpi) fw_cfg.set_file(kRsdpFile, facts.acpi.rsdp);
  if (has_acpi) fw_cfg.set_file(kTablesFile, facts.acpi.tables);
  // By sleep state, S0 to S5: whether it is there, and its SLP_TYP. OVMF keeps what it needs for a resume if S3 is.
  constexpr u8 kIsThere = 0x80;
  if (facts.memory.chipset() != devices::Chipset::Microvm)
    fw_cfg.set_file("etc/system-states",
                    {kIsThere, 0, 0, kIsThere | kSleepTypeSuspend, 0, kIsThere | kSleepTypeSoftOff});
  if (has_acpi) fw_cfg.set_file("etc/table-loader", acpi_loader_script(facts.acpi));
  const SmbiosTables smbios = build_smbios(facts.smbios);
  fw_cfg.set_file("etc/smbios/smbios-anchor", smbios.anchor);
  fw_cfg.set_file("etc/smbios/smbios-tables", smbios.tables);
  if (facts.config.serial_console) fw_cfg.set_file_number("etc/sercon-port", kCom1Port, 2);
}

Result<Done> add_files_of_user(devices::FwCfg& fw_cfg, const FirmwareConfig& config, RunFiles& files) {
  constexpr u64 kMaxFileBytes = 64 * kMiB;
  for (const FirmwareFile& file : config.files) {
    std::vector<u8> bytes(file.text.begin(), file.text.end());
    if (!file.path.empty()) bytes = TRY(read_host_file("--fw-cfg", file.path, kMaxFileBytes, &files));
    fw_cfg.set_file(file.name, std::move(bytes));
  }
  return Done{};
}

}  // namespace reprise::machine
