// What --display asks for: a window, a VNC server, or nothing.
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"
#include "common/types.h"

namespace reprise::frontend {

/// Where viewers connect.
struct VncChoice {
  std::string unix_path;      // of a unix socket; empty: TCP
  std::string host;           // a name or an address; empty: the loopback
  u16 port = 0;               // 0: a free one
  std::string password_path;  // of a file whose first line is the password; empty: none is asked for
};

struct DisplayChoice {
  enum class Kind : u8 { None, Sdl, Vnc };
  Kind kind = Kind::None;
  VncChoice vnc;  // of Vnc
};

/// "none", "sdl", "vnc:unix:PATH", "vnc:[HOST:]PORT"; a VNC address may have ",password-file=FILE" behind it.
/// Error: what is wrong, as a phrase behind the option's name and value.
Result<DisplayChoice> parse_display(std::string_view text);

}  // namespace reprise::frontend
