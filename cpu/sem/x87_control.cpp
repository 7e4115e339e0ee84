// x87 control, environment and stack management. SDM 2A/2B; memory images: SDM 1 8.1.10, figures 8-9 to 8-12.
// Real-address images hold FIP and FDP as they are, without a segment: FCS and FDS are deprecated.
#include "cpu/sem/shapes.h"
#include "cpu/sem/x87.h"

namespace reprise::cpu {
namespace {

using namespace x87;

void initialise(X87& fpu) {
  fpu.fcw = kFcwInit;
  fpu.fsw = 0;
  fpu.valid = 0;
  fpu.fop = 0;
  fpu.fip = fpu.fdp = 0;
  fpu.fcs = fpu.fds = 0;
}

void load_control(X87& fpu, u16 fcw) {
  fpu.fcw = static_cast<u16>((fcw & kFcwWritable) | kFcwFixed);
  update_summary(fpu);
}

Status sem_fninit(Cpu& cpu, const Insn&) {
  initialise(cpu.state.x87);
  return Status::Next;
}

Status sem_fnclex(Cpu& cpu, const Insn&) {
  X87& fpu = cpu.state.x87;
  fpu.fsw = static_cast<u16>(fpu.fsw & ~(sf::kAllExceptions | kFswSf | kFswEs | kFswB));
  return Status::Next;
}

Status sem_fldcw(Cpu& cpu, const Insn& in) {
  if (exception_pending(cpu)) return report_pending(cpu);
  u16 fcw;
  if (!load_operand(cpu, in, fcw)) return Status::Fault;
  const u16 fsw_before = cpu.state.x87.fsw;
  load_control(cpu.state.x87, fcw);
  signal_new_exception(cpu, fsw_before);
  return Status::Next;
}

Status sem_fnstcw(Cpu& cpu, const Insn& in) {
  return store_operand<u16>(cpu, in, cpu.state.x87.fcw) ? Status::Next : Status::Fault;
}

Status sem_fnstsw(Cpu& cpu, const Insn& in) {
  if (in.form == Form::R) {
    set_gpr<u16>(cpu.state, in.reg[0], cpu.state.x87.fsw);
    return Status::Next;
  }
  return store_operand<u16>(cpu, in, cpu.state.x87.fsw) ? Status::Next : Status::Fault;
}

// --- Environment images
// -------------------------------------------------------------------------------------------

/// Two bits a physical register: valid, zero, special, empty. SDM 1 8.1.7.
u16 full_tag_word(const X87& fpu) {
  u16 tags = 0;
  for (unsigned i = 0; i < 8; ++i) {
    unsigned tag = 3;
    if (bit(fpu.valid, i)) {
      const sf::Kind kind = Extended80::unpack({fpu.st[i].significand, fpu.st[i].sign_exponent}).kind;
      tag = kind == sf::Kind::Normal ? 0 : kind == sf::Kind::Zero ? 1 : 2;
    }
    tags = static_cast<u16>(tags | (tag << (2 * i)));
  }
  return tags;
}

/// Only the empty tag matters when loaded.
u8 valid_of_tag_word(u16 tags) {
  u8 valid = 0;
  for (unsigned i = 0; i < 8; ++i)
    if (((tags >> (2 * i)) & 3) != 3) valid = static_cast<u8>(valid | (1u << i));
  return valid;
}

constexpr unsigned kEnv32Bytes = 28;
constexpr unsigned kEnv16Bytes = 14;
constexpr unsigned kRegistersBytes = 80;

unsigned env_bytes(const Insn& in) { return in.operand_bytes == 2 ? kEnv16Bytes : kEnv32Bytes; }
bool protected_format(const Cpu& cpu) { return cpu.mode.has(ModeKey::kProtected); }

void put16(u8* image, unsigned word, u16 value) { write_unaligned<u16>(image + 2 * word, value); }
u16 get16(const u8* image, unsigned word) { return read_unaligned<u16>(image + 2 * word); }

void write_env(const Cpu& cpu, const Insn& in, u8* image) {
  const X87& fpu = cpu.state.x87;
  const u32 fip = static_cast<u32>(fpu.fip);
  const u32 fdp = static_cast<u32>(fpu.fdp);
  if (env_bytes(in) == kEnv16Bytes) {
    put16(image, 0, fpu.fcw);
    put16(image, 1, fpu.fsw);
    put16(image, 2, full_tag_word(fpu));
    put16(image, 3, static_cast<u16>(fip));
    put16(image, 5, static_cast<u16>(fdp));
    if (protected_format(cpu)) {
      put16(image, 4, 0);
      put16(image, 6, 0);
    } else {
      put16(image, 4, static_cast<u16>((fip >> 16 & 0xf) << 12 | fpu.fop));
      put16(image, 6, static_cast<u16>((fdp >> 16 & 0xf) << 12));
    }
    return;
  }
  // Each field takes four bytes; the unused halves are ones.
  std::memset(image, 0xff, kEnv32Bytes);
  put16(image, 0, fpu.fcw);
  put16(image, 2, fpu.fsw);
  put16(image, 4, full_tag_word(fpu));
  if (protected_format(cpu)) {
    write_unaligned<u32>(image + 12, fip);
    write_unaligned<u32>(image + 16, static_cast<u32>(fpu.fop) << 16);
    write_unaligned<u32>(image + 20, fdp);
    put16(image, 12, 0);
  } else {
    put16(image, 6, static_cast<u16>(fip));
    write_unaligned<u32>(image + 16, (fip >> 16) << 12 | fpu.fop);
    put16(image, 10, static_cast<u16>(fdp));
    write_unaligned<u32>(image + 24, (fdp >> 16) << 12);
  }
}

void read_env(Cpu& cpu, const Insn& in, const u8* image) {
  X87& fpu = cpu.state.x87;
  const bool narrow = env_bytes(in) == kEnv16Bytes;
  const unsigned stride = narrow ? 1 : 2;
  fpu.fsw = get16(image, stride);
  fpu.valid = valid_of_tag_word(get16(image, 2 * stride));
  fpu.fcs = fpu.fds = 0;
  if (narrow) {
    const u16 high = get16(image, 4);
    fpu.fip = get16(image, 3);
    fpu.fdp = get16(image, 5);
    fpu.fop = 0;
    if (!protected_format(cpu)) {
      fpu.fip |= static_cast<u64>(high >> 12) << 16;
      fpu.fdp |= static_cast<u64>(get16(image, 6) >> 12) << 16;
      fpu.fop = high & 0x7ff;
    }
  } else if (protected_format(cpu)) {
    fpu.fip = read_unaligned<u32>(image + 12);
    fpu.fop = get16(image, 9) & 0x7ff;
    fpu.fdp = read_unaligned<u32>(image + 20);
  } else {
    const u32 high = read_unaligned<u32>(image + 16);
    fpu.fip = get16(image, 6) | (static_cast<u64>(high >> 12 & 0xffff) << 16);
    fpu.fop = high & 0x7ff;
    fpu.fdp = get16(image, 10) | (static_cast<u64>(read_unaligned<u32>(image + 24) >> 12 & 0xffff) << 16);
  }
  load_control(fpu, get16(image, 0));
}

// The first field is accessed first, the last byte next: that decides between page faults and the end of the canonical range,
// and what CR2 says.
u64 field_bytes(const Insn& in) { return in.operand_bytes == 2 ? 2 : 4; }

Status load_image(Cpu& cpu, const Insn& in, std::span<u8> image) {
  u64 linear;
  if (!data_linear(cpu, in, image.size(), mmu::Access::Read, linear)) return Status::Fault;
  const bool loaded = cpu.mmu.probe_read(linear, field_bytes(in)) &&
                      cpu.mmu.probe_read(linear + image.size() - 1, 1) && cpu.mmu.load_bytes(linear, image);
  return loaded ? Status::Next : cpu.memory_fault(in.has(Insn::kStackSegment));
}
Status store_image(Cpu& cpu, const Insn& in, std::span<const u8> image) {
  u64 linear;
  if (!data_linear(cpu, in, image.size(), mmu::Access::Write, linear)) return Status::Fault;
  const bool stored = cpu.mmu.probe_write(linear, field_bytes(in)) &&
                      cpu.mmu.probe_write(linear + image.size() - 1, 1) && cpu.mmu.store_bytes(linear, image);
  return stored ? Status::Next : cpu.memory_fault(in.has(Insn::kStackSegment));
}

Status sem_fldenv(Cpu& cpu, const Insn& in) {
  if (exception_pending(cpu)) return report_pending(cpu);
  u8 image[kEnv32Bytes];
  if (load_image(cpu, in, {image, env_bytes(in)}) != Status::Next) return Status::Fault;
  const u16 fsw_before = cpu.state.x87.fsw;
  read_env(cpu, in, image);
  signal_new_exception(cpu, fsw_before);
  return Status::Next;
}

Status sem_fnstenv(Cpu& cpu, const Insn& in) {
  u8 image[kEnv32Bytes];
  write_env(cpu, in, image);
  if (store_image(cpu, in, {image, env_bytes(in)}) != Status::Next) return Status::Fault;
  cpu.state.x87.fcw |= sf::kAllExceptions;
  update_summary(cpu.state.x87);
  return Status::Next;
}

Status sem_frstor(Cpu& cpu, const Insn& in) {
  if (exception_pending(cpu)) return report_pending(cpu);
  u8 image[kEnv32Bytes + kRegistersBytes];
  const unsigned env = env_bytes(in);
  if (load_image(cpu, in, {image, env + kRegistersBytes}) != Status::Next) return Status::Fault;
  const u16 fsw_before = cpu.state.x87.fsw;
  read_env(cpu, in, image);
  signal_new_exception(cpu, fsw_before);
  X87& fpu = cpu.state.x87;
  for (unsigned i = 0; i < 8; ++i) {
    const u8* from = image + env + 10 * i;
    fpu.st[(fpu.top() + i) & 7] = {read_unaligned<u64>(from), read_unaligned<u16>(from + 8)};
  }
  return Status::Next;
}

Status sem_fnsave(Cpu& cpu, const Insn& in) {
  u8 image[kEnv32Bytes + kRegistersBytes];
  const unsigned env = env_bytes(in);
  write_env(cpu, in, image);
  X87& fpu = cpu.state.x87;
  for (unsigned i = 0; i < 8; ++i) {
    const Float80& reg = fpu.st[(fpu.top() + i) & 7];
    write_unaligned<u64>(image + env + 10 * i, reg.significand);
    write_unaligned<u16>(image + env + 10 * i + 8, reg.sign_exponent);
  }
  if (store_image(cpu, in, {image, env + kRegistersBytes}) != Status::Next) return Status::Fault;
  initialise(fpu);
  return Status::Next;
}

// --- Stack management
// ---------------------------------------------------------------------------------------------

template <Pops pops>
Status sem_ffree(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  x.free(in.reg[0]);
  if (pops == Pops::Once) x.pop();
  return x.done();
}

Status sem_fincstp(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  x.move_top(x.fpu.top() + 1);
  return x.done();
}

Status sem_fdecstp(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  x.move_top(x.fpu.top() - 1);
  return x.done();
}

Status sem_fnop(Cpu& cpu, const Insn& in) {
  Operation x(cpu, in);
  if (x.pending()) return x.raise_pending();
  return x.done_keeping_c1();
}

Status sem_fwait(Cpu& cpu, const Insn&) {
  return exception_pending(cpu) ? report_pending(cpu) : Status::Next;
}

}  // namespace

#define ROWS "cpu/insn/x87_control.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
