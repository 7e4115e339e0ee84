// OptionRow: one row for each option of QEMU's that has a place here, and for those that have none.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/types.h"
#include "frontend/qemu/draft.h"

namespace reprise::frontend::qemu {

/// What becomes of an option. Translated: `set` does it. Silent: it changes nothing that a guest or a person sees here. Noted: the
/// same, but somebody may wonder. Refused: a guest would miss it.
enum class Effect : u8 { Translated, Silent, Noted, Refused };

struct OptionRow {
  std::string_view names;  // without dashes, with blanks around each
  std::string_view value;  // what stands behind it; empty: it takes none
  Effect effect;
  std::string_view text;  // of the help; of Noted and Refused a sentence without a full stop
  void (*set)(Draft& draft, std::string_view option, const std::string& value) = nullptr;
};

std::span<const OptionRow> machine_rows();
std::span<const OptionRow> drive_rows();
std::span<const OptionRow> device_rows();
std::span<const OptionRow> net_rows();
std::span<const OptionRow> character_rows();
std::span<const OptionRow> display_rows();
std::span<const OptionRow> run_rows();
std::span<const OptionRow> other_rows();

/// By its name without dashes; nullptr: QEMU has none of that name, or a younger one has.
const OptionRow* find_option(std::string_view name);
/// All names, without dashes.
std::vector<std::string_view> option_names();
/// The help of the command.
std::string help_text();

}  // namespace reprise::frontend::qemu
