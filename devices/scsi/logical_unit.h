// LogicalUnit: a SCSI device without its transport, which gives it commands, moves its data and keeps its time. SAM-4, SPC-3.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/archive.h"
#include "devices/scsi/sense.h"

namespace reprise::devices::scsi {

inline constexpr std::size_t kCommandBytes = 32;
/// A command descriptor block; shorter ones end in zeros.
using Command = std::span<const u8, kCommandBytes>;

inline u32 be16(std::span<const u8> bytes, std::size_t at) { return u32{bytes[at]} << 8 | bytes[at + 1]; }
inline u32 be24(std::span<const u8> bytes, std::size_t at) {
  return u32{bytes[at]} << 16 | be16(bytes, at + 1);
}
inline u32 be32(std::span<const u8> bytes, std::size_t at) {
  return be16(bytes, at) << 16 | be16(bytes, at + 2);
}
inline u64 be64(std::span<const u8> bytes, std::size_t at) {
  return u64{be32(bytes, at)} << 32 | be32(bytes, at + 4);
}

/// The initiator's buffers for the data of one command, each of them used from its beginning on.
class Transfer {
 public:
  virtual ~Transfer() = default;
  /// Bytes that it has room for, and bytes that it sends, beyond those that were moved.
  virtual u64 room() const = 0;
  virtual u64 offered() const = 0;
  /// False: the transport failed.
  virtual bool give(std::span<const u8> bytes) = 0;
  virtual bool take(std::span<u8> bytes) = 0;
};

/// How a command ended.
struct Outcome {
  /// Overrun: it wants to move more data than there are buffers for. TransferFailed: the transport could not.
  enum class Kind : u8 { Good, CheckCondition, Overrun, TransferFailed };
  Kind kind = Kind::Good;
  Sense sense = {};  // of a CheckCondition

  static Outcome failed(const Sense& sense) { return {Kind::CheckCondition, sense}; }
};

class LogicalUnit {
 public:
  virtual ~LogicalUnit() = default;
  /// Carries out all of it.
  virtual Outcome execute(Command command, Transfer& transfer) = 0;
  /// Power-on, a reset of its bus or its own.
  virtual void reset() = 0;
  virtual void serialize(Archive& archive) = 0;
  /// The number that it tells of itself, while nobody uses it.
  virtual void set_serial(std::string_view serial) = 0;
  virtual std::string debug_dump() const = 0;
};

/// `bytes`, cut to `allocation` of them.
inline Outcome answer(Transfer& transfer, std::span<const u8> bytes, u64 allocation) {
  const std::span<const u8> cut = bytes.first(std::min<u64>(bytes.size(), allocation));
  if (cut.size() > transfer.room()) return {Outcome::Kind::Overrun};
  return {transfer.give(cut) ? Outcome::Kind::Good : Outcome::Kind::TransferFailed};
}

}  // namespace reprise::devices::scsi
