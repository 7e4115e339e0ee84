// Ports, interrupt lines and identities of the PC: what pc.cpp wires and what the ACPI tables tell the guest.
#pragma once

#include "common/types.h"
#include "devices/pci/chipset.h"

namespace reprise::machine {

// The PM block of the 82371AB (PIIX4), where direct boot and SeaBIOS put it; OVMF has it at B000h. Datasheet
// (290562-001) 7.2.
inline constexpr u16 kPmBasePort = 0x600;
inline constexpr u16 kPm1EventPort = kPmBasePort + 0x00;
inline constexpr u16 kPm1ControlPort = kPmBasePort + 0x04;
inline constexpr u16 kPmTimerPort = kPmBasePort + 0x08;
inline constexpr u16 kGpe0Port = kPmBasePort + 0x0c;
inline constexpr u16 kPmBlockPorts = 0x40;
// The same of ICH9: datasheet (316972-004) 13.8.3.
inline constexpr u16 kIch9Gpe0Port = kPmBasePort + 0x20;
inline constexpr u16 kIch9PmBlockPorts = 0x80;
/// The general-purpose event that tells of another generation id.
inline constexpr unsigned kGenerationIdEvent = 5;
/// The general-purpose event that tells of cards which come and go, and the registers that say which (devices/pci/pci_hotplug.h).
inline constexpr unsigned kPciHotplugEvent = 1;
inline constexpr u16 kPciHotplugPort = 0xae00;
/// The SMBus host's ports, where direct boot finds them.
inline constexpr u16 kSmbusPort = 0x700;
inline constexpr u16 kSmiCommandPort = 0xb2;
inline constexpr u8 kAcpiEnable = 0xf1;
inline constexpr u8 kAcpiDisable = 0xf0;
/// SLP_TYP of \_S5: soft off. Datasheet 7.2.3, PMCNTRL bits 12:10.
inline constexpr u8 kSleepTypeSoftOff = 0;

/// SLP_TYP of \_S3: suspend to RAM.
inline constexpr u8 kSleepTypeSuspend = 1;

inline constexpr u16 kResetControlPort = 0xcf9;
inline constexpr u8 kResetControlValue = 0x0e;  // full reset
inline constexpr u16 kPort92 = 0x92;
inline constexpr u16 kCoprocessorErrorPort = 0xf0;

inline constexpr u16 kCom1Port = 0x3f8;
inline constexpr u16 kCom2Port = 0x2f8;
// The IDE controller has the port between these two.
inline constexpr u16 kFloppyPort = 0x3f0;
inline constexpr u16 kFloppyPorts = 6;
inline constexpr u16 kFloppyPort7 = 0x3f7;
inline constexpr unsigned kDmaFloppy = 2;
// What is printed to these goes to the log: Bochs's, and that of SeaBIOS and OVMF.
inline constexpr u16 kBochsDebugPort = 0xe9;
inline constexpr u16 kFirmwareDebugPort = 0x402;

inline constexpr u16 kPvpanicPort = 0x505;
// The configuration device: selector and data, and 4 ports further on, DMA.
inline constexpr u16 kFwCfgPort = 0x510;
inline constexpr u16 kFwCfgPorts = 12;

// ISA interrupt lines.
inline constexpr unsigned kIrqPit = 0;
inline constexpr unsigned kIrqKeyboard = 1;
inline constexpr unsigned kIrqCom2 = 3;
inline constexpr unsigned kIrqCom1 = 4;
inline constexpr unsigned kIrqFloppy = 6;
inline constexpr unsigned kIrqRtc = 8;
inline constexpr unsigned kIrqSci = 9;
inline constexpr unsigned kIrqMouse = 12;
inline constexpr unsigned kIrqCoprocessor = 13;
inline constexpr unsigned kIrqIde[2] = {14, 15};
inline constexpr unsigned kIsaIrqs = 16;

/// Where ISA line 0 arrives at the IOAPIC: pin 2, because pin 0 takes the 8259 pair.
inline constexpr unsigned kPitGsi = 2;
/// PCI PIRQA# to PIRQD# arrive at IOAPIC pins 16 to 19.
inline constexpr unsigned kPirqGsi = 16;
inline constexpr unsigned kPirqs = 4;
/// The ISA lines that the ISA bridge sends them to, as SeaBIOS sets it up.
inline constexpr unsigned kPirqIsaLines[kPirqs] = {10, 10, 11, 11};

inline constexpr u8 kIoApicId = 0;
inline constexpr u8 kSecondIoApicId = 1;  // of a microvm

// Functions of PCI bus 0.
inline constexpr u8 kPciDeviceHostBridge = 0;
inline constexpr u8 kPciDeviceSouthBridge = 1;  // functions: 0 ISA bridge, 1 IDE, 3 power management
inline constexpr u8 kPciDeviceIch9 = 31;        // of a Q35: functions 0 LPC bridge, 2 AHCI, 3 SMBus
inline constexpr unsigned kPciFunctionIch9Ahci = 2;
// Tools put ports and cards where QEMU's boards have room for them.
constexpr u8 pci_device_graphics(devices::Chipset chipset) {
  return chipset == devices::Chipset::Q35 ? 1 : 2;
}
constexpr unsigned pci_first_card_device(devices::Chipset chipset) {
  return pci_device_graphics(chipset) + 1u;
}

}  // namespace reprise::machine
