#include "machine/gdb/registers.h"

#include <fmt/format.h>

#include <cstring>

#include "common/bits.h"
#include "cpu/state/x87_bits.h"
#include "cpu/system/loaded_state.h"

namespace reprise::machine::gdb {
namespace {

using cpu::CpuState;

constexpr std::string_view kCore = "org.gnu.gdb.i386.core";
constexpr std::string_view kSse = "org.gnu.gdb.i386.sse";
constexpr std::string_view kAvx = "org.gnu.gdb.i386.avx";
constexpr std::string_view kSegments = "org.gnu.gdb.i386.segments";
// Our own: gdb shows what it does not know.
constexpr std::string_view kSystem = "org.reprise.system";

template <class T>
void put(u8* into, T value) {
  std::memcpy(into, &value, sizeof value);
}
template <class T>
T taken(const u8* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

const CpuState& state_of(const Processor& processor) { return processor.cpu.state; }

/// Base of CS where rip is not the linear address.
u64 code_base(const CpuState& state) { return cpu::mode_key(state).is64() ? 0 : state.seg[cpu::CS].base; }

/// gdb's order of general registers, and that of segments.
constexpr cpu::Gpr kGprs[] = {cpu::RAX, cpu::RBX, cpu::RCX, cpu::RDX, cpu::RSI, cpu::RDI, cpu::RBP, cpu::RSP,
                              cpu::R8,  cpu::R9,  cpu::R10, cpu::R11, cpu::R12, cpu::R13, cpu::R14, cpu::R15};
constexpr std::string_view kGprNames[] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
                                          "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
constexpr cpu::SegmentIndex kSegs[] = {cpu::CS, cpu::SS, cpu::DS, cpu::ES, cpu::FS, cpu::GS};
constexpr std::string_view kSegNames[] = {"cs", "ss", "ds", "es", "fs", "gs"};

bool refuse(CpuState&, unsigned, const u8*) { return false; }

/// Bits of a tag word: the x87 register of that number is empty or not. What else it says is made from the value.
u16 full_tag_word(const cpu::X87& x87) {
  u16 tags = 0;
  for (unsigned i = 0; i < 8; ++i) {
    const cpu::Float80& value = x87.st[i];
    const unsigned exponent = value.sign_exponent & 0x7fff;
    const bool integer_bit = value.significand >> 63 != 0;
    unsigned tag = 0;  // valid
    if ((x87.valid >> i & 1) == 0)
      tag = 3;  // empty
    else if (exponent == 0 && value.significand == 0)
      tag = 1;  // zero
    else if (exponent == 0x7fff || !integer_bit)
      tag = 2;  // special
    tags = static_cast<u16>(tags | tag << (2 * i));
  }
  return tags;
}

enum X87Word : unsigned { kFctrl, kFstat, kFtag, kFiseg, kFioff, kFoseg, kFooff, kFop };
constexpr std::string_view kX87Names[] = {"fctrl", "fstat", "ftag",  "fiseg",
                                          "fioff", "foseg", "fooff", "fop"};

void get_x87_word(const Processor& processor, unsigned index, u8* into) {
  const cpu::X87& x87 = state_of(processor).x87;
  u64 value = 0;
  switch (index) {
    case kFctrl: value = x87.fcw; break;
    case kFstat: value = x87.fsw; break;
    case kFtag: value = full_tag_word(x87); break;
    case kFiseg: value = x87.fip >> 32; break;
    case kFioff: value = x87.fip; break;
    case kFoseg: value = x87.fdp >> 32; break;
    case kFooff: value = x87.fdp; break;
    case kFop: value = x87.fop; break;
  }
  put(into, static_cast<u32>(value));
}

bool set_x87_word(CpuState& state, unsigned index, const u8* from) {
  cpu::X87& x87 = state.x87;
  const u32 value = taken<u32>(from);
  const auto low = [&](u64 old) { return (old & ~u64{0xffff'ffff}) | value; };
  const auto high = [&](u64 old) { return (old & 0xffff'ffff) | u64{value} << 32; };
  switch (index) {
    case kFctrl: x87.fcw = static_cast<u16>((value & cpu::kFcwWritable) | cpu::kFcwFixed); break;
    case kFstat: x87.fsw = static_cast<u16>(value); break;
    case kFtag:
      for (unsigned i = 0; i < 8; ++i) {
        const u8 bit = static_cast<u8>(1u << i);
        x87.valid = static_cast<u8>((value >> (2 * i) & 3) == 3 ? x87.valid & ~bit : x87.valid | bit);
      }
      break;
    case kFiseg: x87.fip = high(x87.fip); break;
    case kFioff: x87.fip = low(x87.fip); break;
    case kFoseg: x87.fdp = high(x87.fdp); break;
    case kFooff: x87.fdp = low(x87.fdp); break;
    case kFop: x87.fop = static_cast<u16>(value & 0x7ff); break;
  }
  cpu::x87::update_summary(x87);
  return true;
}

void get_st(const Processor& processor, unsigned index, u8* into) {
  const cpu::X87& x87 = state_of(processor).x87;
  const cpu::Float80& value = x87.st[(x87.top() + index) & 7];
  put(into, value.significand);
  put(into + 8, value.sign_exponent);
}
bool set_st(CpuState& state, unsigned index, const u8* from) {
  cpu::Float80& value = state.x87.st[(state.x87.top() + index) & 7];
  value.significand = taken<u64>(from);
  value.sign_exponent = taken<u16>(from + 8);
  return true;
}

/// `First` is the lane: 0 for XMM, 2 for the upper half of YMM.
template <unsigned First>
void get_vector(const Processor& processor, unsigned index, u8* into) {
  std::memcpy(into, &state_of(processor).ymm[index].qword[First], 16);
}
template <unsigned First>
bool set_vector(CpuState& state, unsigned index, const u8* from) {
  std::memcpy(&state.ymm[index].qword[First], from, 16);
  return true;
}

/// System registers that are plain numbers.
struct SystemRegister {
  std::string_view name;
  u64 CpuState::*field;
  std::string_view type;
};
constexpr SystemRegister kSystemRegisters[] = {
    {"cr0", &CpuState::cr0, "cr0_bits"},
    {"cr2", &CpuState::cr2, "data_ptr"},
    {"cr3", &CpuState::cr3, "int64"},
    {"cr4", &CpuState::cr4, "cr4_bits"},
    {"efer", &CpuState::efer, "efer_bits"},
    {"k_gs_base", &CpuState::kernel_gs_base, "data_ptr"},
    {"xcr0", &CpuState::xcr0, "int64"},
    {"star", &CpuState::star, "int64"},
    {"lstar", &CpuState::lstar, "code_ptr"},
    {"cstar", &CpuState::cstar, "code_ptr"},
    {"fmask", &CpuState::fmask, "int64"},
    {"sysenter_cs", &CpuState::sysenter_cs, "int64"},
    {"sysenter_esp", &CpuState::sysenter_esp, "data_ptr"},
    {"sysenter_eip", &CpuState::sysenter_eip, "code_ptr"},
    {"dr6", &CpuState::dr6, "int64"},
    {"dr7", &CpuState::dr7, "int64"},
};

void get_system(const Processor& processor, unsigned index, u8* into) {
  put(into, state_of(processor).*kSystemRegisters[index].field);
}
bool set_system(CpuState& state, unsigned index, const u8* from) {
  state.*kSystemRegisters[index].field = taken<u64>(from);
  return true;
}

void get_base(const Processor& processor, unsigned index, u8* into) {
  put(into, state_of(processor).seg[index].base);
}
bool set_base(CpuState& state, unsigned index, const u8* from) {
  state.seg[index].base = taken<u64>(from);
  return true;
}

std::vector<Register> make_registers() {
  std::vector<Register> all;
  const auto add = [&](Register reg) { all.push_back(std::move(reg)); };
  for (unsigned i = 0; i < 16; ++i) {
    const bool pointer = kGprs[i] == cpu::RBP || kGprs[i] == cpu::RSP;
    add({std::string(kGprNames[i]), kCore, pointer ? "data_ptr" : "int64", "", 8,
         [](const Processor& processor, unsigned index, u8* into) {
           put(into, state_of(processor).gpr[kGprs[index]]);
         },
         [](CpuState& state, unsigned index, const u8* from) {
           state.gpr[kGprs[index]] = taken<u64>(from);
           return true;
         },
         i});
  }
  add({"rip", kCore, "code_ptr", "", 8,
       [](const Processor& processor, unsigned, u8* into) {
         const CpuState& state = state_of(processor);
         const u64 linear = state.rip + code_base(state);
         put(into, cpu::mode_key(state).is64() ? linear : u64{static_cast<u32>(linear)});
       },
       [](CpuState& state, unsigned, const u8* from) {
         const u64 rip = taken<u64>(from) - code_base(state);
         state.rip = cpu::mode_key(state).is64() ? rip : u64{static_cast<u32>(rip)};
         return true;
       },
       0});
  add({"eflags", kCore, "i386_eflags", "", 4,
       [](const Processor& processor, unsigned, u8* into) {
         put(into, static_cast<u32>(state_of(processor).rflags));
       },
       [](CpuState& state, unsigned, const u8* from) {
         state.rflags = (state.rflags & ~u64{0xffff'ffff}) | taken<u32>(from);
         return true;
       },
       0});
  for (unsigned i = 0; i < 6; ++i)
    add({std::string(kSegNames[i]), kCore, "int32", "", 4,
         [](const Processor& processor, unsigned index, u8* into) {
           put(into, u32{state_of(processor).seg[kSegs[index]].selector});
         },
         refuse, i});
  for (unsigned i = 0; i < 8; ++i)
    add({fmt::format("st{}", i), kCore, "i387_ext", "", 10, get_st, set_st, i});
  for (unsigned i = 0; i < 8; ++i)
    add({std::string(kX87Names[i]), kCore, "int32", "float", 4, get_x87_word, set_x87_word, i});
  for (unsigned i = 0; i < 16; ++i)
    add({fmt::format("xmm{}", i), kSse, "vec128", "", 16, get_vector<0>, set_vector<0>, i});
  add({"mxcsr", kSse, "i386_mxcsr", "vector", 4,
       [](const Processor& processor, unsigned, u8* into) { put(into, state_of(processor).mxcsr); },
       [](CpuState& state, unsigned, const u8* from) {
         state.mxcsr = taken<u32>(from);
         return true;
       },
       0});
  for (unsigned i = 0; i < 16; ++i)
    add({fmt::format("ymm{}h", i), kAvx, "uint128", "", 16, get_vector<2>, set_vector<2>, i});
  add({"fs_base", kSegments, "data_ptr", "", 8, get_base, set_base, cpu::FS});
  add({"gs_base", kSegments, "data_ptr", "", 8, get_base, set_base, cpu::GS});
  for (unsigned i = 0; i < std::size(kSystemRegisters); ++i)
    add({std::string(kSystemRegisters[i].name), kSystem, kSystemRegisters[i].type, "system", 8, get_system,
         set_system, i});
  add({"cr8", kSystem, "int64", "system", 8,
       [](const Processor& processor, unsigned, u8* into) { put(into, u64{processor.lapic.cr8()}); }, refuse,
       0});
  // Those of the other segments are what addresses below 4 GiB are made with.
  constexpr std::pair<std::string_view, unsigned> kBases[] = {
      {"cs_base", cpu::CS}, {"ss_base", cpu::SS}, {"ds_base", cpu::DS}, {"es_base", cpu::ES}};
  for (const auto& [name, index] : kBases)
    add({std::string(name), kSystem, "data_ptr", "system", 8, get_base, refuse, index});
  constexpr std::pair<std::string_view, cpu::TableRegister CpuState::*> kTables[] = {
      {"gdt_base", &CpuState::gdtr}, {"idt_base", &CpuState::idtr}};
  add({std::string(kTables[0].first), kSystem, "data_ptr", "system", 8,
       [](const Processor& processor, unsigned, u8* into) { put(into, state_of(processor).gdtr.base); },
       refuse, 0});
  add({std::string(kTables[1].first), kSystem, "data_ptr", "system", 8,
       [](const Processor& processor, unsigned, u8* into) { put(into, state_of(processor).idtr.base); },
       refuse, 0});
  add({"tr_base", kSystem, "data_ptr", "system", 8,
       [](const Processor& processor, unsigned, u8* into) { put(into, state_of(processor).tr.base); }, refuse,
       0});
  return all;
}

struct Bit {
  std::string_view name;
  unsigned bit;
};

std::string flags_type(std::string_view id, std::span<const Bit> bits) {
  std::string text = fmt::format("<flags id=\"{}\" size=\"8\">", id);
  for (const Bit& one : bits)
    fmt::format_to(std::back_inserter(text), "<field name=\"{}\" start=\"{}\" end=\"{}\"/>", one.name,
                   one.bit, one.bit);
  return text + "</flags>\n";
}

/// SDM 3A 2.5, 2.2.1
constexpr Bit kCr0Bits[] = {{"PE", 0},  {"MP", 1},  {"EM", 2},  {"TS", 3},  {"ET", 4}, {"NE", 5},
                            {"WP", 16}, {"AM", 18}, {"NW", 29}, {"CD", 30}, {"PG", 31}};
constexpr Bit kCr4Bits[] = {{"VME", 0},         {"PVI", 1},   {"TSD", 2},   {"DE", 3},        {"PSE", 4},
                            {"PAE", 5},         {"MCE", 6},   {"PGE", 7},   {"PCE", 8},       {"OSFXSR", 9},
                            {"OSXMMEXCPT", 10}, {"UMIP", 11}, {"LA57", 12}, {"FSGSBASE", 16}, {"PCIDE", 17},
                            {"OSXSAVE", 18},    {"SMEP", 20}, {"SMAP", 21}};
constexpr Bit kEferBits[] = {{"SCE", 0}, {"LME", 8}, {"LMA", 10}, {"NXE", 11}};

constexpr std::string_view kEflagsType =
    "<flags id=\"i386_eflags\" size=\"4\"><field name=\"\" start=\"22\" end=\"31\"/><field name=\"CF\" "
    "start=\"0\" "
    "end=\"0\"/><field name=\"\" start=\"1\" end=\"1\"/><field name=\"PF\" start=\"2\" end=\"2\"/><field "
    "name=\"AF\" "
    "start=\"4\" end=\"4\"/><field name=\"ZF\" start=\"6\" end=\"6\"/><field name=\"SF\" start=\"7\" "
    "end=\"7\"/><field "
    "name=\"TF\" start=\"8\" end=\"8\"/><field name=\"IF\" start=\"9\" end=\"9\"/><field name=\"DF\" "
    "start=\"10\" "
    "end=\"10\"/><field name=\"OF\" start=\"11\" end=\"11\"/><field name=\"NT\" start=\"14\" "
    "end=\"14\"/><field "
    "name=\"RF\" start=\"16\" end=\"16\"/><field name=\"VM\" start=\"17\" end=\"17\"/><field name=\"AC\" "
    "start=\"18\" "
    "end=\"18\"/><field name=\"VIF\" start=\"19\" end=\"19\"/><field name=\"VIP\" start=\"20\" "
    "end=\"20\"/><field "
    "name=\"ID\" start=\"21\" end=\"21\"/></flags>\n";
constexpr std::string_view kSseTypes =
    "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/><vector id=\"v2d\" type=\"ieee_double\" "
    "count=\"2\"/><vector id=\"v16i8\" type=\"int8\" count=\"16\"/><vector id=\"v8i16\" type=\"int16\" "
    "count=\"8\"/><vector id=\"v4i32\" type=\"int32\" count=\"4\"/><vector id=\"v2i64\" type=\"int64\" "
    "count=\"2\"/>\n<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/><field name=\"v2_double\" "
    "type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/><field name=\"v8_int16\" type=\"v8i16\"/><field "
    "name=\"v4_int32\" type=\"v4i32\"/><field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" "
    "type=\"uint128\"/></union>\n<flags id=\"i386_mxcsr\" size=\"4\"><field name=\"IE\" start=\"0\" "
    "end=\"0\"/><field "
    "name=\"DE\" start=\"1\" end=\"1\"/><field name=\"ZE\" start=\"2\" end=\"2\"/><field name=\"OE\" "
    "start=\"3\" "
    "end=\"3\"/><field name=\"UE\" start=\"4\" end=\"4\"/><field name=\"PE\" start=\"5\" end=\"5\"/><field "
    "name=\"DAZ\" "
    "start=\"6\" end=\"6\"/><field name=\"IM\" start=\"7\" end=\"7\"/><field name=\"DM\" start=\"8\" "
    "end=\"8\"/><field "
    "name=\"ZM\" start=\"9\" end=\"9\"/><field name=\"OM\" start=\"10\" end=\"10\"/><field name=\"UM\" "
    "start=\"11\" "
    "end=\"11\"/><field name=\"PM\" start=\"12\" end=\"12\"/><field name=\"FZ\" start=\"15\" "
    "end=\"15\"/></flags>\n";

std::string make_description() {
  std::string text =
      "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target version=\"1.0\">\n"
      "<architecture>i386:x86-64</architecture>\n";
  std::string_view feature;
  for (const Register& reg : registers()) {
    if (reg.feature != feature) {
      if (!feature.empty()) text += "</feature>\n";
      feature = reg.feature;
      fmt::format_to(std::back_inserter(text), "<feature name=\"{}\">\n", feature);
      if (feature == kCore) text += kEflagsType;
      if (feature == kSse) text += kSseTypes;
      if (feature == kSystem)
        text += flags_type("cr0_bits", kCr0Bits) + flags_type("cr4_bits", kCr4Bits) +
                flags_type("efer_bits", kEferBits);
    }
    fmt::format_to(std::back_inserter(text), "<reg name=\"{}\" bitsize=\"{}\" type=\"{}\"{}/>\n", reg.name,
                   8 * reg.bytes, reg.type, reg.group.empty() ? "" : fmt::format(" group=\"{}\"", reg.group));
  }
  return text + "</feature>\n</target>\n";
}

/// Paging as a whole follows the registers, but for what PAE mode holds beside them.
bool pae_mode(const CpuState& state) {
  return (state.cr0 & mmu::kCr0Pg) != 0 && (state.cr4 & mmu::kCr4Pae) != 0 &&
         (state.efer & mmu::kEferLma) == 0;
}

bool same_paging(const CpuState& one, const CpuState& other) {
  return one.cr0 == other.cr0 && one.cr3 == other.cr3 && one.cr4 == other.cr4 && one.efer == other.efer;
}

}  // namespace

std::span<const Register> registers() {
  static const std::vector<Register> kAll = make_registers();
  return kAll;
}

const std::string& target_description() {
  static const std::string kText = make_description();
  return kText;
}

std::string read(const Processor& processor, const Register& reg) {
  std::string bytes(reg.bytes, 0);
  reg.get(processor, reg.index, reinterpret_cast<u8*>(bytes.data()));
  return bytes;
}

std::string read_all(const Processor& processor) {
  std::string bytes;
  for (const Register& reg : registers()) bytes += read(processor, reg);
  return bytes;
}

bool write(Processor& processor, std::span<const NewValue> values) {
  const CpuState& before = processor.cpu.state;
  CpuState after = before;
  for (const NewValue& value : values) {
    const Register& reg = registers()[value.number];
    if (read(processor, reg) == value.bytes) continue;
    if (!reg.set(after, reg.index, reinterpret_cast<const u8*>(value.bytes.data()))) return false;
  }
  const bool paging = !same_paging(before, after);
  if (paging && (pae_mode(before) || pae_mode(after))) return false;
  if (!cpu::impossible_in(after, processor.cpu.profile).empty()) return false;
  const bool watches = before.dr7 != after.dr7;
  processor.cpu.state = after;
  // Translations go as by a load of CR3: what is written is no longer the run that was.
  if (paging || watches)
    processor.cpu.state_replaced();
  else
    processor.cpu.sync_mode();
  return true;
}

}  // namespace reprise::machine::gdb
