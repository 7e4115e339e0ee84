#include "machine/board/irq_router.h"

#include <gtest/gtest.h>

#include <string>

namespace reprise::machine {
namespace {

struct Recorder final : IrqSink {
  std::string events;
  void set_irq(unsigned line, bool level) override { events += std::to_string(line) + (level ? "+ " : "- "); }
};

TEST(IrqRouter, IsaLinesReachBothControllersAndLineZeroMoves) {
  Recorder pic, ioapic;
  IrqRouter router(pic, ioapic);
  const IrqLine pit = router.isa_source(kIrqPit);
  const IrqLine com1 = router.isa_source(kIrqCom1);
  pit.pulse();
  com1.set(true);
  EXPECT_EQ(pic.events, "0+ 0- 4+ ");
  EXPECT_EQ(ioapic.events, "2+ 2- 4+ ");
}

TEST(IrqRouter, SharedLinesAreTheOrOfTheirSources) {
  Recorder pic, ioapic;
  IrqRouter router(pic, ioapic);
  const IrqLine a = router.isa_source(9);
  const IrqLine b = router.isa_source(9);
  a.set(true);
  b.set(true);
  a.set(false);
  EXPECT_EQ(pic.events, "9+ ");
  b.set(false);
  EXPECT_EQ(pic.events, "9+ 9- ");
}

TEST(IrqRouter, PirqsReachTheIoapicAlone) {
  Recorder pic, ioapic;
  IrqRouter router(pic, ioapic);
  router.pirq_source(3).set(true);
  EXPECT_EQ(pic.events, "");
  EXPECT_EQ(ioapic.events, "19+ ");
}

TEST(IrqRouter, LevelsSurviveASave) {
  Recorder pic, ioapic;
  IrqRouter router(pic, ioapic);
  const IrqLine a = router.isa_source(5);
  router.isa_source(5);
  a.set(true);
  Archive saved;
  router.serialize(saved);
  IrqRouter other(pic, ioapic);
  const IrqLine other_a = other.isa_source(5);
  const IrqLine other_b = other.isa_source(5);
  Archive load(saved.bytes());
  other.serialize(load);
  ASSERT_TRUE(load.ok());
  pic.events.clear();
  other_b.set(true);
  EXPECT_EQ(pic.events, "") << "the line was high already";
  other_b.set(false);
  other_a.set(false);
  EXPECT_EQ(pic.events, "5- ");
}

}  // namespace
}  // namespace reprise::machine
