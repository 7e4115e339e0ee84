// Firmware from the distribution's packages, and what the machine tells it.
#pragma once

#include <string>
#include <vector>

#include "common/result.h"
#include "devices/firmware/fw_cfg.h"
#include "machine/acpi_tables.h"
#include "machine/memory_map.h"

namespace reprise::machine {

/// What the user says of firmware.
struct FirmwareConfig {
  std::string bios;  // "seabios", or a file; empty: seabios when there is no kernel
  bool serial_console =
      true;  // SeaBIOS shows its screen, and what boot loaders print through int 10h, on COM1 too
  bool boot_menu = false;
};

/// Bytes for the end of the first 4 GiB. The error names the package to install or what is wrong with the
/// file.
Result<std::vector<u8>> load_bios(const std::string& bios);
/// The VGA BIOS for a VGA that is no PCI function; empty with a message in `missing` when its package is not
/// there.
Result<std::vector<u8>> load_vga_bios();

/// What firmware asks the configuration device for.
struct FirmwareFacts {
  const FirmwareConfig& config;
  const MemoryMap& memory;
  unsigned cpus;
  const AcpiImage& acpi;
  std::vector<u8> vga_bios;
};
void fill_fw_cfg(devices::FwCfg& fw_cfg, const FirmwareFacts& facts);

/// The commands that make firmware place the tables of `image`, from the files etc/acpi/rsdp and
/// etc/acpi/tables.
std::vector<u8> acpi_loader_script(const AcpiImage& image);

}  // namespace reprise::machine
