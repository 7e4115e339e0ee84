// Commands about a processor: registers, its TLB, the code it runs.
#include <fmt/format.h>

#include "cpu/decode/disassemble.h"
#include "machine/monitor/command.h"
#include "mmu/paging_bits.h"

namespace reprise::machine::monitor {
namespace {

template <class... Args>
void line(std::string& text, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(text), format, std::forward<Args>(args)...);
  text += '\n';
}

struct BitName {
  u64 bit;
  std::string_view name;
};
constexpr BitName kRflags[] = {
    {cpu::kRflagsCf, "CF"}, {cpu::kRflagsPf, "PF"},   {cpu::kRflagsAf, "AF"},   {cpu::kRflagsZf, "ZF"},
    {cpu::kRflagsSf, "SF"}, {cpu::kRflagsTf, "TF"},   {cpu::kRflagsIf, "IF"},   {cpu::kRflagsDf, "DF"},
    {cpu::kRflagsOf, "OF"}, {cpu::kRflagsNt, "NT"},   {cpu::kRflagsRf, "RF"},   {cpu::kRflagsVm, "VM"},
    {cpu::kRflagsAc, "AC"}, {cpu::kRflagsVif, "VIF"}, {cpu::kRflagsVip, "VIP"}, {cpu::kRflagsId, "ID"}};
constexpr BitName kCr0[] = {{mmu::kCr0Pe, "PE"}, {mmu::kCr0Mp, "MP"}, {mmu::kCr0Em, "EM"},
                            {mmu::kCr0Ts, "TS"}, {mmu::kCr0Et, "ET"}, {mmu::kCr0Ne, "NE"},
                            {mmu::kCr0Wp, "WP"}, {mmu::kCr0Am, "AM"}, {mmu::kCr0Nw, "NW"},
                            {mmu::kCr0Cd, "CD"}, {mmu::kCr0Pg, "PG"}};
constexpr BitName kCr4[] = {{mmu::kCr4Vme, "VME"},
                            {mmu::kCr4Pvi, "PVI"},
                            {mmu::kCr4Tsd, "TSD"},
                            {mmu::kCr4De, "DE"},
                            {mmu::kCr4Pse, "PSE"},
                            {mmu::kCr4Pae, "PAE"},
                            {mmu::kCr4Mce, "MCE"},
                            {mmu::kCr4Pge, "PGE"},
                            {mmu::kCr4Pce, "PCE"},
                            {mmu::kCr4Osfxsr, "OSFXSR"},
                            {mmu::kCr4Osxmmexcpt, "OSXMMEXCPT"},
                            {mmu::kCr4Umip, "UMIP"},
                            {mmu::kCr4La57, "LA57"},
                            {mmu::kCr4Fsgsbase, "FSGSBASE"},
                            {mmu::kCr4Pcide, "PCIDE"},
                            {mmu::kCr4Osxsave, "OSXSAVE"},
                            {mmu::kCr4Smep, "SMEP"},
                            {mmu::kCr4Smap, "SMAP"},
                            {mmu::kCr4Pke, "PKE"}};
constexpr BitName kEfer[] = {
    {mmu::kEferSce, "SCE"}, {mmu::kEferLme, "LME"}, {mmu::kEferLma, "LMA"}, {mmu::kEferNxe, "NXE"}};

std::string bits_text(u64 value, std::span<const BitName> names) {
  std::string text;
  for (const BitName& bit : names) {
    if (!(value & bit.bit)) continue;
    if (!text.empty()) text += ' ';
    text += bit.name;
  }
  return text;
}

Json segment_json(const cpu::Segment& segment) {
  return {{"selector", hex(segment.selector)},
          {"base", hex(segment.base)},
          {"limit", hex(segment.limit)},
          {"access", hex(segment.access)}};
}

std::string_view mode_name(const cpu::Cpu& cpu) {
  using cpu::ModeKey;
  if (cpu.mode.has(ModeKey::kV86)) return "virtual-8086";
  if (!cpu.mode.has(ModeKey::kProtected)) return "real";
  if (cpu.mode.is64()) return "64-bit";
  if (cpu.mode.has(ModeKey::kLongMode)) return "compatibility";
  return cpu.mode.code_size() == cpu::CodeSize::Bits16 ? "16-bit protected" : "32-bit protected";
}

/// Pieces that follow each other, alike in rights and address space.
struct TlbRun {
  mmu::SecondLevelTlb::Held first;
  u64 bytes;
};

std::vector<TlbRun> runs_of(const std::vector<mmu::SecondLevelTlb::Held>& held) {
  std::vector<TlbRun> runs;
  for (const auto& entry : held) {
    if (!entry.usable) continue;
    if (!runs.empty()) {
      TlbRun& run = runs.back();
      const u64 offset = run.bytes;
      // All of a data word but the address: rights, dirty, global, page size.
      if (run.first.linear + offset == entry.linear && run.first.data + offset == entry.data) {
        run.bytes += entry.bytes;
        continue;
      }
    }
    runs.push_back({entry, entry.bytes});
  }
  return runs;
}

}  // namespace

