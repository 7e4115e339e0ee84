// Commands about memory: translations, what is mapped, content.
#include <fmt/format.h>

#include "machine/monitor/address_space.h"
#include "machine/monitor/command.h"
#include "machine/monitor/walk_report.h"

namespace reprise::machine::monitor {
namespace {

template <class... Args>
void line(std::string& text, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(text), format, std::forward<Args>(args)...);
  text += '\n';
}

std::string rights(bool user, bool writable, bool executable) {
  return fmt::format("{} r{}{}", user ? "user  " : "kernel", writable ? 'w' : '-', executable ? 'x' : '-');
}

/// "RAM 'RAM'": what the board has there.
std::string answers_at(const mmu::PhysMap& map, u64 phys) {
  for (const mmu::PhysMap::Range& range : map.ranges())
    if (phys >= range.first_phys && phys <= range.last_phys)
      return fmt::format("{} '{}'", mmu::PhysMap::kind_name(range.kind), range.name);
  return "nothing";
}

Json step_json(const WalkStep& step) {
  Json json = {{"structure", step.structure}, {"index", step.index}};
  if (step.in_register)
    json["register"] = true;
  else
    json["address"] = hex(step.entry_phys);
  json["value"] = hex(step.raw);
  json["bits"] = step.bits;
  if (step.reserved != 0) json["reserved_bits_set"] = hex(step.reserved);
  json["leaf"] = step.leaf;
  return json;
}

Json verdict_json(const AccessVerdict& verdict) {
  Json json = {
      {"rights", name_of(verdict.view)}, {"access", name_of(verdict.access)}, {"allowed", verdict.allowed}};
  if (!verdict.allowed) {
    json["fault"] = verdict.general_protection ? "#GP" : "#PF";
    json["error_code"] = verdict.error_code;
    json["error_code_bits"] = error_code_bits(verdict.error_code);
  }
  json["why"] = verdict.reason;
  return json;
}

std::string verdict_text(const AccessVerdict& verdict) {
  std::string outcome = "allowed";
  if (!verdict.allowed && verdict.general_protection) outcome = "#GP(0)";
  if (!verdict.allowed && !verdict.general_protection) {
    const std::string bits = error_code_bits(verdict.error_code);
    outcome = fmt::format("#PF, error code {:#x}{}", verdict.error_code,
                          bits.empty() ? "" : fmt::format(" ({})", bits));
  }
  return fmt::format("{:<8} as {}: {}. {}", name_of(verdict.access), name_of(verdict.view), outcome,
                     verdict.reason);
}

}  // namespace

Outcome info_pagewalk(Machine& machine, const Arguments& arguments) {
  mmu::Mmu& mmu = processor_of(machine, arguments).cpu.mmu;
  const mmu::PagingContext& context = mmu.context();
  const WalkReport report = report_walk(mmu, arguments.number("address"));

  Answer answer;
  Json steps = Json::array();
  Json verdicts = Json::array();
  const std::string symbol = machine.symbols().text(report.linear);
  line(answer.text, "linear {:#x}{}, {}{}, CR3 {:#x}", report.linear,
       symbol.empty() ? "" : fmt::format(" <{}>", symbol), report.mode, report.steps.empty() ? "" : " paging",
       context.cr3);
  for (const WalkStep& step : report.steps) {
    steps.push_back(step_json(step));
    const std::string place = step.in_register
                                  ? fmt::format("register {}", step.index)
                                  : fmt::format("[{:3}] at {:#012x}", step.index, step.entry_phys);
    line(answer.text, "{:<5} {:<23}  {:0{}x}  {}{}", step.structure, place, step.raw, 2 * step.entry_bytes,
         step.bits, step.reserved ? fmt::format("  reserved bits set: {:#x}", step.reserved) : "");
  }
  for (const AccessVerdict& verdict : report.verdicts) verdicts.push_back(verdict_json(verdict));
  answer.json = {{"linear", hex(report.linear)}, {"mode", report.mode},
                 {"cr3", hex(context.cr3)},      {"canonical", report.canonical},
                 {"steps", std::move(steps)},    {"mapped", report.page.has_value()}};
  if (!symbol.empty()) answer.json["symbol"] = symbol;
  if (report.page) {
    const mmu::Translation& page = *report.page;
    const std::string there = answers_at(mmu.phys_map(), page.phys);
    answer.json["phys"] = hex(page.phys);
    answer.json["page_bytes"] = page.page_bytes;
    answer.json["user"] = page.user;
    answer.json["writable"] = page.writable;
    answer.json["executable"] = page.executable;
    answer.json["global"] = page.global;
    answer.json["dirty"] = page.dirty;
    answer.json["backed_by"] = there;
    line(answer.text, "page  {}, {}{}; physical {:#x}, {}", size_text(page.page_bytes),
         rights(page.user, page.writable, page.executable), page.global ? ", global" : "", page.phys, there);
  }
  for (const AccessVerdict& verdict : report.verdicts) line(answer.text, "{}", verdict_text(verdict));
  answer.json["accesses"] = std::move(verdicts);
  return answer;
}

