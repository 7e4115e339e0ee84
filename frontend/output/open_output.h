// Opening what the user named to write to: a file, or whatever stands at its path.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/types.h"
#include "machine/storage/host_fd.h"

namespace reprise::frontend {

/// A FIFO that nobody reads yet is waited for, as by any program (its reader is often the next command of a script), but
/// with a line that names it, and within the time that the run has.
class OutputOpener {
 public:
  struct Waiting {
    std::function<void(std::string_view)> say;             // takes a sentence
    std::function<void(std::chrono::milliseconds)> pause;  // signals end the process in it
    std::function<void()> begun = {};                      // called by begin(), behind the rest of it
    std::optional<double> seconds = std::nullopt;          // for all that is opened together
  };
  explicit OutputOpener(Waiting waiting) : waiting_(std::move(waiting)) {}

  /// Of a file that is there.
  enum class Content : u8 { Goes, Stays };

  /// Makes the file at `path`, which the user knows as `what` ("report"), or opens one that is there; what that holds stays until
  /// begin(), or until something is written to it, or is written behind. An error may be that a FIFO had no reader in time:
  /// out_of_time().
  Result<machine::HostFd> open(std::string_view what, const std::string& path,
                               Content content = Content::Goes);

  /// All that the run needs is there: it will be written from now on.
  void begin();

  /// Waits until `ready` says true, for somebody whom `sentence` tells of after a second.
  Result<Done> wait_until(const std::function<bool()>& ready, const std::string& sentence);

  /// Seconds that were waited so far.
  double waited_s() const { return waited_s_; }
  bool out_of_time() const { return waiting_.seconds && waited_s_ >= *waiting_.seconds; }

 private:
  void pause();

  Waiting waiting_;
  double waited_s_ = 0;
  bool begun_ = false;
  std::vector<machine::HostFd> to_empty_;
};

}  // namespace reprise::frontend
