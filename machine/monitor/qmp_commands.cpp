// QEMU, "QEMU QMP Reference Manual": names of commands and members of answers.
#include "machine/monitor/qmp_commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "common/numbers.h"
#include "machine/monitor/qmp_handlers.h"
#include "machine/monitor/qmp_schema.h"
#include "machine/net/network_info.h"

namespace reprise::machine::monitor {
namespace {

Outcome done(Outcome outcome) {
  if (!outcome) return outcome;
  return Answer{};
}

Outcome query_version(Monitor& monitor, const Json&) {
  return answer_of({{"qemu", {{"micro", 0}, {"minor", 2}, {"major", 7}}}, {"package", monitor.version()}});
}

Outcome query_status(Monitor& monitor, const Json&) {
  Machine& machine = monitor.machine();
  return answer_of({{"status", qmp_status(machine)}, {"singlestep", false}, {"running", !machine.stopped()}});
}

Outcome query_commands(Monitor&, const Json&) {
  Json list = Json::array();
  for (const QmpCommand& command : qmp_commands()) list.push_back({{"name", command.name}});
  return answer_of(std::move(list));
}

Outcome query_schema(Monitor&, const Json&) { return answer_of(qmp_schema()); }

Outcome query_cpus_fast(Monitor& monitor, const Json&) {
  Json list = Json::array();
  const cpu::Topology& topology = monitor.machine().config().cpu.topology;
  for (const auto& processor : monitor.machine().pc().processors()) {
    const unsigned index = processor->index();
    list.push_back({{"cpu-index", index},
                    {"qom-path", fmt::format("/machine/unattached/device[{}]", index)},
                    {"thread-id", getpid()},
                    {"target", "x86_64"},
                    {"props",
                     {{"socket-id", index / (topology.cores * topology.threads)},
                      {"core-id", index / topology.threads % topology.cores},
                      {"thread-id", index % topology.threads}}}});
  }
  return answer_of(std::move(list));
}

Outcome query_pci(Monitor& monitor, const Json&) {
  Outcome shown = monitor.execute("info pci", {});
  if (!shown) return shown;
  const auto number = [](const Json& json, std::string_view name) {
    return parse_number("0x" + text_in(json, name)).value_or(0);
  };
  std::map<u64, Json> buses;
  for (const Json& function : shown.value().json["functions"]) {
    const std::string slot = text_in(function, "slot");  // "00:05.0"
    if (slot.size() != 7) continue;
    const u64 bus = parse_number("0x" + slot.substr(0, 2)).value_or(0);
    buses[bus].push_back(
        {{"bus", bus},
         {"slot", parse_number("0x" + slot.substr(3, 2)).value_or(0)},
         {"function", parse_number(slot.substr(6)).value_or(0)},
         {"class_info", {{"class", number(function, "class") >> 8}, {"desc", function["class_name"]}}},
         {"id", {{"vendor", number(function, "vendor")}, {"device", number(function, "device")}}},
         {"qdev_id", ""},
         {"regions", Json::array()}});
  }
  Json list = Json::array();
  for (auto& [bus, devices] : buses) list.push_back({{"bus", bus}, {"devices", std::move(devices)}});
  return answer_of(std::move(list));
}

Outcome query_uuid(Monitor& monitor, const Json&) {
  const std::array<u8, 16> uuid =
      monitor.machine().config().firmware.words.uuid.value_or(std::array<u8, 16>{});
  std::string text;
  for (unsigned i = 0; i < uuid.size(); ++i)
    text += fmt::format("{}{:02x}", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
  return answer_of({{"UUID", text}});
}

Outcome nothing_is_plugged(Monitor&, const Json&) {
  return failed("what the machine has is chosen before it starts: give -object and -chardev then");
}

Outcome no_resize(Monitor&, const Json&) {
  return failed(
      "a disk keeps the size that it had when the run began: end the run, and give qemu-img resize");
}

Outcome device_add(Monitor& monitor, const Json& arguments) { return done(monitor.plug(arguments.dump())); }
Outcome device_del(Monitor& monitor, const Json& arguments) {
  return done(monitor.execute("device_del", {{"id", text_in(arguments, "id")}}));
}
Outcome netdev_add(Monitor& monitor, const Json& arguments) {
  return done(monitor.plug_part("netdev_add", arguments.dump()));
}
Outcome netdev_del(Monitor& monitor, const Json& arguments) {
  return done(monitor.plug_part("netdev_del", text_in(arguments, "id")));
}
Outcome blockdev_add(Monitor& monitor, const Json& arguments) {
  return done(monitor.plug_part("blockdev-add", arguments.dump()));
}
Outcome blockdev_del(Monitor& monitor, const Json& arguments) {
  return done(monitor.plug_part("blockdev-del", text_in(arguments, "node-name")));
}

Outcome human(Monitor& monitor, const Json& arguments) {
  Outcome outcome = monitor.execute_line(text_in(arguments, "command-line"));
  // QEMU answers a person's mistakes in words, too.
  return answer_of(outcome ? outcome.value().text : outcome.error().message + "\r\n");
}

Outcome eject(Monitor& monitor, const Json& arguments) {
  Json ours = {{"drive", drive_of(monitor, arguments)}};
  if (is_true_in(arguments, "force")) ours["options"] = "force";
  return done(monitor.execute("eject", ours));
}

Outcome change_medium(Monitor& monitor, const Json& arguments) {
  const std::string file =
      text_in(arguments, "filename").empty() ? text_in(arguments, "target") : text_in(arguments, "filename");
  Json ours = {{"drive", drive_of(monitor, arguments)}, {"file", file}};
  if (is_true_in(arguments, "force")) ours["options"] = "force";
  return done(monitor.execute("change", ours));
}

Outcome screendump(Monitor& monitor, const Json& arguments) {
  return done(monitor.execute("screendump", {{"file", text_in(arguments, "filename")}}));
}

/// Keys that are pressed together: [{"type": "qcode", "data": "ctrl"}, ...].
Outcome send_key(Monitor& monitor, const Json& arguments) {
  std::string keys;
  if (arguments.is_object() && arguments.contains("keys") && arguments["keys"].is_array())
    for (const Json& key : arguments["keys"]) keys += (keys.empty() ? "" : "-") + text_in(key, "data");
  return done(monitor.execute("sendkey", {{"keys", keys}}));
}

Outcome set_link(Monitor& monitor, const Json& arguments) {
  return done(monitor.execute("set_link", {{"card", text_in(arguments, "name")},
                                           {"state", is_true_in(arguments, "up") ? "on" : "off"}}));
}

/// In bytes, of which the monitor's command takes whole MiB.
Outcome set_balloon(Monitor& monitor, const Json& arguments) {
  const Json& value = arguments["value"];
  constexpr u64 kMib = 1 << 20;
  if (value.is_number_unsigned() && value.get<u64>() >= kMib)
    return done(monitor.execute("balloon", {{"mib", value.get<u64>() / kMib}}));
  return failed("Parameter 'value' expects a target size of 1 MiB or more");
}

Outcome query_balloon(Monitor& monitor, const Json&) {
  Outcome shown = monitor.execute("info balloon", {});
  if (!shown) return shown;
  return answer_of({{"actual", shown.value().json["actual"]}});
}

Outcome empty_list(Monitor&, const Json&) { return answer_of(Json::array()); }
Outcome empty_object(Monitor&, const Json&) { return Answer{}; }

/// Clients are told of all that happens in one, which is nothing.
constexpr std::string_view kEventsOfMigration = "events";

Outcome migrate_capabilities(Monitor&, const Json&) {
  return answer_of(Json::array({{{"capability", kEventsOfMigration}, {"state", true}}}));
}

Outcome set_migrate_capabilities(Monitor&, const Json& arguments) {
  for (const Json& one : arguments["capabilities"])
    if (text_in(one, "capability") != kEventsOfMigration)
      return failed(fmt::format("there is no migration, which could have '{}'",
                                text_in(one, "capability").substr(0, 60)));
  return Answer{};
}

constexpr QmpCommand kCommands[] = {
    {"qmp_capabilities", empty_object, {}, "enable?:[any]"},
    {"query-version", query_version, {}, "", "VersionInfo"},
    {"query-status", query_status, {}, "", "StatusInfo"},
    {"query-commands", query_commands, {}, "", "[CommandInfo]"},
    {"query-qmp-schema", query_schema, {}, "", "[any]"},
    {"query-name", query_name, {}, "", "NameInfo"},
    {"query-uuid", query_uuid, {}, "", "UuidInfo"},
    {"query-kvm",
     [](Monitor&, const Json&) {
       return answer_of({{"enabled", false}, {"present", false}});
     },
     {},
     "",
     "KvmInfo"},
    {"query-target",
     [](Monitor&, const Json&) {
       return answer_of({{"arch", "x86_64"}});
     },
     {},
     "",
     "TargetInfo"},
    {"query-machines", query_machines, {}, "", "[MachineInfo]"},
    {"query-cpu-definitions", query_cpu_definitions, {}, "", "[CpuDefinitionInfo]"},
    {"query-cpu-model-expansion",
     query_cpu_model_expansion,
     {},
     "type:CpuModelExpansionType, model:CpuModelInfo",
     "CpuModelExpansionInfo"},
    {"query-command-line-options", query_command_line_options, {}, "option?:str", "[CommandLineOptionInfo]"},
    {"query-events", query_events, {}, "", "[EventInfo]"},
    {"qom-list", qom_list, {}, "path:str", "[ObjectPropertyInfo]"},
    {"qom-list-types", qom_list_types, {}, "implements?:str, abstract?:bool", "[ObjectTypeInfo]"},
    {"qom-list-properties", list_properties, {}, "typename:str", "[ObjectPropertyInfo]"},
    {"device-list-properties", list_properties, {}, "typename:str", "[ObjectPropertyInfo]"},
    {"query-cpus-fast", query_cpus_fast, {}, "", "[CpuInfoFast]"},
    {"query-memory-size-summary",
     [](Monitor& monitor, const Json&) {
       return answer_of({{"base-memory", monitor.machine().config().ram_bytes}});
     },
     {},
     "",
     "MemoryInfo"},
    {"query-block", query_block, {}, "", "[BlockInfo]"},
    {"query-named-block-nodes", query_named_block_nodes, {}, "flat?:bool", "[BlockDeviceInfo]"},
    {"query-blockstats", query_blockstats, {}, "query-nodes?:bool", "[BlockStats]"},
    {"query-pci", query_pci, {}, "", "[PciInfo]"},
    {"query-vnc",
     [](Monitor&, const Json&) {
       return answer_of({{"enabled", false}});
     },
     {},
     "",
     "VncInfo"},
    // There is no migration.
    {"query-migrate", empty_object, {}, "", "MigrationInfo"},
    {"query-migrate-capabilities", migrate_capabilities, {}, "", "[MigrationCapabilityStatus]"},
    {"migrate-set-capabilities", set_migrate_capabilities, {}, "capabilities:[MigrationCapabilityStatus]"},
    {"query-migrate-parameters", empty_object, {}, "", "MigrationParameters"},
    {"query-balloon", query_balloon, {}, "", "BalloonInfo"},
    {"balloon", set_balloon, {}, "value:int"},
    {"query-chardev", query_chardev, {}, "", "[ChardevInfo]"},
    {"query-iothreads", query_iothreads, {}, "", "[IOThreadInfo]"},
    {"query-jobs", query_jobs, {}, "", "[JobInfo]"},
    {"job-dismiss", job_dismiss, {}, "id:str"},
    {"query-block-jobs", empty_list, {}, "", "[BlockJobInfo]"},
    {"query-memdev", query_memdev, {}, "", "[Memdev]"},
    {"query-mice", query_mice, {}, "", "[MouseInfo]"},
    {"query-tpm", empty_list, {}, "", "[TPMInfo]"},
    {"dump-guest-memory",
     dump_guest_memory_to,
     {},
     "paging:bool, protocol:str, detach?:bool, begin?:int, length?:int, format?:DumpGuestMemoryFormat"},
    {"query-dump", query_dump, {}, "", "DumpQueryResult"},
    {"query-dump-guest-memory-capability", query_dump_capability, {}, "", "DumpGuestMemoryCapability"},
    {"snapshot-save", snapshot_save, {}, "job-id:str, tag:str, vmstate:str, devices:[str]"},
    {"snapshot-load", snapshot_load, {}, "job-id:str, tag:str, vmstate:str, devices:[str]"},
    {"snapshot-delete", snapshot_delete, {}, "job-id:str, tag:str, devices:[str]"},
    {"stop", nullptr, "stop"},
    {"cont", nullptr, "cont"},
    {"quit", nullptr, "quit"},
    {"system_reset", nullptr, "reset"},
    {"system_powerdown", nullptr, "powerdown"},
    {"inject-nmi", nullptr, "nmi"},
    {"human-monitor-command", human, {}, "command-line:str, cpu-index?:int", "str"},
    {"screendump", screendump, {}, "filename:str, device?:str, head?:int, format?:ImageFormat"},
    {"send-key", send_key, {}, "keys:[KeyValue], hold-time?:int"},
    {"device_add", device_add, {}, "driver:str, bus?:str, id?:str, ..."},
    {"device_del", device_del, {}, "id:str"},
    {"netdev_add", netdev_add, {}, "type:NetClientDriver, id:str, ..."},
    {"netdev_del", netdev_del, {}, "id:str"},
    {"blockdev-add",
     blockdev_add,
     {},
     "driver:BlockdevDriver, node-name?:str, read-only?:bool, filename?:str, file?:any, ..."},
    {"blockdev-del", blockdev_del, {}, "node-name:str"},
    {"block_resize", no_resize, {}, "device?:str, node-name?:str, size:int"},
    {"chardev-add", nothing_is_plugged, {}, "id:str, backend:any"},
    {"chardev-remove", nothing_is_plugged, {}, "id:str"},
    {"object-add", nothing_is_plugged, {}, "qom-type:str, id:str, ..."},
    {"object-del", nothing_is_plugged, {}, "id:str"},
    {"set_link", set_link, {}, "name:str, up:bool"},
    {"eject", eject, {}, "device?:str, id?:str, force?:bool"},
    {"change", change_medium, {}, "device:str, target:str, arg?:str"},
    {"blockdev-change-medium",
     change_medium,
     {},
     "device?:str, id?:str, filename:str, format?:str, force?:bool, read-only-mode?:str"},
};

}  // namespace

std::string text_in(const Json& arguments, std::string_view name) {
  if (!arguments.is_object()) return {};
  const auto found = arguments.find(name);
  return found == arguments.end() || !found->is_string() ? std::string() : found->get<std::string>();
}

bool is_true_in(const Json& arguments, std::string_view name) {
  if (!arguments.is_object()) return false;
  const auto found = arguments.find(name);
  return found != arguments.end() && found->is_boolean() && found->get<bool>();
}

std::span<const QmpCommand> qmp_commands() { return kCommands; }

std::string_view qmp_status(Machine& machine) {
  if (machine.is_off()) return "shutdown";
  if (!machine.stopped()) return machine.pc().asleep() ? "suspended" : "running";
  return machine.retired() == 0 ? "prelaunch" : "paused";
}

}  // namespace reprise::machine::monitor
