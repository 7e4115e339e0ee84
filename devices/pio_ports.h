// PioPorts: lets one device own several separate port ranges, each served by its own pair of methods.
#pragma once

#include "common/ports.h"

namespace reprise::devices {

/// Forwards to `read(offset, width)` and `write(offset, width, value)` of its owner, which holds it as a member.
template <class Owner>
class PioPorts final : public PioHandler {
 public:
  using Read = u32 (Owner::*)(u16 offset, Width width);
  using Write = void (Owner::*)(u16 offset, Width width, u32 value);

  PioPorts(Owner& owner, Read read, Write write) : owner_(owner), read_(read), write_(write) {}
  u32 pio_read(u16 offset, Width width) override { return (owner_.*read_)(offset, width); }
  void pio_write(u16 offset, Width width, u32 value) override { (owner_.*write_)(offset, width, value); }

 private:
  Owner& owner_;
  Read read_;
  Write write_;
};

}  // namespace reprise::devices
