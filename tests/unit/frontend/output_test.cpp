// Outputs that do not take everything, and descriptors that were closed.
#include "frontend/output/output.h"
#include "frontend/output/open_output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <thread>

namespace reprise::frontend {
namespace {

struct Pipe {
  std::array<int, 2> ends{};
  Pipe() { EXPECT_EQ(pipe(ends.data()), 0); }
  ~Pipe() {
    for (const int end : ends)
      if (end >= 0) close(end);
  }
  void hang_up() { close(std::exchange(ends[0], -1)); }
};

TEST(OutputOpener, AFifoWaitsForItsReader) {
  const std::string path = testing::TempDir() + "/fifo";
  unlink(path.c_str());
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  std::string said;
  machine::HostFd reader;
  unsigned pauses = 0;
  OutputOpener opener({.say = [&](std::string_view text) { said += text; },
                       .pause =
                           [&](std::chrono::milliseconds time) {
                             std::this_thread::sleep_for(time);
                             if (++pauses == 25)
                               reader = machine::HostFd(open(path.c_str(), O_RDONLY | O_NONBLOCK));
                           },
                       .seconds = 60});
  const Result<machine::HostFd> file = opener.open("report", path);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(pauses, 25u);
  EXPECT_EQ(said, "report '" + path + "' is a FIFO that nobody reads: the run begins when somebody does.");
  EXPECT_EQ(fcntl(file.value().get(), F_GETFL) & O_NONBLOCK, 0);

  reader.close();
  OutputOpener hurried({.say = [](std::string_view) {},
                        .pause = [](std::chrono::milliseconds time) { std::this_thread::sleep_for(time); },
                        .seconds = 0.1});
  const Result<machine::HostFd> none = hurried.open("report", path);
  ASSERT_FALSE(none.ok());
  EXPECT_TRUE(hurried.out_of_time());
  EXPECT_GE(hurried.waited_s(), 0.1);
}

TEST(OutputOpener, WhatIsNoFileIsRefusedAtOnce) {
  OutputOpener opener({.say = [](std::string_view) {},
                       .pause = [](std::chrono::milliseconds) { FAIL() << "nothing to wait for"; }});
  EXPECT_NE(opener.open("report", testing::TempDir()).error().message.find("cannot be written"),
            std::string::npos);
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  const std::string path = testing::TempDir() + "/socket";
  unlink(path.c_str());
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const machine::HostFd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  ASSERT_EQ(bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_NE(opener.open("report", path).error().message.find("is a socket"), std::string::npos);
}

TEST(Output, AFullDiskIsALossAndNoEnd) {
  Losses losses;
  Output output("disk", machine::HostFd(open("/dev/full", O_WRONLY | O_CLOEXEC)), losses);
  output.write(std::string_view("12345"));
  output.write(std::string_view("678"));
  output.tell("not counted");
  ASSERT_EQ(losses.list().size(), 1u);
  EXPECT_EQ(describe(losses.list()[0]), "disk lost 8 bytes: No space left on device");
}

TEST(Output, AReaderThatLeftIsALoss) {
  std::signal(SIGPIPE, SIG_IGN);
  Losses losses;
  Pipe pipe;
  Output output("pipe", pipe.ends[1], losses);
  output.write(std::string_view("a"));
  EXPECT_FALSE(losses.any());
  pipe.hang_up();
  output.write(std::string_view("b"));
  EXPECT_EQ(describe(losses.list().at(0)), "pipe lost 1 byte: Broken pipe");
}

TEST(Output, AClosedDescriptorIsALoss) {
  Losses losses;
  Output output("nothing", machine::HostFd(open("/dev/null", O_RDONLY | O_CLOEXEC)), losses);
  output.write(std::string_view("ab"));
  EXPECT_EQ(describe(losses.list().at(0)), "nothing lost 2 bytes: it was closed");
}

TEST(Output, ASlowReaderGetsEverything) {
  Losses losses;
  Pipe pipe;
  fcntl(pipe.ends[1], F_SETFL, O_NONBLOCK);  // as another process may have left it
  Output output("pipe", pipe.ends[1], losses);
  const std::string text(1 << 20, 'x');
  std::size_t read_bytes = 0;
  std::thread reader([&] {
    std::array<char, 10'000> buffer;
    while (read_bytes < text.size())
      read_bytes += static_cast<std::size_t>(read(pipe.ends[0], buffer.data(), buffer.size()));
  });
  output.write(std::string_view(text));
  reader.join();
  EXPECT_EQ(read_bytes, text.size());
  EXPECT_FALSE(losses.any());
}

TEST(Output, AReaderThatNeverReadsIsLeftWhenTheRunIsToEnd) {
  Losses losses;
  Pipe pipe;
  Output output("pipe", pipe.ends[1], losses);
  output.give_up_when([] { return true; });
  output.write(std::string_view(std::string(1 << 20, 'x')));
  ASSERT_TRUE(losses.any());
  EXPECT_EQ(losses.list()[0].why, "nobody reads it");
}

}  // namespace
}  // namespace reprise::frontend
