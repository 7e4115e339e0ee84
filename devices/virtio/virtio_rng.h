// VirtioRng: an entropy device whose random bytes follow from a seed. Virtio 1.2, 5.4.
#pragma once

#include "devices/virtio/virtio_device.h"

namespace reprise::devices {

class VirtioRng final : public VirtioDevice {
 public:
  VirtioRng(u64 seed, Clock& clock);

  /// A state was loaded of a machine that had another seed: its numbers are those of this one's from the first on.
  void renew() { state_ = seed_; }

  std::string_view name() const override { return "virtio_rng"; }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;

 private:
  void notified(unsigned queue) override;
  void reset_kind() override;
  u8 config_byte(u32) const override { return 0; }
  void accept_next();
  void complete();
  u64 next_random();

  const u64 seed_;
  Clock::TimerId timer_;
  u64 state_ = 0;  // of splitmix64; goes on through resets of the driver
  bool busy_ = false;
  VirtioChain request_;  // while busy
};

}  // namespace reprise::devices
