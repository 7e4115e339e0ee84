// What a run is: everything here, the image files and the inbox's log fix every bit the guest can see.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/types.h"
#include "cpu/profile/cpuid.h"
#include "devices/pci/chipset.h"
#include "jit/jit_options.h"
#include "machine/board/microvm_config.h"
#include "machine/board/schedule.h"
#include "machine/boot/boot.h"
#include "machine/firmware/firmware.h"
#include "machine/net/net_config.h"
#include "machine/plug/device_config.h"
#include "machine/plug/display_row.h"
#include "machine/snapshot/run_origin.h"
#include "machine/storage/disk_config.h"

namespace reprise::machine {

class RunFiles;
namespace symbols {
class SymbolTable;
}

/// Lockstep: the JIT with the interpreter behind it, compared.
enum class EngineKind : u8 { Interp, Jit, Lockstep };

/// Free: idle time is skipped. Paced: an idle machine waits as long on the host as it does in virtual time.
enum class ClockMode : u8 { Free, Paced };

/// Checkpoints of the run's past: machine/history/checkpoints.h. No part of what the guest sees.
struct HistoryConfig {
  bool on = false;
  u64 bytes = kGiB;                          // of the host's memory
  u64 interval_instructions = u64{1} << 27;  // between two, before any are thinned out
};

struct MachineConfig {
  u64 ram_bytes = 512 * kMiB;
  devices::Chipset chipset = devices::Chipset::I440fx;
  MicrovmConfig microvm;   // of Chipset::Microvm
  boot::BootRequest boot;  // without a kernel, firmware boots
  FirmwareConfig firmware;
  std::vector<DeviceConfig> devices;  // all but what is soldered to the board; checked by check_devices()
  bool pci_hotplug =
      false;  // things come and go while the guest runs: cards (with an I440FX), drives on virtio-scsi
  std::vector<HeldMedium> media;  // what drives hold instead of what their devices say, from a saved state
  cpu::CpuProfile cpu = cpu::default_profile();  // with the number of processors, its topology
  EngineKind engine = EngineKind::Interp;
  jit::JitOptions jit;  // no part of what the guest sees
  NetConfig net;
  u64 seed = 1;                    // of RDRAND and RDSEED
  Schedule schedule;               // of the processors' turns
  i64 rtc_unix_s = 1'735'689'600;  // what the RTC shows at power-on, UTC: 2025-01-01 00:00:00
  RunOrigin origin;                // for saved states; no part of what the guest sees
  HistoryConfig history;
  bool replayed = false;  // what comes from outside comes from a recording: nothing outside is opened
  std::shared_ptr<RunFiles> files = {};  // nullptr: those of a run of its own
  std::shared_ptr<const symbols::SymbolTable> symbols =
      {};              // of the guest's kernel, for people; nullptr: none
  bool reboot = true;  // RESET starts firmware again; else it ends the run
  bool hpet = true;    // there is an HPET
};

/// Of the block that holds the guest's RAM and, behind it, video memory.
inline u64 total_ram_bytes(const MachineConfig& config) {
  return config.ram_bytes + vga_properties(config.devices).memory_bytes;
}

/// End: a panic ends the run. Wait: the guest stands still, for somebody who looks. Continue: as if nothing had happened.
enum class OnPanic : u8 { End, Wait, Continue };

/// How one call of Machine::run ends and what it does on the way. None of it is visible to the guest.
struct RunLimits {
  ClockMode clock = ClockMode::Free;
  std::optional<u64> stop_at_retired;  // when what was due then is done
  /// With it: when so many things have happened since that instruction (Position::step), and the others that are due have not.
  /// Where there are fewer, before the next instruction.
  std::optional<u64> stop_at_step;
  /// Called when the machine stands still, which ends the run. nullptr: it waits to be resumed.
  std::function<void()> visit = nullptr;
  std::optional<u64> virtual_timeout_ns;
  std::optional<double> wall_timeout_s;
  OnPanic on_panic = OnPanic::End;
  bool stays_off = false;  // a guest that switched itself off ends no run: the machine stands still
  bool attended = false;   // somebody may come and help a guest that waits: there is a terminal or monitor
  u64 hash_every_retired = 0;  // 0: never
};

}  // namespace reprise::machine
