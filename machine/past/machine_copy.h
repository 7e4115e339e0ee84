// MachineCopy: a machine that is what another one was, at any instant of its history, and goes on from there by itself, on a
// thread of its own: so pieces of the history are gone over side by side. Nothing of it is seen outside.
//
// Meanwhile the original stands still: its checkpoints, its log and its disks do not change. Copies read the disks in turns.
#pragma once

#include <memory>
#include <mutex>

#include "machine/past/excursion.h"

namespace reprise::machine {

class MachineCopy {
 public:
  /// Of the machine of `trip`, which outlives this. On its thread. Error: it cannot be copied, as one in whose drives media were
  /// changed, or the host has no room.
  static Result<std::unique_ptr<MachineCopy>> make(Excursion& trip, const std::shared_ptr<std::mutex>& turns);
  ~MachineCopy();
  MachineCopy(const MachineCopy&) = delete;
  MachineCopy& operator=(const MachineCopy&) = delete;

  // Any one thread.
  Machine& machine() { return *machine_; }
  void go_to(const Checkpoint& checkpoint);
  /// As Excursion. `interrupted` is asked between turns.
  Excursion::End run_until(const Position& end, Excursion::Hears hears,
                           const std::function<bool()>& interrupted) {
    return Excursion::run(*machine_, end, std::move(hears), interrupted);
  }

 private:
  struct Silence final : devices::CharBackend {
    void write(std::span<const u8>) override {}
  };
  explicit MachineCopy(Machine& original) : original_(original), log_([](std::string_view) {}) {}
  Result<Done> build(Excursion& trip, const std::shared_ptr<std::mutex>& turns);

  Machine& original_;
  const Log log_;
  Silence silence_;
  std::unique_ptr<Machine> machine_;
  std::unique_ptr<PageStore::View> pages_;
};

}  // namespace reprise::machine
