// Commands about the board: interrupts, PCI, registers of devices.
#include <fmt/format.h>

#include "common/words.h"
#include "machine/monitor/command.h"

namespace reprise::machine::monitor {
namespace {

namespace pci = devices::pci;

template <class... Args>
void line(std::string& text, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(text), format, std::forward<Args>(args)...);
  text += '\n';
}

/// Every line of `lines`, two columns to the right.
std::string indented(std::string_view lines) {
  std::string text;
  while (!lines.empty()) {
    const std::string_view one = lines.substr(0, lines.find('\n'));
    text += fmt::format("  {}\n", one);
    lines.remove_prefix(std::min(one.size() + 1, lines.size()));
  }
  return text;
}

/// Class and subclass, PCI Code and ID Assignment Specification, for what a PC has.
std::string_view class_name(u32 class_code) {
  switch (class_code >> 8) {
    case 0x0100: return "SCSI storage";
    case 0x0101: return "IDE controller";
    case 0x0106: return "SATA controller";
    case 0x0200: return "Ethernet";
    case 0x0300: return "VGA";
    case 0x0600: return "host bridge";
    case 0x0601: return "ISA bridge";
    case 0x0680: return "bridge";
    case 0x0780: return "communication";
    case 0x0880: return "system peripheral";
    case 0x0403: return "audio";
    case 0x1000: return "encryption";
    default: return "device";
  }
}

struct Window {
  unsigned index;
  const devices::PciBar& bar;
  std::optional<u64> base;
};

Json window_json(const Window& window) {
  const bool io = window.bar.space == devices::PciBar::Space::Io;
  Json json = {{"index", window.index}, {"space", io ? "io" : "memory"}, {"bytes", window.bar.bytes}};
  if (window.base) json["base"] = hex(*window.base);
  return json;
}

void show_function(Answer& answer, Json& functions, unsigned bus, unsigned number,
                   const devices::PciFunction& function) {
  const auto reg = [&](u8 offset, Width width) { return function.config_peek(offset, width); };
  const std::string slot = fmt::format("{:02x}:{:02x}.{}", bus, number / 8, number % 8);
  const u32 class_code = reg(pci::kRevision, Width::Dword) >> 8;
  const u32 pin = reg(pci::kInterruptPin, Width::Byte);
  Json json = {{"slot", slot},
               {"name", function.name()},
               {"vendor", fmt::format("{:04x}", reg(pci::kVendorId, Width::Word))},
               {"device", fmt::format("{:04x}", reg(pci::kDeviceId, Width::Word))},
               {"class", fmt::format("{:06x}", class_code)},
               {"class_name", class_name(class_code)},
               {"command", hex(reg(pci::kCommand, Width::Word))},
               {"status", hex(reg(pci::kStatus, Width::Word))}};
  line(answer.text, "{} {:04x}:{:04x} {} ({}), command {:04x}, status {:04x}", slot,
       reg(pci::kVendorId, Width::Word), reg(pci::kDeviceId, Width::Word), function.name(),
       class_name(class_code), reg(pci::kCommand, Width::Word), reg(pci::kStatus, Width::Word));
  if (pin != 0) {
    json["interrupt_pin"] = std::string(1, static_cast<char>('A' + (pin - 1) % 4));
    json["interrupt_line"] = reg(pci::kInterruptLine, Width::Byte);
    line(answer.text, "  interrupt INT{}#, line {}", static_cast<char>('A' + (pin - 1) % 4),
         reg(pci::kInterruptLine, Width::Byte));
  }
  Json windows = Json::array();
  for (unsigned index = 0; index < pci::kBars; ++index) {
    const Window window = {index, function.bar(index), function.bar_base(index)};
    if (window.bar.space == devices::PciBar::Space::None) continue;
    windows.push_back(window_json(window));
    line(answer.text, "  BAR {}: {} {} {}", index,
         window.bar.space == devices::PciBar::Space::Io ? "ports" : "memory",
         window.base ? fmt::format("at {:#x}", *window.base) : "off,", size_text(window.bar.bytes));
  }
  if (!windows.empty()) json["bars"] = std::move(windows);
  functions.push_back(std::move(json));
}

void add_device(Answer& answer, Json& list, const devices::Device& device) {
  const std::string registers = device.debug_dump();
  list.push_back({{"name", device.name()}, {"registers", registers}});
  if (registers.empty()) return line(answer.text, "{}", device.name());
  line(answer.text, "{}:", device.name());
  answer.text += indented(registers);
}

}  // namespace

