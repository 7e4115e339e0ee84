// SerialPort: one port of a virtio-serial card.
#pragma once

#include <cstddef>
#include <string>

namespace reprise::machine {

/// A virtconsole or virtserialport in its place.
struct SerialPort {
  std::size_t card = 0;  // among the virtio-serial devices
  unsigned number = 0;   // on the card
  bool console = false;
  std::string name = {};    // that the guest sees; empty: none
  std::string target = {};  // of its characters
  bool has_plug = false;    // who is at its other end comes and goes
  /// "vport0p1": who takes what comes in for it, bytes.
  std::string sink() const;
  /// Who takes, of a port with a plug, that somebody has come or gone: a byte each time, 1 or 0.
  std::string plug_sink() const { return sink() + "-plug"; }
};

}  // namespace reprise::machine
