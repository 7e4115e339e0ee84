// E1000: Intel's 82540EM gigabit Ethernet controller, as QEMU's e1000. Intel 82540EM software developer's manual (317453).
//
//     BAR 0    registers, memory
//     BAR 1    the same through two ports: address, data
//
// Frames are carried in bursts at virtual times, as virtio-net's are. Interrupts are not moderated beyond that. Missing:
// wake-up, flow control, TBI mode, fragmented UDP, most statistics, timestamps, diagnostics.
#pragma once

#include <array>

#include "devices/net/e1000/eeprom.h"
#include "devices/net/e1000/phy.h"
#include "devices/net/frame_backlog.h"
#include "devices/net/net_card.h"
#include "devices/pci/pci_device.h"
#include "devices/pci/pci_dma.h"

namespace reprise::devices {

class E1000 final : public PciFunction, public NetCard, private MmioHandler, private PioHandler {
 public:
  static constexpr unsigned kBurst = 64;

  /// All of it outlives the card.
  E1000(NetBackend& network, const MacAddress& mac, Clock& clock, DmaPort& memory, IrqLine interrupt);

  // NetCard
  void receive(std::span<const u8> frame) override;
  void set_link(bool up) override;
  MacAddress mac() const override { return mac_; }
  void burn_in(const MacAddress& mac) override;

  std::string_view name() const override { return "e1000"; }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

 private:
  static constexpr u32 kRegisterBytes = 0x6000;  // behind them is nothing

  /// What a context descriptor says of the packets that follow. 3.3.6.
  struct Context {
    u8 ip_start = 0, ip_offset = 0;
    u16 ip_end = 0;
    u8 tcp_start = 0, tcp_offset = 0;
    u16 tcp_end = 0;
    u16 segment_bytes = 0;
  };
  /// What is to be done with the packet that is being gathered.
  struct Packet {
    std::vector<u8> bytes;
    bool segmented = false;
    bool ip_checksum = false;
    bool tcp_checksum = false;
    bool tagged = false;
    u16 tag = 0;
    bool too_long = false;
  };
  struct Descriptor;
  enum class Delivery : u8 { Done, NoDescriptors };

  // MmioHandler, PioHandler
  u64 mmio_read(u64 offset, Width width) override;
  void mmio_write(u64 offset, Width width, u64 value) override;
  u32 pio_read(u16 offset, Width width) override;
  void pio_write(u16 offset, Width width, u32 value) override;
  void config_changed(ConfigChange change) override;

  u32& reg(u32 offset) { return registers_[offset / 4]; }
  u32 reg(u32 offset) const { return registers_[offset / 4]; }
  u32 read_register(u32 offset);
  void write_register(u32 offset, u32 value);
  void reset_registers();
  void raise(u32 causes);
  void update_interrupt();
  void count(u32 offset, u64 amount);

  // --- e1000_transmit.cpp ---
  void start_transmitting();
  void transmit_event();
  /// Takes the descriptor at the head in; returns causes of interrupts.
  u32 take_descriptor(u64 phys);
  void send_packet();
  void send_whole(std::span<const u8> frame);

  // --- e1000_receive.cpp ---
  void start_receiving();
  void receive_event();
  Delivery deliver(const ReceivedPacket& packet);
  bool passes(std::span<const u8> frame) const;
  u32 buffer_bytes() const;
  u32 free_descriptors() const;

  NetBackend& network_;
  MacAddress burnt_in_mac_;
  Clock& clock_;
  PciDma dma_;
  const IrqLine interrupt_;
  Clock::TimerId transmit_timer_;
  Clock::TimerId receive_timer_;

  MacAddress mac_;
  bool link_ = false;
  std::array<u32, kRegisterBytes / 4> registers_{};
  u32 port_address_ = 0;
  E1000Eeprom eeprom_;
  E1000Phy phy_;
  Context context_;
  Packet packet_;
  FrameBacklog backlog_;
};

}  // namespace reprise::devices
