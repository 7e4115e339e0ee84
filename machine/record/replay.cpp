#include "machine/record/replay.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/words.h"
#include "machine/record/recorded_error.h"

namespace reprise::machine {
namespace {

/// The drive of which something else was read than in that run; empty: there is none.
std::string_view other_drive(const std::vector<RecordedReads>& reads,
                             const std::vector<RecordedReads>& expected) {
  for (const RecordedReads& own : reads) {
    const auto its = std::ranges::find(expected, own.drive, &RecordedReads::drive);
    if (its != expected.end() && its->digest != own.digest) return own.drive;
  }
  return {};
}

/// What is other than it was: a phrase. Empty: nothing. What was read may be gone from the state again.
std::string what_differs(u64 state_hash, u64 expected_hash, const std::vector<RecordedReads>& reads,
                         const std::vector<RecordedReads>& expected) {
  const std::string_view drive = other_drive(reads, expected);
  if (state_hash == expected_hash && drive.empty()) return {};
  std::string what = fmt::format("the state is {:016x}", state_hash);
  if (!drive.empty())
    what += fmt::format(
        "; what was read of the image in {} is not what that run read: give the image that it had "
        "(--image NAME=PATH)",
        drive);
  return what;
}

}  // namespace

std::string position_text(const Position& position) {
  return position.step == 0 ? fmt::format("@{}", position.retired)
                            : fmt::format("@{}.{}", position.retired, position.step);
}

std::string describe(const RecordEntry& record) {
  if (const auto* event = std::get_if<LoggedEvent>(&record)) {
    if (const auto* answer = std::get_if<AnswerEvent>(&event->event))
      return fmt::format("an answer of the host to {}: {}", event->sink, in_one_line(answer->question));
    return fmt::format("{} for {}", name_of(type_of(event->event)), event->sink);
  }
  if (const auto* hash = std::get_if<RecordedHash>(&record))
    return fmt::format("the state {:016x}", hash->state_hash);
  if (const auto* end = std::get_if<RecordedEnd>(&record))
    return fmt::format("the end with the state {:016x}: {}", end->state_hash, in_one_line(end->message));
  return "the beginning";
}

std::optional<LoggedEvent> Replay::take_event(const Position& now) {
  if (next() == nullptr || next_at() != now || !difference_.empty()) return std::nullopt;
  const auto* event = std::get_if<LoggedEvent>(next());
  if (event == nullptr || type_of(event->event) == EventType::Answer) return std::nullopt;
  LoggedEvent taken = *event;
  entries_.pop();
  return taken;
}

std::optional<std::vector<u8>> Replay::take_answer(const Position& now, std::string_view who,
                                                   std::string_view question) {
  if (!difference_.empty()) return std::nullopt;
  const auto* event = next() == nullptr ? nullptr : std::get_if<LoggedEvent>(next());
  const auto* answer = event == nullptr ? nullptr : std::get_if<AnswerEvent>(&event->event);
  if (answer == nullptr || event->sink != who || answer->question != question) {
    differs(now, fmt::format("{} asks the host: {}", who, in_one_line(question)));
    return std::nullopt;
  }
  std::vector<u8> content = answer->answer;
  entries_.pop();
  return content;
}

DiskError Replay::take_error(const Position& now, DiskError request) {
  const auto* event = next() == nullptr || next_at() != now ? nullptr : std::get_if<LoggedEvent>(next());
  const auto* answer = event == nullptr ? nullptr : std::get_if<AnswerEvent>(&event->event);
  if (answer != nullptr && event->sink == request.drive && take_error_answer(*answer, request))
    entries_.pop();
  return request;
}

bool Replay::hash_is_due(const Position& now) const {
  return next() != nullptr && next_at() == now && std::holds_alternative<RecordedHash>(*next());
}

void Replay::take_hash(const Position& now, u64 state_hash, const std::vector<RecordedReads>& reads) {
  const auto& expected = std::get<RecordedHash>(*next());
  if (std::string what = what_differs(state_hash, expected.state_hash, reads, expected.reads); !what.empty())
    return differs(now, std::move(what));
  agreed_ = expected;
  ++agreed_count_;
  entries_.pop();
}

const RecordedEnd* Replay::end_at(const Position& now) const {
  if (next() == nullptr || next_at() != now) return nullptr;
  return std::get_if<RecordedEnd>(next());
}

std::optional<RecordedEnd> Replay::take_end(const Position& now, u8 reason, u64 state_hash,
                                            const std::vector<RecordedReads>& reads) {
  const RecordedEnd* const end = end_at(now);
  if (end == nullptr || end->reason != reason) return std::nullopt;
  if (std::string what = what_differs(state_hash, end->state_hash, reads, end->reads); !what.empty()) {
    differs(now, std::move(what));
    return std::nullopt;
  }
  RecordedEnd taken = *end;
  agreed_ = {now, state_hash};
  ++agreed_count_;
  entries_.pop();
  return taken;
}

void Replay::check_passed(const Position& now) {
  if (difference_.empty() && next() != nullptr && now > next_at()) differs(now, "the run has gone past it");
}

void Replay::differs(const Position& now, std::string what) {
  if (!difference_.empty()) return;
  differed_at_ = now;
  difference_ = next() == nullptr ? fmt::format("the recording is over, and {}", what)
                                  : fmt::format("the recording has {} at {}, and {}", describe(*next()),
                                                position_text(next_at()), what);
}

std::string Replay::report() const {
  std::string text;
  if (agreed_count_ != 0)
    text += fmt::format("last agreed  {} state {:016x}\n", position_text(agreed_.at), agreed_.state_hash);
  text += fmt::format("differs      {} {}\n", position_text(differed_at_), difference_);
  return text;
}

}  // namespace reprise::machine
