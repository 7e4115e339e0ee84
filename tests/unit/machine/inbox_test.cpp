#include "machine/outside/inbox.h"

#include <gtest/gtest.h>

#include <thread>

namespace reprise::machine {
namespace {

TEST(Inbox, KeepsOrderAndEmptiesOnTake) {
  Inbox inbox;
  EXPECT_FALSE(inbox.has_messages());
  inbox.post({"com1", BytesEvent{{1}}});
  inbox.post({"com2", BytesEvent{{2}}});
  EXPECT_TRUE(inbox.has_messages());
  const auto messages = inbox.take();
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(std::get<BytesEvent>(messages[0].event).bytes, std::vector<u8>{1});
  EXPECT_EQ(messages[1].sink, "com2");
  EXPECT_FALSE(inbox.has_messages());
}

TEST(Inbox, IsClosedWhenNoSourceAndNoMessageIsLeft) {
  Inbox inbox;
  EXPECT_TRUE(inbox.closed());
  inbox.add_source();
  EXPECT_FALSE(inbox.closed());
  inbox.post({"com1", BytesEvent{{1}}});
  inbox.remove_source();
  EXPECT_FALSE(inbox.closed());
  inbox.take();
  EXPECT_TRUE(inbox.closed());
}

TEST(Inbox, WaitReturnsWhenAnotherThreadPosts) {
  Inbox inbox;
  std::thread poster([&] { inbox.post({"com1", BytesEvent{{7}}}); });
  inbox.wait(std::chrono::seconds(30));
  poster.join();
  EXPECT_TRUE(inbox.has_messages());
}

TEST(Inbox, WakeEndsAWaitWithoutAMessage) {
  Inbox inbox;
  inbox.wake();
  inbox.wait(std::chrono::seconds(30));
  EXPECT_FALSE(inbox.has_messages());
}

}  // namespace
}  // namespace reprise::machine
