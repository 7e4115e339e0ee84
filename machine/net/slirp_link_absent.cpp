// In place of slirp_link.cpp in a build without libslirp.
#include "machine/net/net_link.h"

namespace reprise::machine {

bool user_network_offered() { return false; }

Result<std::unique_ptr<NetLink>> open_slirp(const NetConfig&, Clock&, NetLink::ToGuest) {
  return Error{
      "--net user needs libslirp, and this reprise was built without it: build it with Debian's package "
      "libslirp-dev, or give --net none."};
}

}  // namespace reprise::machine
