#include "jit/x64/guest_registers.h"

namespace reprise::jit::x64 {

Gp GuestRegisters::fetched(unsigned gpr, unsigned bytes, const Gp& scratch) {
  if (pinned(gpr)) return reg(gpr, bytes);
  const CountAs move(a_, HostInsn::Move);
  const Gp value = host_gp(scratch.id(), bytes);
  // Loading the whole register is never slower and avoids a false dependency.
  a_.mov(host_gp(scratch.id(), 8), slot(gpr, 8));
  return value;
}

void GuestRegisters::assign(unsigned gpr, unsigned bytes, const Gp& value) {
  const CountAs move(a_, HostInsn::Move);
  if (pinned(gpr)) {
    a_.mov(reg(gpr, bytes), value);
  } else if (bytes == 4) {
    // Whoever made a 32-bit value in a register cleared the rest of it.
    a_.mov(slot(gpr, 8), host_gp(value.id(), 8));
  } else if (bytes == 8) {
    a_.mov(slot(gpr, 8), value);
  } else {
    // All of the slot is stored: a wider load soon after a narrow store would wait for it to reach the cache.
    const Gp& whole = value.id() == kScratch1.id() ? kScratch0 : kScratch1;
    a_.mov(whole, slot(gpr, 8));
    a_.mov(host_gp(whole.id(), bytes), value);
    a_.mov(slot(gpr, 8), whole);
  }
}

void GuestRegisters::load_rip(i32 page_offset) {
  a_.mov(kScratch0, page_base());
  a_.lea(scratch0(word_bytes_), x86::ptr(kScratch0, page_offset));
}

void GuestRegisters::set_rip(u16 page_offset) {
  load_rip(page_offset);
  a_.mov(rip(), kScratch0);
}

}  // namespace reprise::jit::x64
