#include "machine/checkpoint_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

namespace reprise::machine {
namespace {

u64 next_multiple(u64 retired, u64 of) { return (retired / of + 1) * of; }

}  // namespace

CheckpointKeeper::CheckpointKeeper(Machine& machine, Wanted wanted,
                                   std::function<void(const std::string&)> say)
    : machine_(machine),
      wanted_(std::move(wanted)),
      say_(std::move(say)),
      next_retired_(next_multiple(machine.retired(), wanted_.every_retired)) {
  machine_.add_observer(*this);
}

u64 CheckpointKeeper::budget(u64 limit) {
  const u64 now = machine_.retired();
  return keeps_ && next_retired_ > now ? std::min(limit, next_retired_ - now) : limit;
}

void CheckpointKeeper::between_turns() {
  if (!keeps_ || machine_.in_past() || machine_.retired() < next_retired_) return;
  next_retired_ = next_multiple(machine_.retired(), wanted_.every_retired);
  keeps_ = is_recorded();
  if (!keeps_) return;
  const Result<Done> done = keep();
  if (done) {
    ++kept_;
    return;
  }
  keeps_ = false;
  std::string why = done.error().message;
  if (why.ends_with('.')) why.pop_back();
  say_(fmt::format("from {} on no checkpoints are kept: {}", position_text(machine_.position()), why));
}

bool CheckpointKeeper::is_recorded() const {
  if (machine_.replay() != nullptr) return machine_.replay()->recording() != nullptr;
  return !machine_.recorder().name().empty() && machine_.recorder().complete();
}

Result<Done> CheckpointKeeper::keep() {
  const u64 log_bytes = machine_.log_bytes();
  const u64 digest = TRY(log_digest(wanted_.recording, log_bytes));
  std::error_code error;
  std::filesystem::create_directory(checkpoints_folder(wanted_.recording), error);
  if (error)
    return Error{fmt::format("folder '{}' cannot be made: {}", checkpoints_folder(wanted_.recording),
                             error.message())};
  const Position at = machine_.position();
  const auto file = TRY(StateFileWriter::create(checkpoint_path(wanted_.recording, at), StateForm::Pages,
                                                machine_.ram().bytes(), kKeptCheckpoint));
  save_place(file->stream(), {wanted_.program, at, log_bytes, digest});
  TRY(machine_.save_checkpoint(file->stream(), file->ram()));
  return file->commit();
}

}  // namespace reprise::machine