Outcome info_cpus(Machine& machine, const Arguments&) {
  using cpu::Activity;
  constexpr std::pair<Activity, std::string_view> kActivities[] = {
      {Activity::Running, "running"},
      {Activity::Halted, "halted"},
      {Activity::Shutdown, "shutdown"},
      {Activity::WaitForSipi, "waiting for SIPI"}};
  const Processors& processors = machine.pc().processors();
  const unsigned current = machine.pc().processors().running_index();
  Answer answer;
  Json list = Json::array();
  for (const auto& processor : processors) {
    const cpu::Cpu& cpu = processor->cpu;
    const cpu::CpuState& state = cpu.state;
    const auto* const activity =
        std::ranges::find(kActivities, state.activity, &std::pair<Activity, std::string_view>::first);
    const bool interruptible = (state.rflags & cpu::kRflagsIf) != 0;
    list.push_back({{"index", processor->index()},
                    {"apic_id", processor->lapic.apic_id()},
                    {"current", processor->index() == current},
                    {"activity", activity->second},
                    {"mode", mode_name(cpu)},
                    {"cpl", state.cpl},
                    {"rip", hex(state.rip)},
                    {"interrupts_on", interruptible},
                    {"instructions", state.retired}});
    const std::string place = machine.symbols().text(state.rip);
    if (!place.empty()) list.back()["symbol"] = place;
    line(answer.text, "{} {}: APIC id {}, {}, {} mode, cpl {}, IF {}, rip {:#x}{}, {} instructions",
         processor->index() == current ? '*' : ' ', processor->index(), processor->lapic.apic_id(),
         activity->second, mode_name(cpu), state.cpl, interruptible ? 1 : 0, state.rip,
         place.empty() ? "" : fmt::format(" <{}>", place), state.retired);
  }
  answer.json["processors"] = std::move(list);
  return answer;
}

