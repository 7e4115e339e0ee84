#include "frontend/output/standard_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "machine/run_result.h"

namespace reprise::frontend {

void open_standard_descriptors() {
  for (int descriptor = 0; descriptor <= 2; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest number that is free, in the direction in which nobody will use it.
    int opened = open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY);
    if (opened < 0) opened = open("/", O_RDONLY | O_DIRECTORY);
    if (opened < 0) _exit(machine::exit_code_of(machine::ExitReason::HostError));
  }
}

int StandardOutputs::code_after_losses(int exit_code) const {
  return losses.any() ? machine::exit_code_of(machine::ExitReason::HostError) : exit_code;
}

void StandardOutputs::tell_losses() {
  for (const Loss& loss : losses.list()) say(describe(loss) + '.');
}

}  // namespace reprise::frontend
