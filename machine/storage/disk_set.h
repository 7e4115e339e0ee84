// The disks of a run: opens the images that the user named, decides what was left open, and owns the result.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "common/log.h"
#include "common/result.h"
#include "devices/block_generations.h"
#include "machine/storage/disk_config.h"
#include "machine/storage/disk_info.h"
#include "machine/storage/open_image.h"

namespace reprise::machine {

/// What boots, as far as the choice of a bus depends on it.
enum class BootBy : u8 { Kernel, Firmware };

class DiskSet {
  struct Medium;

 public:
  /// Opens every image or says in one sentence why not. Decisions go to the log, category "disk", level info.
  /// `files` say what becomes of files that are written; nullptr: a run of its own.
  /// Drives of `held` hold that, only to be read, instead of what their configuration says.
  static Result<DiskSet> open(const std::vector<DiskConfig>& configs, BootBy boot_by, const Log& log,
                              std::shared_ptr<RunFiles> files = nullptr,
                              const std::vector<HeldMedium>& held = {});

  /// In the order of the configuration. The media live as long as this, or until they are replaced.
  const std::vector<AttachedDisk>& attached() const { return attached_; }
  std::vector<DiskInfo> info() const;
  /// What `make` gives of the drive's medium, once for each that it gets.
  u64 sample_of(std::size_t drive, const std::function<u64()>& make);
  const RunFiles& files() const { return *files_; }
  /// What the drive's configuration says that it holds; empty: nothing.
  const std::string& first_path(std::size_t drive) const { return owned_.at(drive).first_path; }
  /// The run goes over its past again: files that are written through have it already.
  void set_repeats(bool repeats);
  /// Requests of all drives so far, and those that changed a medium.
  u64 requests() const;
  u64 writes() const;
  /// The same by kind, and bytes; no problems.
  DiskCounters traffic() const;

  /// Opens another medium for a CD-ROM or floppy drive. An empty path: none.
  Result<OpenedImage> open_medium(std::size_t drive, const DiskConfig& config) const;
  /// `medium` becomes that of the drive. The one before is returned: the drive still has it.
  std::shared_ptr<devices::BlockBackend> replace(std::size_t drive, const DiskConfig& config,
                                                 OpenedImage medium);

  // --- What drives held earlier: see devices/block_generations.h ---
  /// A medium and, as far as it takes writes, what was written to it.
  struct Content {
    std::shared_ptr<Medium> medium;
    u64 generation = 0;    // 0: it takes none that could be taken back
    ReadDigest read = {};  // up to then
    /// Of content: what was read is no part of it.
    bool operator==(const Content& other) const {
      return medium == other.medium && generation == other.generation;
    }
  };
  using Contents = std::vector<Content>;  // by drive
  /// What there is now, which stays known.
  Contents end_contents();
  Content end_content(std::size_t drive);
  /// Media and what was written to them are those of then. What they are attached to is the caller's affair.
  void go_to(const Contents& contents);
  void put_back(std::size_t drive, const Content& content);
  /// Drives have come again to what they held then, by the same writes.
  void rise(const Contents& contents);
  /// The run is about to take another way: files that are written through hold what their drives do. Error: of which the host
  /// failed, a sentence.
  Result<Done> settle();
  /// What came later is forgotten.
  void forget_above();
  /// Nobody wants to know what there was before.
  void forget_generations();
  static void forget(const Content& content);
  /// Disks for a machine on another thread: they hold `contents`, and keep to themselves what is written to them. Meanwhile
  /// whoever reads these takes `turns`. Error: the host has no room, a sentence.
  Result<DiskSet> copy_of(const Contents& contents, const std::shared_ptr<std::mutex>& turns) const;
  /// Such disks hold `contents` of those that they copy, which has the media that were there then.
  void repeat(const Contents& contents);
  /// It stays known whatever becomes of checkpoints.
  static void pin(const Content& content) { content.medium->pinned.push_back(content.generation); }

  /// What counts requests, for people.
  struct Figures {
    std::vector<DiskCounters> counters;
    std::vector<ReadDigest> read;
  };
  Figures figures() const;
  void set_figures(const Figures& figures);

  /// Requests that fail from now on although the drive did nothing wrong.
  void on_error(DiskErrorListener listener) { on_error_->told = std::move(listener); }
  /// Requests that fail because they failed in the run that is repeated.
  void repeat_errors(DiskErrorSource source) { on_error_->repeated = std::move(source); }

 private:
  struct Medium {
    DiskConfig config;
    std::string format;
    u64 file_bytes = 0;
    i64 modified_unix_ns = 0;
    std::shared_ptr<ReadDigest> read = {};
    std::unique_ptr<devices::BlockBackend> content = nullptr;
    std::optional<devices::FloppyGeometry> floppy = {};
    std::optional<u64> sample = {};
    // Generations that are known, and the one over which the current one lies; 0: none that is.
    std::vector<devices::BlockGenerations::Generation> ended = {};
    devices::BlockGenerations::Generation over = 0;
    std::vector<devices::BlockGenerations::Generation> pinned = {};
  };
  struct Owned {
    std::unique_ptr<DiskCounters> counters = std::make_unique<DiskCounters>();
    std::shared_ptr<Medium> medium = std::make_shared<Medium>();
    std::string first_path = {};
  };
  /// As what this run has the file of `wanted` open, when one of both writes to it: "as disk0, which is written". Else
  /// empty.
  std::string writing_use_of(const DiskConfig& wanted) const;
  void take(std::size_t drive, const DiskConfig& config, OpenedImage medium);

  std::shared_ptr<RunFiles> files_;
  std::vector<Owned> owned_;
  std::unique_ptr<DiskErrors> on_error_ = std::make_unique<DiskErrors>();
  std::vector<AttachedDisk> attached_;  // like owned_
  class Source;
  std::vector<Source*> sources_;  // of a copy, like owned_: what the media lie over
};

}  // namespace reprise::machine
