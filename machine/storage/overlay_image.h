// Writes of a run over a base that is never written: they go to files without names, at the offsets of the
// disk, and are gone with the run. The files are sparse, so they take only what the guest writes; they cannot
// outlive the process. Each generation is such a file, made at its first write.
//
// Over a file that the run does write, what is written goes to both, so that earlier contents are known of it, too. While the
// run repeats what it did, only to the overlay.
#pragma once

#include <memory>
#include <vector>

#include "common/result.h"
#include "devices/backend.h"
#include "devices/block_generations.h"
#include "machine/storage/host_fd.h"
#include "machine/storage/sector_map.h"

namespace reprise::machine {

class OverlayImage final : public devices::BlockBackend, public devices::BlockGenerations {
 public:
  /// The overlay's files lie in TMPDIR.
  static Result<std::unique_ptr<OverlayImage>> create(std::unique_ptr<devices::BlockBackend> base);
  /// What is written goes to `base` as well, unless `repeats`.
  static Result<std::unique_ptr<OverlayImage>> over_written(std::unique_ptr<devices::BlockBackend> base,
                                                            std::shared_ptr<const bool> repeats);

  // BlockBackend
  u64 bytes() const override { return base_->bytes(); }
  bool read_only() const override { return false; }
  devices::BlockStatus read(u64 offset, std::span<u8> into) override;
  devices::BlockStatus write(u64 offset, std::span<const u8> from) override;
  devices::BlockStatus flush() override;
  devices::BlockStatus discard(u64 offset, u64 bytes) override;
  devices::BlockGenerations* generations() override { return this; }

  // BlockGenerations
  devices::BlockBackend& base() override { return *base_; }
  Generation current() const override { return current_.generation; }
  Generation begin() override;
  bool written() const override { return current_.written.next(0).has_value(); }
  bool go_to(Generation generation) override;
  bool rise(Generation generation) override;
  void forget_above() override;
  devices::BlockStatus settle() override;
  devices::BlockStatus forget(Generation generation) override;
  void clear() override;
  devices::BlockStatus read_as_of(Generation generation, u64 offset, std::span<u8> into) override;
  std::optional<Range> next_written(Generation generation, u64 offset) const override;

 private:
  static constexpr u64 kCopyBytes = u64{1} << 20;
  struct Layer {
    Generation generation;
    HostFd fd = {};  // none: nothing has been written
    SectorMap written = {};
  };

  OverlayImage(std::unique_ptr<devices::BlockBackend> base, HostFd fd)
      : base_(std::move(base)), current_{1, std::move(fd)} {}

  /// Its place in ended_, or ended_.size().
  std::size_t place_of(Generation generation) const;
  /// Those whose writes make the content at the end of `generation`, oldest first. None: there is no such generation.
  std::vector<const Layer*> layers_of(Generation generation) const;
  devices::BlockStatus read_layers(std::span<const Layer* const> layers, u64 offset, std::span<u8> into);
  static devices::BlockStatus read_layer(const Layer& layer, u64 offset, std::span<u8> into);
  devices::BlockStatus prepare_write(Layer& layer) const;
  devices::BlockStatus write_here(u64 offset, std::span<const u8> from);
  devices::BlockStatus discard_here(u64 offset, u64 bytes);
  /// What the base holds of these sectors is kept before it is written for the first time.
  devices::BlockStatus keep_original(u64 offset, u64 bytes);
  bool writes_base() const { return repeats_ != nullptr && !*repeats_; }
  /// The base was not written as it was told: it holds what counts.
  devices::BlockStatus take_from_base(u64 offset, u64 bytes, devices::BlockStatus why);
  /// Copies the sectors of `from`, but for those that are in `newer`.
  devices::BlockStatus copy(const Layer& from, Layer& to, const SectorMap* newer) const;

  std::unique_ptr<devices::BlockBackend> base_;
  std::shared_ptr<const bool> repeats_;  // nullptr: the base is never written
  Layer original_{0};                    // of it, below all generations
  Generation next_generation_ = 2;
  std::vector<Layer> ended_;  // each over the one before it
  std::size_t below_ = 0;     // how many of them the current one lies over
  Layer current_;             // takes the writes
};

}  // namespace reprise::machine
