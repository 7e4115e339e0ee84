// The picture of a VGA in text mode as text for a person. Characters are those of code page 437, whatever
// font the guest has loaded.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "devices/display/vga_memory.h"
#include "devices/display/vga_registers.h"

namespace reprise::devices {

struct TextScreen {
  struct Cursor {
    u32 row, column;
  };
  u32 columns = 0;
  /// UTF-8, without trailing blanks.
  std::vector<std::string> rows;
  std::optional<Cursor> cursor;  // when it shows and is on the screen
};

/// Only meaningful in text modes.
TextScreen read_text_screen(const VgaRegisters& registers, const VgaMemory& memory);

/// The mode, the cursor and, in text modes, the rows.
std::string describe_screen(const VgaRegisters& registers, const VgaMemory& memory);

/// The Unicode character of a code page 437 glyph, as UTF-8.
std::string cp437_utf8(u8 glyph);

}  // namespace reprise::devices
