// Narrower: a replay differs from its recording somewhere between two instants. Runs it again with two engines side by side,
// halves between the instants, and says where the engines part, down to the instruction, and what they ask of a device first that differs; or that they agree with each other.
//
// Each side is a machine that follows the recording and keeps its history, so that halving costs about the stretch once.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "machine/machine.h"

namespace reprise::machine {

/// A machine that follows the recording from its beginning, with outputs that go nowhere.
class NarrowSide {
 public:
  virtual ~NarrowSide() = default;
  virtual Machine& machine() = 0;
};

struct NarrowTask {
  /// Makes a side that `engine` runs, that keeps its history and tells `traces`.
  std::function<Result<std::unique_ptr<NarrowSide>>(EngineKind engine, const AccessTraces& traces)> make;
  EngineKind engines[2];
  Position agreed;    // the last instant at which the replay agreed
  Position differed;  // where it did not
};

/// Lines for a person. Error: a side cannot be run, a sentence. Thread: any; the machines are made and run on it.
Result<std::string> narrow(const NarrowTask& task);

}  // namespace reprise::machine
