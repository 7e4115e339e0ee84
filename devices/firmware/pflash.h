// A NOR flash with Intel's command set (CFI 0001h), 8 bits wide: the variable store of UEFI firmware. Intel
// 28F640J3 datasheet, section 9 (commands); JEDEC JESD68 (CFI query). Erasing and programming are done when
// the command is. Missing: suspend, one-time-programmable registers, block locks that hold (lock commands
// answer as done).
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "common/ports.h"
#include "devices/device.h"

namespace reprise::devices {

class Pflash final : public Device, public MmioHandler {
 public:
  static constexpr u32 kBlockBytes = 4096;
  /// Keeps a change of the content; false when the host could not. Called on the thread that runs the
  /// machine.
  using Save = std::function<bool(u64 offset, std::span<const u8> bytes)>;

  /// `content` is a multiple of kBlockBytes.
  Pflash(std::vector<u8> content, Save save) : content_(std::move(content)), save_(std::move(save)) {}

  std::string_view name() const override { return "pflash"; }
  void reset(ResetKind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;
  u64 mmio_read(u64 offset, Width width) override;
  void mmio_write(u64 offset, Width width, u64 value) override;

  u64 bytes() const { return content_.size(); }
  /// A saved state was loaded: what keeps the content gets all of it.
  void keep_loaded() {
    if (save_ && !save_(0, content_)) ++failed_saves_;
  }
  u64 failed_saves() const { return failed_saves_; }

 private:
  /// What reads give and what the next write means.
  enum class Mode : u8 {
    Array,
    Status,
    Identifier,
    Query,
    Program,
    EraseConfirm,
    LockConfirm,
    BufferCount,
    BufferData,
    BufferConfirm
  };

  u8 read_byte(u64 offset) const;
  void command(u8 value, u64 offset);
  void program(u64 offset, std::span<const u8> bytes);
  void erase(u64 offset);
  void change(u64 offset, std::span<const u8> bytes);

  std::vector<u8> content_;
  Save save_;
  Mode mode_ = Mode::Array;
  u8 status_ = 0;
  // Buffered program: where it starts, what came.
  u64 buffer_offset_ = 0;
  u32 buffer_bytes_ = 0;
  std::vector<u8> buffer_;
  u64 failed_saves_ = 0;
};

}  // namespace reprise::devices
