// PictureMaker: registers and memory of a VGA -> the picture that a monitor would show. IBM PS/2 Hardware Interface
// Technical Reference, Video Subsystem (1992): "CRT Controller", "Attribute Controller", "Character Generator"; packed
// pixels as dispi.h says. A pure function of what it is given, with a memory of the last picture, so that only lines whose
// memory changed are made again.
//
// A picture of a VGA mode has a pixel for each dot of the monitor's line and each of its lines: 640x400 in mode 13h, whose
// pixels are two dots wide and two lines high.
//
// Missing: the border; cursor skew; blinking in graphics modes; palette registers in modes of 256 colors, which
// programs leave at their identity; changes in the middle of a frame: a picture is that of one moment.
//
// Thread: any one at a time. Nothing here knows the machine.
#pragma once

#include <array>
#include <vector>

#include "devices/display/picture.h"
#include "devices/display/vga_registers.h"

namespace reprise::devices {

/// The part of a card's memory that the picture of `registers` may be made of.
struct ShownMemory {
  u64 first = 0;
  u64 bytes = 0;
};
ShownMemory shown_memory(const VgaRegisters& registers);

/// The part of `registers` that the picture depends on: the rest is as at power-on.
VgaRegisters registers_shown(const VgaRegisters& registers);

/// Which pages of video memory may have changed since the last update.
class ChangedPages {
 public:
  /// None of `memory_bytes`.
  explicit ChangedPages(u64 memory_bytes) : pages_((memory_bytes + kPageBytes - 1) / kPageBytes) {}
  void add(u64 page) { pages_[page] = true; }
  bool any_in(u64 first_byte, u64 bytes) const;

 private:
  std::vector<bool> pages_;
};

class PictureMaker {
 public:
  /// `frame`: of Vga::frame(). `memory`: the card's. `changed`: nullptr when anything may have changed. Returns what is
  /// new in the picture: disjoint, from top to bottom; the whole picture when its shape is another one.
  std::vector<Rect> update(const VgaRegisters& registers, u64 frame, std::span<const u8> memory,
                           const ChangedPages* changed);
  const Picture& picture() const { return picture_; }

 private:
  struct Blink {
    bool cursor = false;      // it shows
    bool characters = false;  // those that blink show
    bool operator==(const Blink&) const = default;
  };
  /// Where a scan line's first character comes from.
  struct Line {
    u32 address = 0;  // as the CRT controller counts
    u32 row_scan = 0;
    u32 panned_dots = 0;
  };
  static Blink blink_at(const VgaRegisters& registers, u64 frame);
  void look_up_colors();
  void make_vga(const ChangedPages* changed);
  void make_packed(const ChangedPages* changed);
  void make_planar(const ChangedPages* changed);
  void text_line(const Line& line);
  void graphics_line(const Line& line);
  /// The eight dots of four plane bytes, at `dots`.
  void put_planes(u32 planes, u32* dots) const;
  u32 planes_at(u64 address) const;
  void packed_line(const u8* from);
  /// line_ from dot `first` on is line `y` of the picture.
  void take_line(u32 y, u32 first);
  void take_black();

  Picture picture_;
  VgaRegisters registers_;  // of the last update, the part that shows
  Blink blink_;
  bool made_ = false;

  std::span<const u8> memory_;      // during an update
  std::array<u32, 256> palette_{};  // DAC index to pixel
  std::array<u32, 16> colors_{};    // of the attribute controller
  std::vector<u32> line_;
  std::vector<Rect> new_;
};

}  // namespace reprise::devices