Outcome info_irq(Machine& machine, const Arguments&) {
  Answer answer;
  Pc& pc = machine.pc();
  std::string raised;
  Json isa = Json::array();
  Json pirqs = Json::array();
  for (unsigned number = 0; number < kIsaIrqs; ++number) {
    isa.push_back(pc.irq_router().level_of(number));
    if (pc.irq_router().level_of(number)) raised += fmt::format(" {}", number);
  }
  for (unsigned pirq = 0; pirq < kPirqs; ++pirq) {
    pirqs.push_back(pc.irq_router().level_of(kIsaIrqs + pirq));
    if (pc.irq_router().level_of(kIsaIrqs + pirq))
      raised += fmt::format(" PIRQ{}#", static_cast<char>('A' + pirq));
  }
  line(answer.text, "lines that are raised:{}", raised.empty() ? " none" : raised);
  Json counts = Json::array();
  for (const auto& processor : pc.processors()) {
    const cpu::VcpuCounts& events = processor->vcpu.counts();
    counts.push_back({{"interrupts", events.interrupts}, {"exceptions", events.exceptions}});
    line(answer.text, "processor {}: {} interrupts and {} exceptions delivered, IF {}", processor->index(),
         events.interrupts, events.exceptions, (processor->cpu.state.rflags & cpu::kRflagsIf) != 0 ? 1 : 0);
  }
  Json controllers = Json::array();
  for (const devices::Device* device : pc.devices()) {
    const std::string_view name = device->name();
    if (name == "pic8259" || name == "ioapic" || name == "lapic") add_device(answer, controllers, *device);
  }
  answer.json = {{"isa_lines", std::move(isa)},
                 {"pirq_lines", std::move(pirqs)},
                 {"processors", std::move(counts)},
                 {"controllers", std::move(controllers)}};
  return answer;
}

Outcome info_pci(Machine& machine, const Arguments&) {
  Answer answer;
  Json functions = Json::array();
  machine.pc().pci_config().root().for_each(
      [&](const devices::PciBus& bus, unsigned number, const devices::PciFunction& function) {
        show_function(answer, functions, bus.number(), number, function);
      });
  answer.json["functions"] = std::move(functions);
  return answer;
}

Outcome info_disks(Machine& machine, const Arguments&) {
  Answer answer;
  Json list = Json::array();
  const std::vector<DiskInfo> disks = machine.disks().info();
  for (std::size_t i = 0; i < disks.size(); ++i) {
    const DiskInfo& disk = disks[i];
    if (disk.absent) continue;
    const DiskCounters& counters = disk.counters;
    list.push_back(disk_json(disk));
    const std::string name =
        fmt::format("{}: {} on {}", disk.name, kind_name(disk.media), bus_name(disk.bus));
    if (disk.file.empty()) {
      line(answer.text, "{}, empty", name);
    } else {
      line(answer.text, "{}, '{}', {}, {}, serial {}; writes are {}", name, in_one_line(disk.file),
           disk.format, size_text(disk.bytes), disk.serial, disk.writes);
    }
    line(answer.text, "  {} reads ({}), {} writes ({}), {} flushes, {} discards ({}), {} errors",
         counters.reads, size_text(counters.bytes_read), counters.writes, size_text(counters.bytes_written),
         counters.flushes, counters.discards, size_text(counters.bytes_discarded), counters.errors);
    if (const devices::ata::Cdrom* cdrom = machine.pc().drives().at(i).cdrom) {
      list.back()["tray_open"] = cdrom->tray_open();
      list.back()["locked"] = cdrom->locked();
      if (cdrom->tray_open() || cdrom->locked()) {
        line(answer.text, "  the tray is {}{}", cdrom->tray_open() ? "open" : "closed",
             cdrom->locked() ? ", locked by the guest" : "");
      }
    }
  }
  if (list.empty()) line(answer.text, "there is no disk");
  answer.json["disks"] = std::move(list);
  return answer;
}

Outcome info_devices(Machine& machine, const Arguments& arguments) {
  Answer answer;
  Json list = Json::array();
  std::string names;
  for (const devices::Device* device : machine.pc().devices()) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", device->name());
    if (!arguments.has("name") || device->name() == arguments.word("name")) add_device(answer, list, *device);
  }
  if (list.empty())
    return CommandError{CommandError::Kind::BadArgument,
                        fmt::format("There is no device '{}'; there are {}.", arguments.word("name"), names)};
  answer.json["devices"] = std::move(list);
  return answer;
}

}  // namespace reprise::machine::monitor
