// The rows of cards that hold no disk, and of devices at fixed ports.
#pragma once

#include "machine/plug/device_row.h"

namespace reprise::machine {

extern const DeviceRow kVgaRow;  // display_row.cpp
extern const DeviceRow kVirtioConsoleRow;
extern const DeviceRow kVirtioRngRow;
extern const DeviceRow kVirtioBalloonRow;
/// Of network cards: the name of their option ROM.
inline constexpr std::string_view kRomFileProperty = "romfile";
extern const DeviceRow kVirtioNetRow;  // net_rows.cpp
extern const DeviceRow kE1000Row;
extern const DeviceRow kVirtioKeyboardRow;  // input_rows.cpp
extern const DeviceRow kVirtioMouseRow;
extern const DeviceRow kVirtioTabletRow;
extern const DeviceRow kAc97Row;       // sound_row.cpp
extern const DeviceRow kI6300EsbRow;   // watchdog_row.cpp
extern const DeviceRow kDebugExitRow;  // debug_rows.cpp
extern const DeviceRow kTestDeviceRow;

}  // namespace reprise::machine
