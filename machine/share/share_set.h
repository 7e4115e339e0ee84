// The shared folders of a machine, opened; what the host answers passes a listener.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "devices/p9/share_backend.h"
#include "machine/share/share_config.h"

namespace reprise::machine {

/// `who`: "share" and the tag.
using ShareListener = std::function<void(std::string_view who, const devices::ShareQuestion& question,
                                         const devices::ShareAnswer& answer)>;

class RecordedShareLog;

/// Closing is neither a question nor answered, and is not told.
class ToldShare final : public devices::ShareBackend {
 public:
  ToldShare(std::unique_ptr<devices::ShareBackend> share, std::string who)
      : share_(std::move(share)), who_(std::move(who)) {}
  void tell(ShareListener listener) { listener_ = std::move(listener); }
  /// Answers come from there, and the folder is left alone; nullptr: they are its own.
  void answer_instead(std::unique_ptr<devices::ShareBackend> other) { instead_ = std::move(other); }
  const std::string& who() const { return who_; }
  devices::ShareAnswer ask(const devices::ShareQuestion& question) override;

 private:
  std::unique_ptr<devices::ShareBackend> share_;
  std::unique_ptr<devices::ShareBackend> instead_;
  const std::string who_;
  ShareListener listener_;
};

/// What `who` was answered when it asked `question` in words, as the log has it; nothing: it was not asked.
using RecordedAnswers =
    std::function<std::optional<std::vector<u8>>(std::string_view who, std::string_view question)>;

/// Of the answers of a log: whether a share was asked.
bool is_share(std::string_view who);

class ShareSet {
 public:
  static Result<ShareSet> open(const std::vector<ShareConfig>& configs);
  /// Without their folders: all answers come from answer_from().
  static ShareSet recorded(const std::vector<ShareConfig>& configs);
  /// Of recorded() ones and while the run repeats itself. Before they are asked.
  void answer_from(RecordedAnswers answers) { *answers_ = std::move(answers); }
  /// The run goes over its past again, of which `log` knows the contents: answers come from answer_from(), and folders are left
  /// alone. nullptr: it lives on.
  void set_repeats(const std::shared_ptr<RecordedShareLog>& log);
  /// In the order of the configurations. They live as long as the set, wherever it moves.
  std::vector<devices::ShareBackend*> backends() const;
  void on_answer(const ShareListener& listener);

 private:
  std::vector<std::unique_ptr<ToldShare>> shares_;
  std::shared_ptr<RecordedAnswers> answers_ = std::make_shared<RecordedAnswers>();
};

}  // namespace reprise::machine
