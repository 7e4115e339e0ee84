// A person's hand at the drives with removable media. The new image is opened at once, so that a mistake is
// known at once; the drive gets it through the inbox, like all input from outside.
#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "common/result.h"
#include "machine/board/pc.h"
#include "machine/outside/outside.h"
#include "machine/outside/position.h"
#include "machine/storage/disk_set.h"

namespace reprise::machine {

enum class TrayLock : u8 { Respect, Override };

/// Thread: the machine's.
class MediaChanges {
 public:
  /// All of them outlive this.
  MediaChanges(DiskSet& disks, Pc& pc, Inbox& inbox) : disks_(disks), pc_(pc), inbox_(inbox) {}

  /// Each drive with removable media takes changes under its own name.
  void add_sinks(Outside& outside);

  /// Asked before a medium is opened: an error says why the run cannot have it. Before the run.
  void check_with(std::function<Result<Done>(const DiskConfig&)> check) { check_ = std::move(check); }
  /// A change that a recording has, in its words, of the drive of that name; other names are passed by.
  void repeat(std::string_view drive, std::string_view what);

  /// Of drives that no longer hold what their devices say.
  std::vector<HeldMedium> changed() const;
  /// The drive holds that now, read-only images and floppies whose writes die with the run. Error: why not, a sentence.
  Result<Done> restore(const HeldMedium& held);

  /// Told why a change that a recording has cannot be repeated. Before the run.
  void on_lost(std::function<void(const std::string& why)> listener) { lost_ = std::move(listener); }

  /// When is it now, and do changes come from the run's own past, which is repeated? Before the run.
  void follow_history(std::function<Position()> now, std::function<bool()> repeats) {
    now_ = std::move(now);
    repeats_ = std::move(repeats);
  }
  /// The drive has another medium, if there is one now.
  void attach(std::size_t drive);
  /// The run takes another way from now on.
  void forget_after(const Position& position) {
    std::erase_if(done_, [&](const DoneChange& done) { return done.at >= position; });
  }

  /// Takes out the medium of the drive of that name, and puts that of `config` in its place unless its path
  /// is empty. Error: why that cannot be; the drive keeps its medium. A guest that has locked the tray learns
  /// that somebody wants to open it.
  Result<Done> ask(std::string_view drive, const DiskConfig& config, TrayLock lock);

  // Of a disk that waits to be plugged in, by its number among the drives.
  /// It holds what `config` says, as soon as that comes in. Error: why that cannot be.
  Result<Done> put_in(std::size_t drive, const DiskConfig& config);
  void take_out(std::size_t drive);
  bool holds_something(std::size_t drive) const { return disks_.attached().at(drive).medium->bytes() != 0; }

 private:
  enum class Kind : u8 { RequestEject, Eject, Insert };
  struct Change {
    Kind kind;
    std::size_t drive;
    DiskConfig config;
    OpenedImage image;
  };
  void post(Change change, std::string_view what);
  /// A change that a recording has, in its words.
  void repeat(std::size_t drive, std::string_view what);
  /// The oldest change that was asked for: its event has come in.
  void carry_out();

  DiskSet& disks_;
  Pc& pc_;
  Inbox& inbox_;
  std::function<Result<Done>(const DiskConfig&)> check_;
  std::function<void(const std::string&)> lost_;
  std::deque<Change> changes_;
  // Those of the run's past, with what the drive held from then on.
  struct DoneChange {
    Position at;
    std::size_t drive;
    DiskSet::Content content;
  };
  std::vector<DoneChange> done_;
  std::function<Position()> now_;
  std::function<bool()> repeats_ = [] { return false; };
};

}  // namespace reprise::machine
