// Functions of one instruction (RET), called in turn: more code than an engine can keep, if there are many or each has a
// page of its own. docs/performance.md has the commands.
#include "runtime/guest.h"

#ifndef FUNCTIONS
#define FUNCTIONS 1000000
#define SPACING 16
#define ROUNDS 40
#endif

void test_main(void) {
  u8* const code = (u8*)0x4000000;
  for (u64 i = 0; i < FUNCTIONS; ++i) code[i * SPACING] = 0xc3;
  for (u64 round = 0; round < ROUNDS; ++round)
    for (u64 i = 0; i < FUNCTIONS; ++i) ((void (*)(void))(code + i * SPACING))();
  check(1, "every function has returned");
}
