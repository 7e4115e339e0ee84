// Who hears, while a machine goes over its past, what is written and executed there.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "machine/machine.h"

namespace reprise::machine {

/// Guest-physical addresses of RAM, of which `host` points at the first byte.
struct RamPiece {
  u64 phys = 0;
  u64 bytes = 0;
  u64 ram_offset = 0;
};
/// In the order of what they are asked about; at least one.
using RamPieces = std::vector<RamPiece>;

/// Something that happened between two instants.
struct Happening {
  Position at = {};        // the instant before
  unsigned processor = 0;  // whose instruction or event it is; by a device: who caused it
  bool amid_instruction = false;
  u64 rip = 0;  // linear: of that instruction, or where the event came
};

/// One instruction, page walk, event or device's transfer that stored to the bytes.
struct Write : Happening {
  cpu::DebugHit::By by = cpu::DebugHit::By::Cpu;
  std::string device = {};  // By::Device
  /// By::Device, of its own accord: how many instructions had retired when it took up what it did. Nothing: not known.
  std::optional<u64> requested_retired = {};
  u64 phys = 0;  // of the first byte that it stored, and how many
  u64 bytes = 0;
  std::vector<u8> before = {}, after = {};  // all the bytes, whichever it stored
};

/// What the pieces hold now.
std::vector<u8> content_of(Machine& machine, const RamPieces& pieces);

/// Thread: the machine's.
class WriteListener : public cpu::HitListener {
 public:
  using Event = Write;
  /// Both outlive this. Nothing counts that happens before `from`.
  WriteListener(Machine& machine, const RamPieces& pieces, const Position& from = {})
      : machine_(machine), pieces_(pieces), from_(from) {}

  cpu::DebugStops::Wanted wanted();
  /// The machine is at the beginning of what it will hear.
  void begin();
  void hit(const cpu::DebugHit& hit) override;

  const std::optional<Write>& first() const { return first_; }
  const std::optional<Write>& last() const { return last_; }
  u64 count() const { return count_; }

 private:
  Machine& machine_;
  const RamPieces& pieces_;
  const Position from_;
  std::vector<u8> content_;
  std::optional<Write> first_, last_;
  u64 count_ = 0;
};

/// Thread: the machine's.
class ExecutionListener final : public cpu::HitListener {
 public:
  using Event = Happening;
  /// `machine` outlives this. Nothing counts that happens before `from`.
  ExecutionListener(Machine& machine, u64 linear, const Position& from = {})
      : machine_(machine), linear_(linear), from_(from) {}

  cpu::DebugStops::Wanted wanted();
  void begin() { first_ = last_ = std::nullopt; }
  void hit(const cpu::DebugHit& hit) override;

  const std::optional<Happening>& first() const { return first_; }
  const std::optional<Happening>& last() const { return last_; }

 private:
  Machine& machine_;
  const u64 linear_;
  const Position from_;
  std::optional<Happening> first_, last_;
};

}  // namespace reprise::machine
