// OutputGate: whether what the guest does may be seen outside. While a run goes over its past again it may not: outside it has
// happened already. Everything through which a machine has an effect outside asks it:
//
//     consoles               GatedChar
//     lines of the log       Log::while_open
//     network, its capture   Network
//     shared folders         ShareSet
//     firmware's variables   Pc
//     sound                  SoundMixer knows which frames it has had
//
// Thread: the machine's.
#pragma once

#include "devices/backend.h"

namespace reprise::machine {

class OutputGate {
 public:
  bool open() const { return open_; }
  void set_open(bool open) { open_ = open; }

 private:
  bool open_ = true;
};

class GatedChar final : public devices::CharBackend {
 public:
  /// Both outlive this. Without `next` nothing comes of it.
  GatedChar(devices::CharBackend* next, const OutputGate& gate) : next_(next), gate_(gate) {}
  void write(std::span<const u8> bytes) override {
    if (next_ != nullptr && gate_.open()) next_->write(bytes);
  }

 private:
  devices::CharBackend* const next_;
  const OutputGate& gate_;
};

}  // namespace reprise::machine
