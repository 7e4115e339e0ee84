// --turns: a line for each turn of a processor that ended, as --schedule file: reads it again:
//
//     0/5228/1<tab>@9123<tab>0xffffffff81a01234 race_store+0x1a [race]<tab>0xffffffff81a01300 race_load+0x5 [race]
//
// --turns-at: a line that begins with '#', each time a processor is about to execute what lies at an address.
//
// The handover; the position; where the processor goes on that lost its turn, and where the one does that has the next. Left out is
// what a list does by itself: who waits hands over to the next in the round.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "frontend/options/run_options.h"
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
  ~TurnsOutput();
  /// From now on, until end(). `machine` lives until then.
  void begin(machine::Machine& machine, const std::vector<PlaceOfProcessor>& places = {});
  void end();
  Output& file() { return *file_; }

 private:
  class Watch;

  explicit TurnsOutput(std::unique_ptr<Output> file);
  void take(const machine::EndedTurn& turn);
  void came_by(unsigned processor, u64 linear);
  void line(const machine::Handover& handover, u64 position, std::string_view front,
            const std::string& stops_at, const std::string& goes_on_at);
  std::string place(unsigned processor);
  std::string place(const cpu::Cpu& cpu, u64 linear);
  void flush();

  std::unique_ptr<Output> file_;
  machine::Machine* machine_ = nullptr;
  std::unique_ptr<machine::symbols::LinuxModules> modules_;
  std::vector<u64> retired_;  // by processor, when it began
  std::vector<std::unique_ptr<Watch>> watches_;
  std::string buffer_;
};

/// The turns of `machine` go to `output` while this exists.
class TurnsSpan {
 public:
  TurnsSpan(TurnsOutput& output, machine::Machine& machine, const std::vector<PlaceOfProcessor>& places)
      : output_(output) {
    output_.begin(machine, places);
  }
  ~TurnsSpan() { output_.end(); }
  TurnsSpan(const TurnsSpan&) = delete;
  TurnsSpan& operator=(const TurnsSpan&) = delete;

 private:
  TurnsOutput& output_;
};

}  // namespace reprise::frontend
