// In place of vnc_display.cpp in a build without libvncserver.
#include "frontend/display/vnc_display.h"

namespace reprise::frontend {

Result<std::unique_ptr<Display>> open_vnc_display(const VncChoice&, machine::Machine&,
                                                  std::shared_ptr<ViewMutex>) {
  return wrong_usage(
      "--display vnc: this reprise was built without libvncserver: build it with Debian's package "
      "libvncserver-dev.");
}

}  // namespace reprise::frontend
