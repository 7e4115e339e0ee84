// Outputs that do not take everything, and descriptors that were closed.
#include "frontend/output/output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
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
