#include "machine/share/share_set.h"

#include <fmt/format.h>

#include <algorithm>

#include "machine/share/host_share.h"
#include "machine/share/share_log.h"

namespace reprise::machine {

namespace {

constexpr u32 kEio = 5;

bool closes(const devices::ShareQuestion& question) {
  return question.op == devices::ShareOp::Close || question.op == devices::ShareOp::CloseAll;
}

/// A name that a guest could be told.
bool possible(const devices::ShareEntry& entry) {
  return !entry.name.empty() && entry.name.find('/') == std::string::npos &&
         entry.name.find('\0') == std::string::npos;
}

class RecordedShare final : public devices::ShareBackend {
 public:
  RecordedShare(std::string who, std::shared_ptr<RecordedShareLog> log,
                std::shared_ptr<RecordedAnswers> answers)
      : who_(std::move(who)), log_(std::move(log)), answers_(std::move(answers)) {}

  devices::ShareAnswer ask(const devices::ShareQuestion& question) override {
    if (closes(question)) return {};
    const std::optional<std::vector<u8>> entry = (*answers_)(who_, describe(question));
    std::optional<devices::ShareAnswer> answer = entry ? log_->answer(*entry) : std::nullopt;
    const bool right = answer && std::ranges::all_of(answer->entries, possible) &&
                       (question.op != devices::ShareOp::Read || answer->content.size() <= question.bytes) &&
                       (question.op != devices::ShareOp::Write || answer->count <= question.data.size());
    if (!right) return {.error = kEio};
    return *std::move(answer);
  }

 private:
  const std::string who_;
  const std::shared_ptr<RecordedShareLog> log_;  // of all shares: content stands there once
  const std::shared_ptr<RecordedAnswers> answers_;
};

constexpr std::string_view kShareWord = "share ";

std::string who_is(const ShareConfig& config) { return fmt::format("{}{}", kShareWord, config.tag); }

}  // namespace

bool is_share(std::string_view who) { return who.starts_with(kShareWord); }

devices::ShareAnswer ToldShare::ask(const devices::ShareQuestion& question) {
  devices::ShareAnswer answer = (instead_ != nullptr ? instead_ : share_)->ask(question);
  if (listener_ && !closes(question)) listener_(who_, question, answer);
  return answer;
}

ShareSet ShareSet::recorded(const std::vector<ShareConfig>& configs) {
  ShareSet set;
  const auto log = std::make_shared<RecordedShareLog>();
  for (const ShareConfig& config : configs)
    set.shares_.push_back(std::make_unique<ToldShare>(
        std::make_unique<RecordedShare>(who_is(config), log, set.answers_), who_is(config)));
  return set;
}

Result<ShareSet> ShareSet::open(const std::vector<ShareConfig>& configs) {
  ShareSet set;
  for (const ShareConfig& config : configs) {
    HostFolder folder = TRY(HostFolder::open(config.path));
    set.shares_.push_back(
        std::make_unique<ToldShare>(std::make_unique<HostShare>(std::move(folder), config), who_is(config)));
  }
  return set;
}

void ShareSet::set_repeats(const std::shared_ptr<RecordedShareLog>& log) {
  for (const auto& share : shares_)
    share->answer_instead(log == nullptr ? nullptr
                                         : std::make_unique<RecordedShare>(share->who(), log, answers_));
}

std::vector<devices::ShareBackend*> ShareSet::backends() const {
  std::vector<devices::ShareBackend*> all;
  for (const auto& share : shares_) all.push_back(share.get());
  return all;
}

void ShareSet::on_answer(const ShareListener& listener) {
  for (const auto& share : shares_) share->tell(listener);
}

}  // namespace reprise::machine