Outcome info_memory_map(Machine& machine, const Arguments& arguments) {
  mmu::Mmu& mmu = processor_of(machine, arguments).cpu.mmu;
  PeekMemory memory(mmu.phys_map(), mmu.a20_enabled());
  AddressSpaceLimits limits;
  limits.from_linear = arguments.number("from");
  const AddressSpace space = list_address_space(mmu.context(), memory, limits);

  Answer answer;
  Json runs = Json::array();
  u64 user_bytes = 0;
  u64 kernel_bytes = 0;
  for (const LinearRun& run : space.runs) {
    const u64 bytes = run.last_linear - run.first_linear + 1;
    (run.user ? user_bytes : kernel_bytes) += bytes;
    Json json = {{"first", hex(run.first_linear)},
                 {"last", hex(run.last_linear)},
                 {"bytes", bytes},
                 {"user", run.user},
                 {"writable", run.writable},
                 {"executable", run.executable},
                 {"global", run.global},
                 {"page_bytes", run.page_bytes},
                 {"pages", run.pages},
                 {"accessed_pages", run.accessed_pages},
                 {"dirty_pages", run.dirty_pages}};
    if (run.phys_contiguous) json["phys"] = hex(run.phys);
    runs.push_back(std::move(json));
    line(answer.text, "{:016x}-{:016x} {:>10}  {}{}  {:>5} pages: {} ({} accessed, {} dirty){}",
         run.first_linear, run.last_linear, size_text(bytes), rights(run.user, run.writable, run.executable),
         run.global ? " g" : "  ", size_text(run.page_bytes), run.pages, run.accessed_pages, run.dirty_pages,
         run.phys_contiguous ? fmt::format("  -> {:#x}", run.phys) : "");
  }
  line(answer.text, "user {}, kernel {}; entries with reserved bits set: {}", size_text(user_bytes),
       size_text(kernel_bytes), space.bad_entries);
  answer.json = {{"cr3", hex(mmu.context().cr3)},
                 {"user_bytes", user_bytes},
                 {"kernel_bytes", kernel_bytes},
                 {"bad_entries", space.bad_entries},
                 {"runs", std::move(runs)}};
  if (space.more_from_linear) {
    answer.json["more_from"] = hex(*space.more_from_linear);
    line(answer.text, "there is more: info memory-map {:#x}", *space.more_from_linear);
  }
  return answer;
}

Outcome info_phys_map(Machine& machine, const Arguments&) {
  Answer answer;
  Json ranges = Json::array();
  for (const mmu::PhysMap::Range& range : machine.pc().phys_map().ranges()) {
    ranges.push_back({{"first", hex(range.first_phys)},
                      {"last", hex(range.last_phys)},
                      {"kind", mmu::PhysMap::kind_name(range.kind)},
                      {"name", range.name}});
  }
  answer.json["ranges"] = std::move(ranges);
  answer.text = machine.pc().phys_map().dump();
  Json local = Json::array();
  for (const auto& processor : machine.pc().processors()) {
    const mmu::Mmu::LocalPage& page = processor->cpu.mmu.local_page();
    if (page.device == nullptr) continue;
    local.push_back(
        {{"cpu", processor->index()}, {"first", hex(page.phys)}, {"last", hex(page.phys + kPageBytes - 1)}});
    line(answer.text, "{:016x}-{:016x} mmio lapic, of processor {} alone", page.phys,
         page.phys + kPageBytes - 1, processor->index());
  }
  answer.json["local"] = std::move(local);
  return answer;
}

Outcome memory(Machine& machine, const Arguments& arguments) {
  constexpr u64 kMaxBytes = 65536;
  const u64 address = arguments.number("address");
  const u64 bytes = arguments.number("bytes", 64);
  const std::string_view space = arguments.has("space") ? arguments.word("space") : "linear";
  if (bytes == 0 || bytes > kMaxBytes)
    return CommandError{CommandError::Kind::BadArgument,
                        fmt::format("'bytes' is not between 1 and {}.", kMaxBytes)};
  if (space != "linear" && space != "phys")
    return CommandError{CommandError::Kind::BadArgument, "'space' is neither linear nor phys."};
  mmu::Mmu& mmu = processor_of(machine, arguments).cpu.mmu;
  const auto byte_at = [&](u64 at) -> int {
    u64 phys = at;
    if (space == "linear" && !mmu.peek_translate(at, phys)) return -1;
    const u8* host = mmu.phys_map().find(phys).host;
    return host == nullptr ? -1 : *host;
  };

  Answer answer;
  std::string all;
  for (u64 row = 0; row < bytes; row += 16) {
    std::string values;
    std::string characters;
    for (u64 i = row; i < std::min(bytes, row + 16); ++i) {
      const int byte = byte_at(address + i);
      values += byte < 0 ? " --" : fmt::format(" {:02x}", byte);
      all += byte < 0 ? "--" : fmt::format("{:02x}", byte);
      characters += byte >= 0x20 && byte < 0x7f ? static_cast<char>(byte) : '.';
    }
    line(answer.text, "{:016x} {:<48}  {}", address + row, values, characters);
  }
  answer.json = {{"address", hex(address)}, {"space", space}, {"bytes", std::move(all)}};
  return answer;
}

}  // namespace reprise::machine::monitor
