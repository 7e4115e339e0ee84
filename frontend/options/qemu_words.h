// Options of QEMU's command line that have another name here, or none.
#pragma once

#include <string>
#include <string_view>

namespace reprise::frontend {

/// What to write instead of `word`, an option that is none of ours: a sentence without a full stop. Empty: QEMU has no such
/// option either.
std::string instead_of_qemu_word(std::string_view word);

}  // namespace reprise::frontend
