// NetCard and NetBackend: a network card and the network behind it, as they see each other.
//
// A frame is what lies on an Ethernet between preamble and checksum: addresses, type, data. Both sides are called on the
// thread that runs the machine. Frames for a card come from outside, stamped and logged, or from another card; the card
// hands them to its driver at a virtual time of its own.
#pragma once

#include <array>
#include <span>

#include "common/types.h"

namespace reprise::devices {

using MacAddress = std::array<u8, 6>;

/// The longest frame that anybody takes: an IP packet of the largest size behind a tagged Ethernet header.
inline constexpr std::size_t kMaxFrameBytes = 65535 + 18;
inline constexpr std::size_t kEthernetHeaderBytes = 14;

class NetCard {
 public:
  virtual ~NetCard() = default;
  /// A frame has arrived at the card, which may drop it: as a real one does when it is full, off or not addressed. Must
  /// not call the network back.
  virtual void receive(std::span<const u8> frame) = 0;
  /// The cable is plugged in or not. Down at first.
  virtual void set_link(bool up) = 0;
  virtual MacAddress mac() const = 0;
  /// While it is in no slot: its address from the next time on.
  virtual void burn_in(const MacAddress& mac) = 0;
};

class NetBackend {
 public:
  virtual ~NetBackend() = default;
  /// `from` sends a frame of kEthernetHeaderBytes to kMaxFrameBytes bytes. What answers at once may call receive() of
  /// cards before this returns.
  virtual void send(NetCard& from, std::span<const u8> frame) = 0;
  /// TCP segments may be handed over as one large frame, as segmentation offload of hosts does; otherwise the card cuts
  /// them to what the driver says.
  virtual bool takes_large_frames() const = 0;
};

}  // namespace reprise::devices
