// The host side of devices, as devices see it. Host input comes the other way: the machine pushes it into the
// device.
#pragma once

#include <span>
#include <string_view>

#include "common/types.h"

namespace reprise::devices {

class BlockGenerations;

/// Where a character device sends its bytes. Called on the thread that runs the machine; must not block the
/// guest and must not call back into the device.
class CharBackend {
 public:
  virtual ~CharBackend() = default;
  virtual void write(std::span<const u8> bytes) = 0;
};

/// Refused: the image would be taken for one of another format the next time.
enum class BlockStatus : u8 { Ok, ReadError, WriteError, NoSpace, ReadOnly, OutOfRange, Refused, TooLarge };
std::string_view describe(BlockStatus status);

/// A disk's content on the host. Calls may block on the host's disk: they take no time of the guest's, whose
/// request completes at a virtual time that depends on the request alone. Called on the thread that runs the
/// machine.
class BlockBackend {
 public:
  static constexpr u64 kSectorBytes = 512;

  virtual ~BlockBackend() = default;
  /// Content size, a multiple of kSectorBytes. 0: there is no medium (an empty CD-ROM drive).
  virtual u64 bytes() const = 0;
  /// Writes are refused with BlockStatus::ReadOnly. An overlay takes writes even though its base is never
  /// written.
  virtual bool read_only() const = 0;
  /// `offset` and the size are multiples of kSectorBytes and lie within bytes(), else OutOfRange. After an
  /// error `into` holds zeros where nothing could be read.
  virtual BlockStatus read(u64 offset, std::span<u8> into) = 0;
  virtual BlockStatus write(u64 offset, std::span<const u8> from) = 0;
  /// Returns when everything written before is on the host's disk (nothing to do for a content that dies with
  /// the run).
  virtual BlockStatus flush() = 0;
  /// The range reads as zeros from now on; the host may free its space.
  virtual BlockStatus discard(u64 offset, u64 bytes) = 0;
  /// Its earlier contents; nullptr when writes (if it takes any) cannot be taken back.
  virtual BlockGenerations* generations() { return nullptr; }
};

/// Virtual time from accepting a request for `bytes` bytes to its completion: the speed of every emulated
/// disk, 10 us and 2 GiB/s.
constexpr u64 block_request_ns(u64 bytes) { return 10'000 + bytes / 2; }

}  // namespace reprise::devices
