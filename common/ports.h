// The vocabulary shared by CPU, MMU and devices: small pure interfaces, nothing else.
// All methods are called on the thread that runs the machine.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "common/types.h"

namespace reprise {

/// Port I/O. `offset` is relative to the start of the range the handler was mapped at.
/// Width is Byte, Word or Dword; the bus has already split what the handler does not take.
class PioHandler {
 public:
  virtual ~PioHandler() = default;
  virtual u32 pio_read(u16 offset, Width width) = 0;
  virtual void pio_write(u16 offset, Width width, u32 value) = 0;
  /// As many of the next reads (writes) of `width` at `offset` as have no effect but to move data: not on time,
  /// wires, or what any other register holds. Only for ports that stream (PioRange). Returns the bytes moved, whole elements; 0: use pio_read (pio_write).
  virtual std::size_t pio_read_ahead(u16, Width, std::span<u8>) { return 0; }
  virtual std::size_t pio_write_ahead(u16, Width, std::span<const u8>) { return 0; }
};

/// Memory-mapped I/O. `offset` is relative to the start of the region, naturally aligned to `width`.
class MmioHandler {
 public:
  virtual ~MmioHandler() = default;
  virtual u64 mmio_read(u64 offset, Width width) = 0;
  virtual void mmio_write(u64 offset, Width width, u64 value) = 0;
};

/// The receiving end of interrupt wires.
class IrqSink {
 public:
  virtual ~IrqSink() = default;
  virtual void set_irq(unsigned line, bool level) = 0;
};

/// One interrupt wire, as a value: a device gets it as a constructor argument and knows nothing else.
class IrqLine {
 public:
  IrqLine() = default;
  IrqLine(IrqSink& sink, unsigned line) : sink_(&sink), line_(line) {}
  void set(bool level) const {
    if (sink_) sink_->set_irq(line_, level);
  }
  /// A rising and a falling edge.
  void pulse() const {
    set(true);
    set(false);
  }

 private:
  IrqSink* sink_ = nullptr;
  unsigned line_ = 0;
};

/// Guest-physical memory as a bus master sees it: marks pages as written and invalidates translated code.
/// Returns false when any byte is not RAM; bytes that are not RAM read as ones and drop writes.
class DmaPort {
 public:
  virtual ~DmaPort() = default;
  virtual bool dma_read(u64 phys, std::span<u8> into) = 0;
  virtual bool dma_write(u64 phys, std::span<const u8> from) = 0;
};

/// Message-signalled interrupts: a write of `data` to `phys`, as PCI functions make them. PCI 3.0, 6.8.
class MsiSink {
 public:
  virtual ~MsiSink() = default;
  virtual void send_msi(u64 phys, u32 data) = 0;
};

/// Virtual time. `now_ns` is a pure function of retired instructions and idle jumps.
/// A device creates its timers at construction, in a fixed order, and arms them as it needs:
/// deadlines at or before now fire as soon as the vCPU leaves the current instruction.
/// Callbacks with equal deadlines run in the order in which they were armed.
class Clock {
 public:
  using TimerId = u32;
  static constexpr u64 kNever = ~u64{0};
  virtual ~Clock() = default;
  virtual u64 now_ns() const = 0;
  virtual TimerId create_timer(std::string_view name, std::function<void()> callback) = 0;
  /// Replaces any earlier deadline of the timer.
  virtual void arm(TimerId timer, u64 deadline_ns) = 0;
  virtual void cancel(TimerId timer) = 0;
  /// The armed deadline, or kNever.
  virtual u64 deadline_ns(TimerId timer) const = 0;
  /// The access that is being made takes `ns` longer than an instruction: that of a device far from the processor, on which
  /// software waits by reading it. The time passes behind the instruction. Clocks of tests need not care.
  virtual void stall(u64 ns) { (void)ns; }
  /// `timer` serves something outside of the guest, which cannot tell when it fires: it is no part of the guest's state.
  virtual void belongs_to_host(TimerId timer) { (void)timer; }
};

/// What a vCPU asks of its local APIC (and, behind it, the 8259 pair).
class InterruptSource {
 public:
  virtual ~InterruptSource() = default;
  /// True when an external interrupt of sufficient priority waits. Cheap: asked between blocks.
  virtual bool interrupt_pending() const = 0;
  /// INTA: accepts the highest-priority interrupt and returns its vector. Only after interrupt_pending().
  virtual u8 acknowledge_interrupt() = 0;
  /// CR8, i.e. TPR[7:4]. SDM 3A 10.8.6.
  virtual u8 cr8() const = 0;
  virtual void set_cr8(u8 value) = 0;
};

/// What the machine may be asked to do by a device; carried out after the current instruction.
enum class MachineRequest : u8 { None, PowerOff, Reset, WatchdogReset, Panic, DebugExit, EnginesDiffer };

/// The machine as devices with a say in its life see it.
class MachineControl {
 public:
  virtual ~MachineControl() = default;
  /// `code` is the process exit code for DebugExit and ignored otherwise. The first request wins.
  virtual void request(MachineRequest request, int code = 0) = 0;
};

}  // namespace reprise
