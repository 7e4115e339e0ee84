// DigestedImage: an image with a digest of what was read from it: whoever repeats a run can see that it read the same.
// The whole image is never read for it.
#pragma once

#include <memory>

#include "common/hash.h"
#include "devices/backend.h"

namespace reprise::machine {

/// What was read so far, in its order: where, and what there was.
struct ReadDigest {
  u64 digest = 0;
  u64 bytes = 0;
};

class DigestedImage final : public devices::BlockBackend {
 public:
  DigestedImage(std::unique_ptr<devices::BlockBackend> image, std::shared_ptr<ReadDigest> read)
      : image_(std::move(image)), read_(std::move(read)) {}

  u64 bytes() const override { return image_->bytes(); }
  bool read_only() const override { return image_->read_only(); }
  devices::BlockGenerations* generations() override { return image_->generations(); }
  devices::BlockStatus read(u64 offset, std::span<u8> into) override {
    const devices::BlockStatus status = image_->read(offset, into);
    read_->digest = hash64(into, read_->digest ^ offset);
    read_->bytes += into.size();
    return status;
  }
  devices::BlockStatus write(u64 offset, std::span<const u8> from) override {
    return image_->write(offset, from);
  }
  devices::BlockStatus flush() override { return image_->flush(); }
  devices::BlockStatus discard(u64 offset, u64 bytes) override { return image_->discard(offset, bytes); }

 private:
  std::unique_ptr<devices::BlockBackend> image_;
  std::shared_ptr<ReadDigest> read_;
};

}  // namespace reprise::machine
