// What a processor and its devices said to each other, so that a second processor can run the same instructions
// without the devices hearing of them twice.
//
// One Tap stands between the real processor and the devices and records; another stands before the second
// processor and answers from the record.
#pragma once

#include <string>
#include <vector>

#include "cpu/core/cpu.h"
#include "mmu/phys_map.h"

namespace reprise::machine {

struct DeviceEvent {
  enum class Kind : u8 {
    PortRead,
    PortWrite,
    MmioRead,
    MmioWrite,
    ApicMsrRead,
    ApicMsrWrite,
    Cr8Read,
    Cr8Write,
    RamWrite,        // by a bus master: `bytes` at `address`
    RamOffsetWrite,  // by a device, of memory of its own: `bytes` at offset `address` of RAM
    X87Error,        // `address`: which; `ok`: IGNNE#
  };
  Kind kind;
  Width width = Width::Byte;
  bool ok = true;                // MSRs: not refused
  const void* device = nullptr;  // MMIO
  u64 address = 0;               // port, offset in the device's region, MSR
  u64 value = 0;
  u64 retired = 0;  // by the processor, before the instruction
  std::vector<u8> bytes = {};
  // Afterwards: what decides whether the processor goes on to the next instruction.
  bool interrupt_pending = false;
  bool nmi_pending = false;
  bool smi_pending = false;
  bool init_pending = false;
  cpu::Activity after_init = cpu::Activity::Running;
  bool sipi_pending = false;
  u8 sipi_vector = 0;
  bool a20_pin = true;
  bool stop_requested = false;

  /// What must be equal when an access is made again; the value too when the processor gives it.
  bool same_request(const DeviceEvent& other) const;
  std::string text() const;
};

class Tap final : public cpu::CpuBus, public InterruptSource, public mmu::DeviceTap {
 public:
  enum class Mode : u8 { Record, Replay };

  /// `next`: the first event of `log` that was not replayed. Taps of several processors that take turns share both.
  Tap(Mode mode, cpu::CpuBus& bus, InterruptSource& interrupts, std::vector<DeviceEvent>& log,
      std::size_t& next)
      : mode_(mode), bus_(bus), interrupts_(interrupts), log_(log), next_(next) {}
  /// Once, before anything else: whose tap it is.
  void attach(cpu::Cpu& cpu) { cpu_ = &cpu; }

  void set_mode(Mode mode) { mode_ = mode; }
  /// Replay: from `event` of the log on, before which an interrupt was pending or not.
  void rewind(std::size_t event, bool interrupt_pending) {
    next_ = event;
    interrupt_pending_ = interrupt_pending;
    difference_.clear();
  }
  /// Replay: does what bus masters did up to the next event of the processor.
  void replay_ram_writes();
  /// Replay: how many events were replayed.
  std::size_t replayed() const { return next_; }
  bool at_end() const { return next_ == log_.size(); }
  /// Replay: the first access that is not in the log as it was made; empty: none.
  const std::string& difference() const { return difference_; }

  // cpu::CpuBus
  u32 port_read(u16 port, Width width) override;
  void port_write(u16 port, Width width, u32 value) override;
  bool apic_msr_read(u32 msr, u64& value) override;
  bool apic_msr_write(u32 msr, u64 value) override;
  bool x87_error(cpu::X87Error error) override;
  void stall(u64 ns) override;
  void init_taken() override { bus_.init_taken(); }
  void performance_interrupt() override { bus_.performance_interrupt(); }
  u64 virtual_ns(u64 retired) override;

  // InterruptSource. Taking interrupts is the machine's part, not the instructions'.
  bool interrupt_pending() const override {
    return mode_ == Mode::Record ? interrupts_.interrupt_pending() : interrupt_pending_;
  }
  u8 acknowledge_interrupt() override { return interrupts_.acknowledge_interrupt(); }
  u8 cr8() const override;
  void set_cr8(u8 value) override;

  // mmu::DeviceTap
  u64 mmio_read(MmioHandler& device, u64 offset, Width width) override;
  void mmio_write(MmioHandler& device, u64 offset, Width width, u64 value) override;
  void ram_written(u64 phys, std::span<const u8> bytes) override;
  void ram_offset_written(u64 ram_offset, std::span<const u8> bytes) override;

 private:
  /// Puts `request` into the log, has `access` answer it, and adds what follows from it.
  template <class Access>
  DeviceEvent record(DeviceEvent request, Access access);
  /// The event that answers `request`.
  DeviceEvent replay(DeviceEvent request);

  Mode mode_;
  cpu::CpuBus& bus_;
  InterruptSource& interrupts_;
  std::vector<DeviceEvent>& log_;
  std::size_t& next_;
  cpu::Cpu* cpu_ = nullptr;
  bool interrupt_pending_ = false;
  std::string difference_;
};

}  // namespace reprise::machine
