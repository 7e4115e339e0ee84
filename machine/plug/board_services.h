// What the board offers to devices that are plugged in.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/log.h"
#include "common/ports.h"
#include "devices/bus.h"
#include "devices/input/input_device.h"
#include "devices/misc/debug_port.h"
#include "devices/misc/i6300esb.h"
#include "devices/net/net_card.h"
#include "devices/p9/share_backend.h"
#include "devices/sound/ac97/ac97.h"
#include "devices/virtio/virtio_console.h"
#include "machine/clock/scheduler.h"
#include "machine/plug/serial_port.h"
#include "machine/storage/drives.h"

namespace reprise::machine {

/// All of it lives as long as the devices.
struct BoardServices {
  Clock& clock;
  std::reference_wrapper<DmaPort> memory;  // as the next device gets it
  MsiSink& messages;
  MachineControl& control;
  const RetiredCounter& retired;
  const Log& log;
  devices::PioBus& ports;
  devices::DebugPort& debug_port;
  std::vector<Drive>& drives;
  u64 seed;                       // of the machine's random numbers
  devices::CharBackend* console;  // of the virtio console; not nullptr if one is plugged in
  std::vector<SerialPort> serial_ports;
  std::vector<devices::CharBackend*> port_outputs;  // of each of them
  devices::NetBackend& network;
  devices::AudioSink* sound;                             // of a sound card; nullptr: nobody listens
  std::vector<devices::ShareBackend*> shares;            // in the order of their devices
  std::function<IrqLine(unsigned line)> interrupt_line;  // 0 to 23, as the I/O APIC counts
  std::function<bool(const std::string& name, u64 phys, u64 bytes, MmioHandler& handler)> map_memory;
  std::function<void()> press_power_button;
  std::function<void()> raise_nmi;  // at every processor
  std::function<void(std::string_view action)> watchdog_expired;

  // What the machine asks for later, if it was plugged in.
  devices::VirtioConsole* virtio_console = nullptr;
  std::vector<devices::VirtioConsole*> serial_cards = {};
  std::vector<devices::NetCard*> net_cards = {};
  std::vector<devices::VirtioScsi*> scsi_cards = {};
  devices::Ac97* sound_card = nullptr;
  devices::I6300Esb* watchdog = nullptr;
  devices::InputDevice* keyboard = nullptr;
  devices::InputDevice* mouse = nullptr;
  devices::InputDevice* tablet = nullptr;
};

}  // namespace reprise::machine
