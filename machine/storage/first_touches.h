// FirstTouches: what files hold of which a run writes, or reads, sector by sector. Each sector is told of once, before the first time.
// Who keeps what a run writes to can repeat it although the files have changed; who keeps what it reads needs the files no more.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "devices/backend.h"
#include "machine/storage/read_only_image.h"
#include "machine/storage/sector_map.h"

namespace reprise::machine {

/// Thread: the machine's.
class FirstTouches {
 public:
  /// Gets what [offset, offset + content.size()) of the file `name` held. Whole sectors, at most kPieceBytes.
  using Listener = std::function<void(const std::string& name, u64 offset, std::span<const u8> content)>;
  using Read = std::function<devices::BlockStatus(u64 offset, std::span<u8> into)>;
  static constexpr u64 kPieceBytes = u64{1} << 20;

  void tell(Listener listener) { listener_ = std::move(listener); }
  bool told() const { return listener_ != nullptr; }
  /// [offset, offset + bytes), whole sectors, is about to be touched; `read` gives what it holds.
  void before(const std::string& name, u64 offset, u64 bytes, const Read& read);

 private:
  Listener listener_;  // empty: nobody wants to know
  std::map<std::string, SectorMap> known_;
};

/// An image whose first writes are told of.
class WrittenThroughImage final : public devices::BlockBackend {
 public:
  WrittenThroughImage(std::unique_ptr<devices::BlockBackend> image, std::shared_ptr<FirstTouches> writes,
                      std::string name)
      : image_(std::move(image)), writes_(std::move(writes)), name_(std::move(name)) {}

  u64 bytes() const override { return image_->bytes(); }
  bool read_only() const override { return image_->read_only(); }
  devices::BlockStatus read(u64 offset, std::span<u8> into) override { return image_->read(offset, into); }
  devices::BlockStatus write(u64 offset, std::span<const u8> from) override;
  devices::BlockStatus flush() override { return image_->flush(); }
  devices::BlockStatus discard(u64 offset, u64 bytes) override;

 private:
  void tell(u64 offset, u64 bytes);

  std::unique_ptr<devices::BlockBackend> image_;
  std::shared_ptr<FirstTouches> writes_;
  const std::string name_;
};

/// An image that is never written, whose first reads are told of.
class CollectedImage final : public ReadOnlyImage {
 public:
  CollectedImage(std::unique_ptr<devices::BlockBackend> image, std::shared_ptr<FirstTouches> reads,
                 std::string name)
      : image_(std::move(image)), reads_(std::move(reads)), name_(std::move(name)) {}

  u64 bytes() const override { return image_->bytes(); }
  devices::BlockStatus read(u64 offset, std::span<u8> into) override;

 private:
  std::unique_ptr<devices::BlockBackend> image_;
  std::shared_ptr<FirstTouches> reads_;
  const std::string name_;
};

}  // namespace reprise::machine
