// --turns: a line for each turn of a processor that ended, as --schedule file: reads it again:
//
//     0/5228/1<tab>@9123<tab>0xffffffff81a01234 race_store+0x1a [race]<tab>0xffffffff81a01300 race_load+0x5 [race]
//
// The handover; the position; where the processor goes on that lost its turn, and where the one does that has the next. Left out is
// what a list does by itself: who waits hands over to the next in the round.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "frontend/output/open_output.h"
#include "frontend/output/output.h"
#include "machine/machine.h"
#include "machine/symbols/linux_modules.h"

namespace reprise::frontend {

class TurnsOutput {
 public:
  /// `losses` outlives this.
  static Result<std::unique_ptr<TurnsOutput>> open(const std::string& path, Losses& losses,
                                                   OutputOpener& opener);
  /// From now on, until end(). `machine` lives until then.
  void begin(machine::Machine& machine);
  void end();
  Output& file() { return *file_; }

 private:
  explicit TurnsOutput(std::unique_ptr<Output> file) : file_(std::move(file)) {}
  void take(const machine::EndedTurn& turn);
  std::string place(unsigned processor);
  void flush();

  std::unique_ptr<Output> file_;
  machine::Machine* machine_ = nullptr;
  std::unique_ptr<machine::symbols::LinuxModules> modules_;
  std::vector<u64> retired_;  // by processor, when it began
  std::string buffer_;
};

/// The turns of `machine` go to `output` while this exists.
class TurnsSpan {
 public:
  TurnsSpan(TurnsOutput& output, machine::Machine& machine) : output_(output) { output_.begin(machine); }
  ~TurnsSpan() { output_.end(); }
  TurnsSpan(const TurnsSpan&) = delete;
  TurnsSpan& operator=(const TurnsSpan&) = delete;

 private:
  TurnsOutput& output_;
};

}  // namespace reprise::frontend
