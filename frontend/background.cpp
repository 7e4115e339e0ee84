#include "frontend/background.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace reprise::frontend {
namespace {

[[noreturn]] void wait_for(pid_t second, int pipe) {
  char word = 0;
  ssize_t count = 0;
  do count = read(pipe, &word, 1);
  while (count < 0 && errno == EINTR);
  if (count == 1) _exit(0);
  int status = 0;
  while (waitpid(second, &status, 0) < 0 && errno == EINTR) {
  }
  _exit(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1);
}

}  // namespace

Result<Background> Background::enter(HeldSignals& held) {
  int ends[2] = {-1, -1};
  const pid_t second = pipe2(ends, O_CLOEXEC) == 0 ? fork() : -1;
  if (second < 0) return Error{fmt::format("a second process cannot be started: {}.", std::strerror(errno))};
  machine::HostFd read_end(ends[0]), write_end(ends[1]);
  if (second > 0) {
    held.release();
    write_end = machine::HostFd();
    wait_for(second, read_end.get());
  }
  setsid();
  return Background(std::move(write_end));
}

void Background::begun() {
  const machine::HostFd nothing(open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(nothing.get(), descriptor);
  while (write(first_.get(), "", 1) < 0 && errno == EINTR) {
  }
  first_ = machine::HostFd();
}

}  // namespace reprise::frontend
