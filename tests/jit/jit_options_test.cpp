// Lists of passes and dumps.
#include "jit/jit_options.h"

#include <gtest/gtest.h>

namespace reprise::jit {
namespace {

TEST(JitOptions, PassesAndDumpsByName) {
  for (unsigned i = 0; i < kPassNames.size(); ++i) {
    const Result<PassSet> one = parse_passes(kPassNames[i]);
    ASSERT_TRUE(one.ok());
    for (unsigned k = 0; k < kPassNames.size(); ++k) EXPECT_EQ(one.value().has(static_cast<Pass>(k)), i == k);
  }
  EXPECT_EQ(parse_passes("all").value(), PassSet::all());
  EXPECT_FALSE(parse_passes("").ok());
  EXPECT_FALSE(parse_passes("groups,,flags").ok());
  EXPECT_EQ(parse_dump("guest,host").value(), 5);
  EXPECT_FALSE(parse_dump("Guest").ok());
}

}  // namespace
}  // namespace reprise::jit
