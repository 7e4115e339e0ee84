#include "machine/clock/scheduler.h"

#include <gtest/gtest.h>

namespace reprise::machine {
namespace {

struct Counter final : RetiredCounter {
  u64 retired = 0;
  u64 retired_now() const override { return retired; }
};

struct SchedulerTest : testing::Test {
  Counter counter;
  Scheduler scheduler{counter};
  std::string order;
  Clock::TimerId timer(char name) {
    return scheduler.create_timer(std::string(1, name), [this, name] { order += name; });
  }
};

TEST_F(SchedulerTest, OneInstructionIsOneNanosecond) {
  counter.retired = 12345;
  EXPECT_EQ(scheduler.now_ns(), 12345u);
}

TEST_F(SchedulerTest, EventsRunByDeadlineThenByArmingOrder) {
  const auto a = timer('a'), b = timer('b'), c = timer('c');
  scheduler.arm(c, 20);
  scheduler.arm(b, 10);
  scheduler.arm(a, 20);
  counter.retired = 9;
  EXPECT_EQ(scheduler.run_due(), 0u);
  counter.retired = 100;
  EXPECT_EQ(scheduler.run_due(), 3u);
  EXPECT_EQ(order, "bca");
  EXPECT_EQ(scheduler.next_deadline_ns(), Clock::kNever);
}

TEST_F(SchedulerTest, ArmingAgainReplacesDeadlineAndOrder) {
  const auto a = timer('a'), b = timer('b');
  scheduler.arm(a, 10);
  scheduler.arm(b, 10);
  scheduler.arm(a, 10);
  counter.retired = 10;
  scheduler.run_due();
  EXPECT_EQ(order, "ba");
}

// One that is armed again for now waits for the next call, also when the call was interrupted in between.
TEST_F(SchedulerTest, WhatIsDueCanBeInterrupted) {
  const auto b = timer('b'), c = timer('c'), d = timer('d');
  Clock::TimerId a = 0;
  a = scheduler.create_timer("a", [&] {
    order += 'a';
    if (order.size() < 3) scheduler.arm(a, 10);
  });
  for (const auto one : {a, b, c, d}) scheduler.arm(one, 10);
  counter.retired = 10;
  unsigned ran = 0;
  EXPECT_FALSE(scheduler.run_due_until([&] { ++ran; }, [&] { return ran == 2; }));
  EXPECT_EQ(order, "ab");
  EXPECT_TRUE(scheduler.amid_due());
  scheduler.cancel(d);
  // As a checkpoint has it.
  Archive saved;
  scheduler.serialize_timers(saved);
  scheduler.serialize_amid(saved);
  EXPECT_TRUE(scheduler.run_due_until([&] { ++ran; }, [] { return false; }));
  EXPECT_EQ(order, "abc");
  EXPECT_FALSE(scheduler.amid_due());
  Archive loaded(saved.bytes());
  scheduler.serialize_timers(loaded);
  scheduler.serialize_amid(loaded);
  ASSERT_TRUE(loaded.ok());
  EXPECT_TRUE(scheduler.amid_due());
  EXPECT_EQ(scheduler.run_due(), 1u);
  EXPECT_EQ(order, "abcc");
  EXPECT_EQ(scheduler.run_due(), 1u);
  EXPECT_EQ(order, "abcca");
}

TEST_F(SchedulerTest, WhatIsDueSaysSinceWhenItWas) {
  std::vector<std::optional<u64>> since;
  const auto a = scheduler.create_timer("a", [&] { since.push_back(scheduler.due_since_retired()); });
  counter.retired = 7;
  scheduler.arm(a, 20);
  EXPECT_EQ(scheduler.due_since_retired(), std::nullopt);
  Archive timers, checkpoint;
  scheduler.serialize_timers(timers);
  scheduler.serialize_timers(checkpoint);
  scheduler.serialize_amid(checkpoint);
  counter.retired = 20;
  scheduler.run_due();
  EXPECT_EQ(scheduler.due_since_retired(), std::nullopt);
  // A checkpoint has it, the state of another process does not.
  Archive same(checkpoint.bytes()), other(timers.bytes());
  scheduler.serialize_timers(same);
  scheduler.serialize_amid(same);
  scheduler.run_due();
  scheduler.serialize_timers(other);
  scheduler.run_due();
  EXPECT_EQ(since, (std::vector<std::optional<u64>>{7, 7, std::nullopt}));
}

TEST_F(SchedulerTest, CancelledTimersStaySilent) {
  const auto a = timer('a');
  scheduler.arm(a, 5);
  EXPECT_EQ(scheduler.deadline_ns(a), 5u);
  scheduler.cancel(a);
  EXPECT_EQ(scheduler.deadline_ns(a), Clock::kNever);
  counter.retired = 10;
  EXPECT_EQ(scheduler.run_due(), 0u);
}

TEST_F(SchedulerTest, BudgetEndsAtTheNextDeadline) {
  const auto a = timer('a');
  EXPECT_EQ(scheduler.budget(1000), 1000u);
  counter.retired = 50;
  scheduler.arm(a, 80);
  EXPECT_EQ(scheduler.budget(1000), 30u);
  EXPECT_EQ(scheduler.budget(7), 7u);
  counter.retired = 90;
  EXPECT_EQ(scheduler.budget(1000), 1u) << "a deadline in the past fires after one instruction";
}

TEST_F(SchedulerTest, TellsWhenTheNextDeadlineComesCloser) {
  unsigned moved = 0;
  Scheduler watched(counter, [&] { ++moved; });
  const auto a = watched.create_timer("a", [] {}), b = watched.create_timer("b", [] {});
  watched.arm(a, 100);
  EXPECT_EQ(moved, 1u);
  watched.arm(b, 200);
  EXPECT_EQ(moved, 1u);
  watched.arm(b, 50);
  EXPECT_EQ(moved, 2u);
  watched.arm(b, 300);
  EXPECT_EQ(moved, 2u);
}

TEST_F(SchedulerTest, ATimerThatAlwaysArmsItselfInThePastCannotStopTime) {
  Clock::TimerId id = 0;
  unsigned fired = 0;
  id = scheduler.create_timer("storm", [&] {
    ++fired;
    scheduler.arm(id, 0);
  });
  scheduler.arm(id, 0);
  EXPECT_EQ(scheduler.run_due(), 1u);
  EXPECT_EQ(scheduler.run_due(), 1u);
  EXPECT_EQ(fired, 2u);
}

TEST_F(SchedulerTest, ACallbackMayArmAnEarlierOne) {
  const auto b = timer('b');
  const auto a = scheduler.create_timer("a", [&] { scheduler.arm(b, 3); });
  scheduler.arm(a, 5);
  counter.retired = 5;
  scheduler.run_due();
  EXPECT_EQ(order, "");
  scheduler.run_due();
  EXPECT_EQ(order, "b");
}

TEST_F(SchedulerTest, IdleTimeIsSkippedAndRemembered) {
  counter.retired = 100;
  scheduler.skip_to(1000);
  EXPECT_EQ(scheduler.now_ns(), 1000u);
  EXPECT_EQ(scheduler.idle_ns(), 900u);
  scheduler.skip_to(500);
  EXPECT_EQ(scheduler.now_ns(), 1000u) << "time never goes back";
  scheduler.skip_to(Clock::kNever);
  EXPECT_EQ(scheduler.now_ns(), 1000u);

  Archive saved;
  scheduler.serialize_time(saved);
  Scheduler other(counter);
  Archive load(saved.bytes());
  other.serialize_time(load);
  EXPECT_EQ(other.now_ns(), 1000u);
}

TEST_F(SchedulerTest, ArmingOrderSurvivesASave) {
  const auto a = timer('a'), b = timer('b');
  scheduler.arm(b, 10);
  scheduler.arm(a, 10);
  Archive saved;
  scheduler.serialize_timers(saved);

  Scheduler other(counter);
  std::string other_order;
  const auto other_a = other.create_timer("a", [&] { other_order += 'a'; });
  const auto other_b = other.create_timer("b", [&] { other_order += 'b'; });
  other.arm(other_a, 10);  // as devices do when they load: in their own order
  other.arm(other_b, 10);
  Archive load(saved.bytes());
  other.serialize_timers(load);
  ASSERT_TRUE(load.ok());
  counter.retired = 10;
  EXPECT_EQ(other.run_due(), 2u);
  EXPECT_EQ(other_order, "ba");
}

}  // namespace
}  // namespace reprise::machine
