// VirtioBalloon: the guest gives memory back that it does not need, and takes it again. Virtio 1.2, 5.5.
//
// A page that the guest gives is filled with zeros by its request, so that what it finds when it takes the page again does not depend on
// what the host did with it. A request is done after a delay that grows with its pages. Missing: statistics, page reporting, free page hints.
#pragma once

#include "devices/virtio/virtio_device.h"

namespace reprise::devices {

class VirtioBalloon final : public VirtioDevice {
 public:
  explicit VirtioBalloon(Clock& clock);

  static constexpr u64 kPageBytes = 4096;

  /// How many pages the guest is asked to give.
  void set_target(u32 pages);
  u32 target() const { return target_; }
  /// How many it says that it has given.
  u32 given() const { return given_; }

  std::string_view name() const override { return "virtio_balloon"; }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;

 private:
  void notified(unsigned queue) override;
  void reset_kind() override;
  u8 config_byte(u32 offset) const override;
  void config_byte_written(u32 offset, u8 value) override;
  u8 config_generation() const override { return generation_; }
  void accept_next();
  /// The timer's event: the request is done.
  void complete();
  /// Fills the pages with zeros that the request names.
  void empty_pages();

  const Clock::TimerId timer_;
  bool busy_ = false;
  u8 queue_ = 0;         // of the request
  VirtioChain request_;  // while busy
  u32 target_ = 0;
  u32 given_ = 0;
  u8 generation_ = 0;
};

}  // namespace reprise::devices
