// Keys by their usage on USB's keyboard page (HID Usage Tables, section 10): what windows of the host tell.
#pragma once

#include "common/keys.h"
#include "common/types.h"

namespace reprise::frontend {

/// The key at that place of the keyboard, whatever the host's layout has there. Key::None: none of a PC keyboard.
Key key_of_usb_usage(u32 usage);

}  // namespace reprise::frontend
