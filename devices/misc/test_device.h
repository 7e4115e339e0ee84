// A test device with the ports and memory of QEMU's pc-testdev, for kernels that test a processor or its interrupt
// controllers. kvm-unit-tests, lib/x86 and x86/.
//
//   E0h-E3h        a 32-bit register, read and written in any width
//   E4h-E7h        page to be flushed: a write has no effect the guest can see
//   E8h-EBh        the register of E0h again, reached byte by byte
//   2000h-2017h    interrupt lines 0 to 23: a byte other than 0 raises line n, 0 lowers it
//   FF000000h      64 KiB of memory-mapped I/O that reads back what was written
#pragma once

#include <array>
#include <vector>

#include "common/ports.h"
#include "devices/device.h"
#include "devices/pio_ports.h"

namespace reprise::devices {

class TestDevice final : public Device, public MmioHandler {
 public:
  static constexpr u32 kIrqLines = 24;
  static constexpr u32 kMemoryBytes = 64 * 1024;
  using Lines = std::array<IrqLine, kIrqLines>;

  explicit TestDevice(const Lines& lines);

  std::string_view name() const override { return "test_device"; }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;

  PioHandler& data_ports() { return data_ports_; }    // 4, dword wide
  PioHandler& flush_ports() { return flush_ports_; }  // 4, dword wide
  PioHandler& byte_ports() { return byte_ports_; }    // 4, byte wide
  PioHandler& irq_ports() { return irq_ports_; }      // kIrqLines, byte wide

  u64 mmio_read(u64 offset, Width width) override;
  void mmio_write(u64 offset, Width width, u64 value) override;

 private:
  u32 read_data(u16 offset, Width width);
  void write_data(u16 offset, Width width, u32 value);
  u32 read_nothing(u16 offset, Width width);
  void write_flush(u16 offset, Width width, u32 value);
  void write_irq(u16 offset, Width width, u32 value);

  Lines lines_;
  u32 data_ = 0;
  u32 levels_ = 0;  // bit n: line n is raised
  std::vector<u8> memory_ = std::vector<u8>(kMemoryBytes);
  PioPorts<TestDevice> data_ports_;
  PioPorts<TestDevice> flush_ports_;
  PioPorts<TestDevice> byte_ports_;
  PioPorts<TestDevice> irq_ports_;
};

}  // namespace reprise::devices