Outcome info_registers(Machine& machine, const Arguments& arguments) {
  static constexpr std::string_view kGpr[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                              "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  static constexpr std::string_view kSegments[] = {"es", "cs", "ss", "ds", "fs", "gs"};
  const cpu::Cpu& cpu = processor_of(machine, arguments).cpu;
  const cpu::CpuState& state = cpu.state;
  Answer answer;
  Json& json = answer.json;
  json["mode"] = mode_name(cpu);
  json["cpl"] = state.cpl;
  json["rip"] = hex(state.rip);
  json["rflags"] = hex(state.rflags);
  json["rflags_bits"] = bits_text(state.rflags, kRflags);
  for (unsigned i = 0; i < 16; ++i) json[std::string(kGpr[i])] = hex(state.gpr[i]);
  for (unsigned i = 0; i < 6; ++i) json[std::string(kSegments[i])] = segment_json(state.seg[i]);
  json["ldtr"] = segment_json(state.ldtr);
  json["tr"] = segment_json(state.tr);
  json["gdtr"] = {{"base", hex(state.gdtr.base)}, {"limit", hex(state.gdtr.limit)}};
  json["idtr"] = {{"base", hex(state.idtr.base)}, {"limit", hex(state.idtr.limit)}};
  json["cr0"] = hex(state.cr0);
  json["cr0_bits"] = bits_text(state.cr0, kCr0);
  json["cr2"] = hex(state.cr2);
  json["cr3"] = hex(state.cr3);
  json["cr4"] = hex(state.cr4);
  json["cr4_bits"] = bits_text(state.cr4, kCr4);
  json["cr8"] = hex(cpu.interrupts.cr8());
  json["efer"] = hex(state.efer);
  json["efer_bits"] = bits_text(state.efer, kEfer);
  json["xcr0"] = hex(state.xcr0);
  json["dr6"] = hex(state.dr6);
  json["dr7"] = hex(state.dr7);
  json["mxcsr"] = hex(state.mxcsr);
  json["fcw"] = hex(state.x87.fcw);
  json["fsw"] = hex(state.x87.fsw);
  Json ymm = Json::array();
  Json st = Json::array();
  for (const cpu::V256& value : state.ymm) {
    ymm.push_back(fmt::format("0x{:016x}{:016x}{:016x}{:016x}", value.qword[3], value.qword[2],
                              value.qword[1], value.qword[0]));
  }
  for (unsigned i = 0; i < 8; ++i) {
    const cpu::Float80& value = state.x87.st[(state.x87.top() + i) & 7];
    st.push_back(fmt::format("0x{:04x}{:016x}", value.sign_exponent, value.significand));
  }
  json["ymm"] = std::move(ymm);
  json["st"] = std::move(st);

  answer.text = cpu.dump();
  line(answer.text, "{} mode; rflags {}", mode_name(cpu), bits_text(state.rflags, kRflags));
  if (const std::string place = machine.symbols().text(state.rip); !place.empty()) {
    json["symbol"] = place;
    line(answer.text, "rip is at {}", place);
  }
  line(answer.text, "cr0 {}; cr4 {}; efer {}", bits_text(state.cr0, kCr0), bits_text(state.cr4, kCr4),
       bits_text(state.efer, kEfer));
  return answer;
}

Outcome info_tlb(Machine& machine, const Arguments& arguments) {
  using Tlb = mmu::SecondLevelTlb;
  const mmu::Mmu& mmu = processor_of(machine, arguments).cpu.mmu;
  const std::vector<Tlb::Held> held = mmu.second_level().held();
  const auto usable = static_cast<u64>(std::ranges::count_if(held, &Tlb::Held::usable));
  Answer answer;
  Json entries = Json::array();
  for (const TlbRun& run : runs_of(held)) {
    const u64 data = run.first.data;
    const bool user = data & Tlb::kUser;
    const bool writable = data & Tlb::kWritable;
    const bool executable = data & Tlb::kExecutable;
    const u64 bytes = run.bytes;
    entries.push_back({{"linear", hex(run.first.linear)},
                       {"phys", hex(data & kPageMask)},
                       {"bytes", bytes},
                       {"page_bytes", Tlb::page_bytes_of(data)},
                       {"user", user},
                       {"writable", writable},
                       {"executable", executable},
                       {"dirty", (data & Tlb::kDirty) != 0},
                       {"global", (data & Tlb::kGlobal) != 0}});
    line(answer.text, "{:016x} -> {:012x} {:>8}  {} r{}{}{}{}  page {}", run.first.linear, data & kPageMask,
         size_text(bytes), user ? "user  " : "kernel", writable ? 'w' : '-', executable ? 'x' : '-',
         data & Tlb::kDirty ? " dirty" : "      ", data & Tlb::kGlobal ? " global" : "       ",
         size_text(Tlb::page_bytes_of(data)));
  }
  Json first_level = Json::object();
  std::string counts;
  constexpr std::string_view kViews[] = {"user", "kernel", "kernel_ac"};
  constexpr std::string_view kAccesses[] = {"read", "write", "fetch"};
  for (unsigned view = 0; view < mmu::kViews; ++view) {
    Json row = Json::object();
    for (unsigned access = 0; access < mmu::kAccessKinds; ++access) {
      const mmu::TlbArray& array =
          mmu.tlb_array(static_cast<mmu::View>(view), static_cast<mmu::Access>(access));
      unsigned tags = 0;
      array.for_each_used(
          [&](unsigned slot) { tags += array.entries[slot].tag_linear != mmu::tlb_invalid_tag(slot); });
      row[std::string(kAccesses[access])] = tags;
      fmt::format_to(std::back_inserter(counts), "{} {} {} {}", counts.empty() ? "" : ",", kViews[view],
                     kAccesses[access], tags);
    }
    first_level[std::string(kViews[view])] = std::move(row);
  }
  line(answer.text, "{} entries usable now, {} of other PCIDs", usable, held.size() - usable);
  line(answer.text, "first level:{}", counts);
  answer.json = {{"entries", std::move(entries)},
                 {"usable", usable},
                 {"other_pcids", held.size() - usable},
                 {"first_level", std::move(first_level)}};
  return answer;
}

Outcome disassemble(Machine& machine, const Arguments& arguments) {
  constexpr u64 kMaxInstructions = 4096;
  cpu::Cpu& cpu = processor_of(machine, arguments).cpu;
  const u64 count = arguments.number("count", 10);
  if (count == 0 || count > kMaxInstructions)
    return CommandError{CommandError::Kind::BadArgument,
                        fmt::format("'count' is not between 1 and {}.", kMaxInstructions)};
  u64 linear =
      arguments.has("address") ? arguments.number("address") : cpu.state.rip + cpu.state.seg[cpu::CS].base;
  Answer answer;
  Json instructions = Json::array();
  for (u64 i = 0; i < count; ++i) {
    const std::vector<u8> bytes = cpu::peek_code(cpu.mmu, linear);
    if (bytes.empty()) {
      line(answer.text, "{:016x}  (no memory to read)", linear);
      break;
    }
    cpu::Disassembled insn = cpu::disassemble(bytes, linear, cpu::code_bits(cpu.mode));
    insn.text = with_names(machine.symbols(), std::move(insn.text));
    // Once for each function: the first instruction may be in its middle.
    const std::string place = machine.symbols().text(linear);
    if (!place.empty() && (i == 0 || place.find('+') == place.npos)) line(answer.text, "{}:", place);
    std::string encoded;
    for (unsigned k = 0; k < insn.length && k < bytes.size(); ++k) encoded += fmt::format("{:02x}", bytes[k]);
    line(answer.text, "{:016x}  {:<22}  {}", linear, encoded, insn.text);
    instructions.push_back({{"address", hex(linear)}, {"bytes", encoded}, {"text", insn.text}});
    if (!place.empty()) instructions.back()["symbol"] = place;
    linear += insn.length;
  }
  answer.json["instructions"] = std::move(instructions);
  return answer;
}

}  // namespace reprise::machine::monitor
