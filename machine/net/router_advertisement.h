// Router advertisements that do not depend on the host. RFC 4861, 4.2; RFC 8106.
#pragma once

#include <span>
#include <vector>

#include "common/types.h"

namespace reprise::machine {

/// `frame`, or if it is a router advertisement that names name servers at its end, the same without them in `changed`:
/// libslirp names itself there when the host has a name server with an IPv6 address.
std::span<const u8> without_name_servers(std::span<const u8> frame, std::vector<u8>& changed);

}  // namespace reprise::machine
