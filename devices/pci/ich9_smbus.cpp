#include "devices/pci/ich9_smbus.h"

namespace reprise::devices {
namespace {

constexpr unsigned kPortsBar = 4;
constexpr u32 kPorts = 32;

}  // namespace

Ich9Smbus::Ich9Smbus(SmbusHost& host)
    : PciFunction({.vendor = 0x8086,
                   .device = 0x2930,
                   .revision = 2,
                   .class_code = 0x0c0500,
                   .subsystem_vendor = 0x1af4,
                   .subsystem = 0x1100}) {
  define_io_bar(kPortsBar, kPorts, host, Width::Byte);
  define16(pci::kStatus, 0x0280);
  define8(pci::kInterruptPin, 1);
  define8(kHostConfig, 0, 0x1f);
  apply_reset_values();
}

}  // namespace reprise::devices
