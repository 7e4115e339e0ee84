// Devices of QEMU's, and properties of its devices, that are none here.
#pragma once

#include <string_view>

namespace reprise::machine {

/// What to give in place of QEMU's device `name`: a phrase; empty: it is none that is known.
std::string_view instead_of_qemu_device(std::string_view name);
/// What to give in place of QEMU's property `name`: a phrase; empty: it is none that is known.
std::string_view instead_of_qemu_property(std::string_view name);

}  // namespace reprise::machine
