// Firmware from the distribution's packages, and what the machine tells it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "common/result.h"
#include "devices/firmware/fw_cfg.h"
#include "devices/firmware/pflash.h"
#include "machine/layout/memory_map.h"
#include "machine/storage/host_file.h"
#include "machine/tables/acpi_tables.h"
#include "machine/tables/smbios.h"

namespace reprise::machine {

class RunFiles;

/// A file of the user's on the configuration device.
struct FirmwareFile {
  std::string name;       // "opt/org.example/thing"
  std::string text = {};  // its content
  std::string path = {};  // not empty: of the host's file that has it
};

/// What the user says of firmware.
struct FirmwareConfig {
  std::string bios = {};            // "seabios", "ovmf", or a file; empty: seabios
  std::string variables_path = {};  // of OVMF's variable store, made when missing; empty: a fresh one that
                                    // dies with the run
  /// SeaBIOS shows its screen, and what boot loaders print through int 10h, on COM1 too.
  bool serial_console = true;
  bool boot_menu = false;                    // firmware asks what to boot
  std::vector<std::string> boot_order = {};  // what it tries first, as boot_order.h says
  std::vector<std::string> first_boot_order =
      {};                                // in front of it, until the machine is reset for the first time
  SmbiosWords words = {};                // what the machine says of itself
  std::vector<FirmwareFile> files = {};  // on the configuration device, for whoever in the guest asks
};

/// What lies at the end of the first 4 GiB.
struct FirmwareImage {
  std::vector<u8> rom;
  std::vector<u8> variables;             // content of the flash right below the ROM; empty: there is none
  devices::Pflash::Save save_variables;  // empty: nobody keeps them
  bool uefi = false;
};
/// The error names the package to install or what is wrong with the file.
/// SeaBIOS is the one for a board with `chipset`. `files` note what was read.
Result<FirmwareImage> load_firmware(const FirmwareConfig& config, devices::Chipset chipset, RunFiles& files);

/// The video BIOS of the graphics card, devices/display/vga_card.h. `files` note what was read.
Result<std::vector<u8>> load_vga_bios(RunFiles& files);

/// The font of 8x16 that it has for text modes, for a kernel that is started without it; empty where there is no such file.
std::vector<u8> load_text_font(RunFiles& files);

/// What firmware asks the configuration device for.
struct FirmwareFacts {
  const FirmwareConfig& config;
  const MemoryMap& memory;
  SmbiosConfig smbios;  // with the processors
  const AcpiImage& acpi;
  std::span<const std::string> boot_order = {};         // paths of drives, the first to be tried first
  std::span<const std::string> order_after_reset = {};  // empty: the same
};
void fill_fw_cfg(devices::FwCfg& fw_cfg, const FirmwareFacts& facts);
/// The user's files. Error: one cannot be read, or is too large. `files` note what was read.
Result<Done> add_files_of_user(devices::FwCfg& fw_cfg, const FirmwareConfig& config, RunFiles& files);

/// The tables of `image` in the place of those that are there, if any.
void update_acpi_tables(devices::FwCfg& fw_cfg, const AcpiImage& image);

/// The commands that make firmware place the tables of `image`, from the files etc/acpi/rsdp and
/// etc/acpi/tables.
std::vector<u8> acpi_loader_script(const AcpiImage& image);

}  // namespace reprise::machine
