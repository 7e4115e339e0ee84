// PlaceText: places in a kernel's code, as messages name them, with their lines of source.
#pragma once

#include <string>
#include <string_view>

#include "machine/symbols/source_places.h"

namespace reprise::frontend {

class PlaceText {
 public:
  /// `symbols` is the file of --symbols, or empty; modules are looked for below `module_symbols`, or else below `root`.
  PlaceText(const std::string& symbols, const std::string& module_symbols, const std::string& root);

  /// Of "0xffffffffc0002010 dice_read+0x1c [dice]": "dice_read+0x1c [dice] (dice.c:41)". Without a name: the address.
  std::string text(std::string_view place);
  /// A line of the kernel's log, with the source of the first place that it names behind it, if that is known.
  std::string with_source(std::string_view line);

 private:
  machine::symbols::SourcePlaces source_;
};

}  // namespace reprise::frontend
