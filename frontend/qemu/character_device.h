// Character devices of QEMU's: DEV of -serial DEV, and -chardev. QEMU's manual, "Character device options".
#pragma once

#include <string>
#include <string_view>

#include "frontend/qemu/draft.h"

namespace reprise::frontend::qemu {

/// "stdio", "mon:stdio", "unix:PATH,server=on,wait=off", "chardev:ID" and the like. Throws BadValue. The ids of -chardev must be known.
Chardev character_device(const Draft& draft, std::string_view option, const std::string& text);

/// The value of -chardev, without its id.
Chardev character_backend(KeyValues& keys);

}  // namespace reprise::frontend::qemu
