// VirtioBlk: a disk on virtio. Virtio 1.2, 5.2.
//
// One request at a time: it is accepted when the one before is done, and completes block_request_ns(bytes) of
// virtual time later, when its data move. A driver that does not know of flushes gets each write flushed
// (5.2.6.2). Missing: several queues, zoned devices, secure erase, a write cache that the driver can switch.
#pragma once

#include <array>

#include "devices/backend.h"
#include "devices/virtio/virtio_device.h"

namespace reprise::devices {

class VirtioBlk final : public VirtioDevice {
 public:
  /// `medium` outlives the disk. Of `serial` the first 20 characters count.
  VirtioBlk(BlockBackend& medium, std::string_view serial, Clock& clock);
  /// One that is no disk yet, and will be one that takes writes.
  explicit VirtioBlk(Clock& clock);

  // While it is in no slot: what it is from the next time on. nullptr: nothing.
  void set_medium(BlockBackend* medium);
  void set_serial(std::string_view serial);

  std::string_view name() const override { return "virtio_blk"; }
  void serialize(Archive& archive) override;

 private:
  static constexpr std::size_t kIdBytes = 20;
  static constexpr std::size_t kConfigBytes = 60;

  /// Status byte of a request, 5.2.6.
  enum class Status : u8 { Ok = 0, IoError = 1, Unsupported = 2 };

  void notified(unsigned queue) override;
  void reset_kind() override;
  u8 config_byte(u32 offset) const override { return config_[offset]; }

  void accept_next();
  void complete();
  Status perform();
  Status read(u64 sector);
  Status write(u64 sector, VirtioCursor& from);
  Status discard(u32 type, VirtioCursor& from);
  Status get_id();
  Status flush();
  /// The medium was changed.
  Status changed();
  u64 bytes() const { return medium_ != nullptr ? medium_->bytes() : 0; }
  bool read_only() const { return medium_ != nullptr && medium_->read_only(); }
  bool within(u64 sector, u64 bytes) const;
  void make_config();

  BlockBackend* medium_ = nullptr;
  std::array<u8, kIdBytes> id_{};
  std::array<u8, kConfigBytes> config_{};
  Clock::TimerId timer_;
  std::vector<u8> buffer_;

  bool busy_ = false;
  VirtioChain request_;  // while busy
};

}  // namespace reprise::devices
