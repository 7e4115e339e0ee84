// Checkpoints of a recorded run that are kept as files, so that a replay can begin in the middle of its recording.
//
// Those of the recording FILE are in the folder FILE.checkpoints, each under its position. One is a file as a saved state is
// (machine/snapshot/state_file.h), in whose stream stand "place", which this writes and reads, and what the machine needs
// (machine/machine_kept.cpp). It is one of the recording whose first bytes have the digest that it names: what comes behind
// them came in afterwards.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "machine/outside/position.h"
#include "machine/snapshot/state_file.h"

namespace reprise::machine {

/// Which instant of which run a checkpoint is.
struct KeptPlace {
  std::string program;  // that kept it, and its version: another one's machine may have more, or less
  Position at;
  u64 log_bytes = 0;   // of the recording's file, before what came in afterwards
  u64 log_digest = 0;  // of those
};

void save_place(StateWriter& writer, const KeptPlace& place);
/// The bytes may be anybody's: StateReader::ok.
KeptPlace load_place(StateReader& reader);

/// Of the first `bytes` bytes of a recording. Error: it has not so many, a phrase.
Result<u64> log_digest(const std::string& recording, u64 bytes);

/// "FILE.checkpoints".
std::string checkpoints_folder(const std::string& recording);
/// "FILE.checkpoints/@8589934592".
std::string checkpoint_path(const std::string& recording, const Position& at);

/// One that was found, read up to behind its place.
struct KeptCheckpoint {
  std::unique_ptr<StateFileReader> file;
  KeptPlace place;
};
/// The last one at or before `at` that `program` kept of the recording as it is; nothing: there is none. `passed_by` becomes a
/// sentence about the latest that is no such one; empty: all are.
std::optional<KeptCheckpoint> find_checkpoint(const std::string& recording, const std::string& program,
                                              const Position& at, std::string& passed_by);

}  // namespace reprise::machine
