// The PC's pair of 8237A DMA controllers and their page registers. Intel 8237A datasheet (231466-005);
// 82371AB (PIIX4) datasheet 4.2.1. Channels 0-3 move bytes, 5-7 words; channel 4 is the cascade of the first
// controller into the second. Port 80h, the unused page register, shows POST codes and serves as an I/O
// delay. Missing: memory-to-memory transfers, software requests (the bits are kept), compressed timing,
// rotating priority: a device's transfer is one step, so channels never compete. Undefined: a device and a
// channel that disagree on the direction: the channel counts, and no byte moves.
#pragma once

#include <array>

#include "common/ports.h"
#include "devices/device.h"
#include "devices/dma/isa_dma.h"
#include "devices/pio_ports.h"

namespace reprise::devices {

class Dma8237Pair final : public Device, public IsaDmaController {
 public:
  static constexpr unsigned kChannels = 8;
  static constexpr u32 kBytePorts = 0x10;
  static constexpr u32 kWordPorts = 0x20;
  static constexpr u32 kPagePorts = 0x10;

  explicit Dma8237Pair(DmaPort& memory);

  /// 00h-0Fh, C0h-DFh, 80h-8Fh; all byte wide. Port 92h is not among them.
  PioHandler& byte_ports() { return byte_ports_; }
  PioHandler& word_ports() { return word_ports_; }
  PioHandler& page_ports() { return page_ports_; }

  /// As a BIOS leaves it: channel 4 lets the first controller through.
  void enter_cascade_mode();
  /// The last POST code.
  u8 post_code() const { return pages_[0]; }

  // IsaDmaController
  IsaDmaTransfer dma_to_memory(unsigned channel, std::span<const u8> from) override;
  IsaDmaTransfer dma_from_memory(unsigned channel, std::span<u8> into) override;

  // Device
  std::string_view name() const override { return "dma8237"; }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

 private:
  struct Channel {
    u16 base_address = 0;
    u16 base_count = 0;
    u16 address = 0;
    u16 count = 0;
    u8 mode = 0;
    bool masked = true;
  };
  struct Controller {
    std::array<Channel, 4> channels;
    u8 command = 0;
    u8 request = 0;
    u8 terminal_counts = 0;
    bool high_byte_next = false;  // the byte pointer flip-flop
    void master_clear();
  };
  /// What the two directions have in common: `move(phys, offset, bytes)` moves a run of the `size` bytes if
  /// the channel is programmed for transfers of `type`.
  template <class Move>
  IsaDmaTransfer transfer(unsigned channel, u8 type, std::size_t size, Move&& move);
  bool lets_through(unsigned channel) const;
  u64 phys_of(unsigned channel) const;
  void count_units(Controller& controller, unsigned index, u32 units, bool& terminal_count);

  static u8 read_controller(Controller& controller, unsigned reg);
  static void write_controller(Controller& controller, unsigned reg, u8 value);
  u32 read_byte_controller(u16 offset, Width) { return read_controller(controllers_[0], offset & 15u); }
  void write_byte_controller(u16 offset, Width, u32 value) {
    write_controller(controllers_[0], offset & 15u, static_cast<u8>(value));
  }
  // Registers of the second controller lie two ports apart.
  u32 read_word_controller(u16 offset, Width) { return read_controller(controllers_[1], offset >> 1 & 15u); }
  void write_word_controller(u16 offset, Width, u32 value) {
    write_controller(controllers_[1], offset >> 1 & 15u, static_cast<u8>(value));
  }
  u32 read_page(u16 offset, Width) { return pages_[offset % kPagePorts]; }
  void write_page(u16 offset, Width, u32 value) { pages_[offset % kPagePorts] = static_cast<u8>(value); }

  DmaPort& memory_;
  PioPorts<Dma8237Pair> byte_ports_;
  PioPorts<Dma8237Pair> word_ports_;
  PioPorts<Dma8237Pair> page_ports_;
  std::array<Controller, 2> controllers_;
  std::array<u8, kPagePorts> pages_{};
};

}  // namespace reprise::devices
