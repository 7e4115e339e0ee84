#include "devices/irq/pic8259.h"

#include <fmt/format.h>

#include <bit>

namespace reprise::devices {
namespace {

// ICW1, datasheet figure 7.
constexpr u8 kIcw1Select = 0x10;
constexpr u8 kIcw1Single = 0x02;
constexpr u8 kIcw1Icw4Needed = 0x01;
// ICW4.
constexpr u8 kIcw4SpecialFullyNested = 0x10;
constexpr u8 kIcw4AutoEoi = 0x02;
// OCW3, datasheet figure 8.
constexpr u8 kOcw3Select = 0x08;
constexpr u8 kOcw3SpecialMaskEnable = 0x40;
constexpr u8 kOcw3SpecialMask = 0x20;
constexpr u8 kOcw3Poll = 0x04;
constexpr u8 kOcw3ReadEnable = 0x02;
constexpr u8 kOcw3ReadIsr = 0x01;
// Answer to a poll.
constexpr u8 kPollRequest = 0x80;

// Inputs that PIIX keeps edge-triggered: IRQ0, 1, 2 and 8, 13.
constexpr u8 kMasterElcrMask = 0xf8;
constexpr u8 kSlaveElcrMask = 0xde;

constexpr u8 one(unsigned input) { return static_cast<u8>(1u << input); }

}  // namespace

unsigned Pic8259::best_rank(u8 inputs) const {
  const u8 by_rank = std::rotr(inputs, first_input_);
  return by_rank ? static_cast<unsigned>(std::countr_zero(by_rank)) : kNone;
}

unsigned Pic8259::winner() const {
  if (expect_ != Expect::Ocw1) return kNone;
  u8 in_service = isr_;
  if (special_mask_) in_service &= static_cast<u8>(~imr_);
  if (special_fully_nested_ && role_ == Role::Master) in_service &= static_cast<u8>(~one(2));
  const unsigned rank = best_rank(irr_ & static_cast<u8>(~imr_));
  return rank < best_rank(in_service) ? input_of_rank(rank) : kNone;
}

void Pic8259::set_input(unsigned input, bool level) {
  const u8 mask = one(input & 7);
  const bool was = (lines_ & mask) != 0;
  if (level) {
    lines_ |= mask;
    if (!was || (elcr_ & mask)) irr_ |= mask;
    if (winner() != kNone) withdrawn_ = 0;
    return;
  }
  const bool asserted = winner() != kNone;
  drop_input(input);
  if (asserted && winner() == kNone) withdrawn_ |= mask;
}

void Pic8259::drop_input(unsigned input) {
  const u8 mask = one(input & 7);
  lines_ &= static_cast<u8>(~mask);
  irr_ &= static_cast<u8>(~mask);
}

unsigned Pic8259::acknowledge() {
  const unsigned input = winner();
  withdrawn_ = 0;
  if (input == kNone) return 7;
  const u8 mask = one(input);
  if (!(elcr_ & mask)) irr_ &= static_cast<u8>(~mask);
  if (!auto_eoi_) {
    isr_ |= mask;
  } else if (rotate_on_auto_eoi_) {
    first_input_ = (input + 1) & 7;
  }
  return input;
}

u8 Pic8259::read(unsigned a0) {
  if (poll_) {
    poll_ = false;
    if (winner() != kNone) return static_cast<u8>(kPollRequest | acknowledge());
    withdrawn_ = 0;
    return 0;
  }
  if (a0 & 1) return imr_;
  return read_isr_ ? isr_ : irr_;
}

void Pic8259::write(unsigned a0, u8 value) {
  if (!(a0 & 1)) {
    if (value & kIcw1Select)
      write_icw1(value);
    else if (value & kOcw3Select)
      write_ocw3(value);
    else
      write_ocw2(value);
    return;
  }
  switch (expect_) {
    case Expect::Ocw1:
      imr_ = value;
      withdrawn_ &= static_cast<u8>(~imr_);
      break;
    case Expect::Icw2:
      vector_base_ = value & 0xf8;
      if (!single_)
        expect_ = Expect::Icw3;
      else
        expect_ = icw4_needed_ ? Expect::Icw4 : Expect::Ocw1;
      break;
    case Expect::Icw3:  // the cascade is wired: its description is taken as read
      expect_ = icw4_needed_ ? Expect::Icw4 : Expect::Ocw1;
      break;
    case Expect::Icw4:
      special_fully_nested_ = (value & kIcw4SpecialFullyNested) != 0;
      auto_eoi_ = (value & kIcw4AutoEoi) != 0;
      expect_ = Expect::Ocw1;
      break;
  }
}

// Datasheet, "Initialization Command Words 1 and 2": what ICW1 does by itself.
void Pic8259::write_icw1(u8 value) {
  irr_ = lines_ & elcr_;  // edge sense starts over
  withdrawn_ = 0;
  isr_ = 0;
  imr_ = 0;
  first_input_ = 0;
  special_mask_ = false;
  read_isr_ = false;
  poll_ = false;
  auto_eoi_ = false;
  rotate_on_auto_eoi_ = false;
  special_fully_nested_ = false;
  single_ = (value & kIcw1Single) != 0;
  icw4_needed_ = (value & kIcw1Icw4Needed) != 0;
  expect_ = Expect::Icw2;
}

void Pic8259::end_of_interrupt(unsigned input, bool rotate) {
  isr_ &= static_cast<u8>(~one(input));
  if (rotate) first_input_ = (input + 1) & 7;
}

void Pic8259::write_ocw2(u8 value) {
  const unsigned level = value & 7;
  switch (value >> 5) {  // R, SL, EOI
    case 0b000: rotate_on_auto_eoi_ = false; break;
    case 0b100: rotate_on_auto_eoi_ = true; break;
    case 0b001:    // non-specific EOI
    case 0b101: {  // rotate on non-specific EOI
      // In special mask mode masked in-service bits are not cleared by a non-specific EOI.
      const unsigned rank = best_rank(special_mask_ ? isr_ & static_cast<u8>(~imr_) : isr_);
      if (rank != kNone) end_of_interrupt(input_of_rank(rank), (value & 0x80) != 0);
      break;
    }
    case 0b011: end_of_interrupt(level, false); break;
    case 0b111: end_of_interrupt(level, true); break;
    case 0b110: first_input_ = (level + 1) & 7; break;  // `level` becomes the lowest
    default: break;                                     // 010: no operation
  }
}

void Pic8259::write_ocw3(u8 value) {
  if (value & kOcw3SpecialMaskEnable) special_mask_ = (value & kOcw3SpecialMask) != 0;
  if (value & kOcw3Poll) {
    poll_ = true;
  } else if (value & kOcw3ReadEnable) {
    read_isr_ = (value & kOcw3ReadIsr) != 0;
  }
}

void Pic8259::set_elcr(u8 value) {
  const u8 old = elcr_;
  elcr_ = value & elcr_mask_;
  const u8 now_level = elcr_ & static_cast<u8>(~old);
  irr_ = static_cast<u8>((irr_ & ~now_level) | (lines_ & now_level));
}

void Pic8259::reset() {
  const u8 lines = lines_;
  *this = Pic8259(role_, elcr_mask_);
  lines_ = lines;
}

void Pic8259::serialize(Archive& archive) {
  archive.value(lines_);
  archive.value(irr_);
  archive.value(withdrawn_);
  archive.value(isr_);
  archive.value(imr_);
  archive.value(elcr_);
  archive.value(vector_base_);
  archive.value(first_input_);
  archive.at_most(expect_, Expect::Icw4);
  archive.value(icw4_needed_);
  archive.value(single_);
  archive.value(auto_eoi_);
  archive.value(rotate_on_auto_eoi_);
  archive.value(special_fully_nested_);
  archive.value(special_mask_);
  archive.value(read_isr_);
  archive.value(poll_);
  first_input_ &= 7;
}

std::string Pic8259::debug_dump() const {
  return fmt::format("irr={:02x} isr={:02x} imr={:02x} elcr={:02x} base={:02x} first={}{}{}{}\n", irr_, isr_,
                     imr_, elcr_, vector_base_, first_input_, auto_eoi_ ? " auto-eoi" : "",
                     special_mask_ ? " special-mask" : "", withdrawn_ ? " withdrawn" : "");
}

Pic8259Pair::Pic8259Pair(IrqLine intr)
    : intr_(intr),
      master_(Pic8259::Role::Master, kMasterElcrMask),
      slave_(Pic8259::Role::Slave, kSlaveElcrMask),
      master_ports_(*this, &Pic8259Pair::read_master, &Pic8259Pair::write_master),
      slave_ports_(*this, &Pic8259Pair::read_slave, &Pic8259Pair::write_slave),
      elcr_ports_(*this, &Pic8259Pair::read_elcr, &Pic8259Pair::write_elcr) {}

void Pic8259Pair::update_irq() {
  if (slave_.output())
    master_.set_input(kCascadeInput, true);
  else
    master_.drop_input(kCascadeInput);  // what is withdrawn there still holds its INT
  intr_.set(master_.output());
}

void Pic8259Pair::set_irq(unsigned line, bool level) {
  if (line == kCascadeInput || line > 15) return;
  if (line < 8)
    master_.set_input(line, level);
  else
    slave_.set_input(line - 8, level);
  update_irq();
}

u8 Pic8259Pair::acknowledge_ext_int() {
  const unsigned input = master_.acknowledge();
  u8 vector = master_.vector(input);
  if (input == kCascadeInput) {
    vector = slave_.vector(slave_.acknowledge());
    // INT of the slave falls with INTA, and rises again for the next request.
    master_.drop_input(kCascadeInput);
  }
  update_irq();
  return vector;
}

u32 Pic8259Pair::read_master(u16 offset, Width) {
  const u8 value = master_.read(offset);
  update_irq();
  return value;
}

void Pic8259Pair::write_master(u16 offset, Width, u32 value) {
  master_.write(offset, static_cast<u8>(value));
  update_irq();
}

u32 Pic8259Pair::read_slave(u16 offset, Width) {
  const u8 value = slave_.read(offset);
  update_irq();
  return value;
}

void Pic8259Pair::write_slave(u16 offset, Width, u32 value) {
  slave_.write(offset, static_cast<u8>(value));
  update_irq();
}

u32 Pic8259Pair::read_elcr(u16 offset, Width) { return offset & 1 ? slave_.elcr() : master_.elcr(); }

void Pic8259Pair::write_elcr(u16 offset, Width, u32 value) {
  (offset & 1 ? slave_ : master_).set_elcr(static_cast<u8>(value));
  update_irq();
}

void Pic8259Pair::reset(ResetKind) {
  master_.reset();
  slave_.reset();
  update_irq();
}

void Pic8259Pair::serialize(Archive& archive) {
  archive.tag("pic8259");
  master_.serialize(archive);
  slave_.serialize(archive);
}

std::string Pic8259Pair::debug_dump() const {
  return "master " + master_.debug_dump() + "slave  " + slave_.debug_dump();
}

}  // namespace reprise::devices
