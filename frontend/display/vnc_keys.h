// What viewers of a VNC display send for keys.
#pragma once

#include "common/keys.h"
#include "common/types.h"

namespace reprise::frontend {

/// A key and what it takes to get the character that was meant.
struct VncKey {
  Key key = Key::None;
  bool letter = false;   // Caps Lock counts
  bool shifted = false;  // the character is the one that Shift gives
};

/// Of an X11 keysym (RFC 6143, section 7.5.4), on a keyboard of the US layout. Key::None: it has none.
VncKey key_of_keysym(u32 keysym);

/// Of a keycode of QEMU's extended key event: scan code set 1, with 80h in place of E0h before it. Key::None: none.
Key key_of_vnc_keycode(u32 keycode);

}  // namespace reprise::frontend
