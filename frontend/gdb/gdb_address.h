// Where a debugger connects.
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"
#include "common/types.h"

namespace reprise::frontend {

struct GdbAddress {
  enum class Kind : u8 { Stdio, Unix, Tcp };
  Kind kind = Kind::Tcp;
  std::string unix_path;
  std::string host;  // a name or an address; empty: the loopback
  u16 port = 0;      // 0: a free one
};

/// "-", "unix:PATH", "tcp:[HOST:]PORT", also with an empty HOST. Error: what is wrong, as a phrase behind the value.
Result<GdbAddress> parse_gdb_address(std::string_view text);

}  // namespace reprise::frontend
