// What of a microvm its user chooses, by the names of QEMU's -machine microvm.
#pragma once

namespace reprise::machine {

struct MicrovmConfig {
  bool acpi = true;
  bool pic = true;
  bool pit = true;
  bool rtc = true;
  bool isa_serial = true;
  bool ioapic2 = true;              // with ACPI only
  bool auto_kernel_cmdline = true;  // without ACPI the kernel's command line tells where virtio devices are
  bool force_legacy = true;         // of virtio-mmio: drivers find version 1
};

}  // namespace reprise::machine
