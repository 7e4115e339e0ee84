// A serial port's line on a socket: who does not read does not stop the machine.
#include "frontend/character_line.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <variant>

namespace reprise::frontend {
namespace {

TEST(CharacterLine, APeerThatReadsLaterGetsAll) {
  const std::string path = testing::TempDir() + "line.socket";
  OutputOpener opener({.say = [](std::string_view) {}, .pause = [](std::chrono::milliseconds) {}});
  SerialTarget target{.kind = SerialTarget::Kind::Socket};
  target.socket.unix_path = path;
  auto line = CharacterLine::open(target, "serial port", opener);
  ASSERT_TRUE(line.ok()) << line.error().message;
  machine::Inbox inbox;
  std::string got;
  const machine::HostFd peer(socket(AF_UNIX, SOCK_STREAM, 0));
  // Single characters, each of which takes far more than a byte of what a socket of the host's holds.
  constexpr std::size_t kBytes = 20'000;
  {
    const LineInput input(*line.value(), inbox, "com1", "com1-plug");
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    ASSERT_EQ(connect(peer.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    // It is there once its first character has come.
    for (pollfd file = {peer.get(), POLLIN, 0}; poll(&file, 1, 10) == 0;)
      line.value()->write(std::span(reinterpret_cast<const u8*>("a"), 1));
    for (std::size_t i = 0; i < kBytes; ++i)
      line.value()->write(std::span(reinterpret_cast<const u8*>(i % 2 == 0 ? "b" : "c"), 1));
    char buffer[4096];
    while (got.size() < kBytes || !got.ends_with("bc")) {
      pollfd file = {peer.get(), POLLIN, 0};
      if (poll(&file, 1, 5000) <= 0) break;
      const ssize_t count = read(peer.get(), buffer, sizeof buffer);
      if (count <= 0) break;
      got.append(buffer, static_cast<std::size_t>(count));
      const std::size_t first = got.find_first_not_of('a');
      if (first != got.npos && got.size() - first == kBytes) break;
    }
  }
  got.erase(0, got.find_first_not_of('a'));
  EXPECT_EQ(got.size(), kBytes);
  EXPECT_EQ(got.find("bb"), got.npos);
  EXPECT_EQ(got.find("cc"), got.npos);
}

/// All that comes within a while.
std::string heard(machine::Inbox& inbox, std::size_t bytes) {
  std::string all;
  for (unsigned i = 0; all.size() < bytes && i < 100; ++i) {
    inbox.wait(std::chrono::milliseconds(50));
    for (const machine::InputMessage& message : inbox.take())
      if (const auto* event = std::get_if<machine::BytesEvent>(&message.event);
          event && message.sink == "com1")
        all.append(event->bytes.begin(), event->bytes.end());
  }
  return all;
}

TEST(CharacterLine, APipeIsTwoFifosOrOne) {
  const std::string path = testing::TempDir() + "line.pipe";
  OutputOpener opener({.say = [](std::string_view) {}, .pause = [](std::chrono::milliseconds) {}});
  const SerialTarget target{.kind = SerialTarget::Kind::Pipe, .path = path};
  for (const bool two : {true, false}) {
    for (const char* ending : {"", ".in", ".out"}) unlink((path + ending).c_str());
    const auto missing = CharacterLine::open(target, "serial port", opener);
    ASSERT_FALSE(missing.ok());
    EXPECT_NE(missing.error().message.find("pipe:" + path), std::string::npos) << missing.error().message;
    if (two) {
      ASSERT_EQ(mkfifo((path + ".in").c_str(), 0600) | mkfifo((path + ".out").c_str(), 0600), 0);
    } else {
      ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    }
    auto line = CharacterLine::open(target, "serial port", opener);
    ASSERT_TRUE(line.ok()) << line.error().message;
    machine::Inbox inbox;
    const machine::HostFd in(open((path + (two ? ".in" : "")).c_str(), O_WRONLY));
    {
      const LineInput input(*line.value(), inbox, "com1");
      ASSERT_EQ(write(in.get(), "to the guest", 12), 12);
      EXPECT_EQ(heard(inbox, 12), "to the guest");
    }
    line.value()->write(std::span(reinterpret_cast<const u8*>("from it"), 7));
    const machine::HostFd out(open((path + (two ? ".out" : "")).c_str(), O_RDONLY | O_NONBLOCK));
    char buffer[16];
    EXPECT_EQ(std::string(buffer, static_cast<std::size_t>(
                                      std::max<ssize_t>(read(out.get(), buffer, sizeof buffer), 0))),
              "from it");
  }
}

}  // namespace
}  // namespace reprise::frontend
