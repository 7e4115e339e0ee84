// VirtioNet: a network card on virtio. Virtio 1.2, 5.1.
//
//     queue 0   frames for the driver: a buffer each, or several when they may be merged
//     queue 1   frames of the driver's
//     queue 2   commands: what is received, the card's address, offloads, "I have announced myself"
//
// Frames are carried in bursts: of those that wait when it begins, kBurst at most, after which the time passes that
// their bytes take. What arrives while the driver gives no buffers waits in a backlog; when that is full it is lost, as on a
// wire. TCP is joined to large packets for a driver that takes them, and cut up for a network that does not. Missing:
// several pairs of queues, hash reports, UDP offloads, VIRTIO_NET_F_STANDBY.
#pragma once

#include "devices/net/frame_backlog.h"
#include "devices/net/net_card.h"
#include "devices/net/receive_filter.h"
#include "devices/virtio/virtio_device.h"

namespace reprise::devices {

class VirtioNet final : public VirtioDevice, public NetCard {
 public:
  static constexpr unsigned kBurst = 64;

  /// `network` outlives the card.
  VirtioNet(NetBackend& network, const MacAddress& mac, Clock& clock);

  // NetCard
  void receive(std::span<const u8> frame) override;
  void set_link(bool up) override;
  MacAddress mac() const override { return mac_; }
  void burn_in(const MacAddress& mac) override { burnt_in_mac_ = mac_ = mac; }

  std::string_view name() const override { return "virtio_net"; }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

 private:
  /// What stands before each frame in a buffer, 5.1.6; without the last field for old drivers.
  struct Header {
    u8 flags = 0;
    u8 gso_type = 0;
    u16 header_bytes = 0;
    u16 segment_bytes = 0;
    u16 checksum_start = 0;
    u16 checksum_offset = 0;
    u16 buffers = 0;
  };
  enum class Ack : u8 { Ok = 0, Error = 1 };
  static constexpr unsigned kConfigBytes = 8;

  void notified(unsigned queue) override;
  void reset_kind() override;
  void features_chosen() override;
  u8 config_byte(u32 offset) const override;
  u8 config_generation() const override { return config_generation_; }
  void config_byte_written(u32 offset, u8 value) override;

  bool takes_merged() const;
  unsigned header_bytes() const;

  // --- From the driver ---
  void transmit_event();
  void transmit(const VirtioChain& chain);
  void send_segments(const Header& header, std::span<u8> frame);

  // --- To the driver ---
  void start_receiving();
  void receive_event();
  enum class Delivery : u8 { Done, NoBuffers };
  /// A packet that no buffer can hold counts as done.
  Delivery deliver(const ReceivedPacket& packet);
  Header header_of(const ReceivedPacket& packet) const;

  // --- Commands ---
  void control_event();
  Ack carry_out(u8 kind, u8 command, std::span<const u8> data);
  Ack set_mode(u8 command, std::span<const u8> data);
  Ack set_addresses(std::span<const u8> data);

  NetBackend& network_;
  MacAddress burnt_in_mac_;
  Clock::TimerId transmit_timer_;
  Clock::TimerId receive_timer_;
  Clock::TimerId control_timer_;
  std::vector<u8> buffer_;

  MacAddress mac_;
  bool link_ = false;
  bool must_announce_ = false;
  u8 config_generation_ = 0;
  u64 offloads_ = 0;  // of the receive side, that are switched on
  ReceiveFilter filter_;
  FrameBacklog backlog_;
};

}  // namespace reprise::devices
