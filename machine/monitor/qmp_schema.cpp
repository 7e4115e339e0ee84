#include "machine/monitor/qmp_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <set>

#include "common/words.h"
#include "machine/monitor/qmp_commands.h"

namespace reprise::machine::monitor {
namespace {

struct NamedType {
  std::string_view name;
  std::string_view members;  // as in the header; "=a|b" is an enumeration
};

constexpr NamedType kTypes[] = {
    {"VersionTriple", "major:int, minor:int, micro:int"},
    {"VersionInfo", "qemu:VersionTriple, package:str"},
    {"RunState", "=prelaunch|running|paused|suspended|shutdown"},
    {"StatusInfo", "running:bool, singlestep:bool, status:RunState"},
    {"CommandInfo", "name:str"},
    {"NameInfo", "name?:str"},
    {"UuidInfo", "UUID:str"},
    {"KvmInfo", "enabled:bool, present:bool"},
    {"SysEmuTarget", "=x86_64"},
    {"TargetInfo", "arch:SysEmuTarget"},
    {"MachineInfo",
     "name:str, alias?:str, is-default?:bool, cpu-max:int, hotpluggable-cpus:bool, numa-mem-supported:bool, "
     "deprecated:bool"},
    {"CpuInstanceProperties", "socket-id?:int, core-id?:int, thread-id?:int"},
    {"CpuInfoFast",
     "cpu-index:int, qom-path:str, thread-id:int, props?:CpuInstanceProperties, target:SysEmuTarget"},
    {"MemoryInfo", "base-memory:int, plugged-memory?:int"},
    {"ImageInfo", "filename:str, format:str, virtual-size:int"},
    {"BlockDeviceInfo", "file:str, node-name?:str, ro:bool, drv:str, encrypted:bool, image:ImageInfo"},
    {"BlockInfo", "device:str, qdev?:str, type:str, removable:bool, locked:bool, inserted?:BlockDeviceInfo"},
    {"BlockDeviceStats",
     "rd_bytes:int, wr_bytes:int, unmap_bytes:int, rd_operations:int, wr_operations:int, "
     "flush_operations:int, "
     "unmap_operations:int"},
    {"BlockStats", "device?:str, qdev?:str, node-name?:str, stats:BlockDeviceStats"},
    {"PciDeviceClass", "desc?:str, class:int"},
    {"PciDeviceId", "device:int, vendor:int"},
    {"PciMemoryRegion", "bar:int, type:str, address:int, size:int"},
    {"PciDeviceInfo",
     "bus:int, slot:int, function:int, class_info:PciDeviceClass, id:PciDeviceId, qdev_id:str, "
     "regions:[PciMemoryRegion]"},
    {"PciInfo", "bus:int, devices:[PciDeviceInfo]"},
    {"VncInfo", "enabled:bool"},
    {"BalloonInfo", "actual:int"},
    {"ChardevInfo", "label:str, filename:str, frontend-open:bool"},
    {"IOThreadInfo", "id:str, thread-id:int"},
    {"JobType", "=snapshot-save|snapshot-delete"},
    {"JobStatus", "=created|running|waiting|pending|aborting|concluded|null"},
    {"JobInfo",
     "id:str, type:JobType, status:JobStatus, current-progress:int, total-progress:int, error?:str"},
    {"DumpGuestMemoryFormat", "=elf"},
    {"DumpStatus", "=none|completed"},
    {"DumpQueryResult", "status:DumpStatus, completed:int, total:int"},
    {"DumpGuestMemoryCapability", "formats:[DumpGuestMemoryFormat]"},
    {"CpuDefinitionInfo",
     "name:str, typename:str, static:bool, migration-safe?:bool, deprecated:bool, "
     "unavailable-features?:[str]"},
    {"CpuModelInfo", "name:str, props?:any"},
    {"CpuModelExpansionType", "=full|static"},
    {"CpuModelExpansionInfo", "model:CpuModelInfo"},
    {"CommandLineParameterInfo", "name:str, type:str, help?:str"},
    {"CommandLineOptionInfo", "option:str, parameters:[CommandLineParameterInfo]"},
    {"EventInfo", "name:str"},
    {"ObjectTypeInfo", "name:str, abstract?:bool, parent?:str"},
    {"ObjectPropertyInfo", "name:str, type:str, description?:str"},
    {"BlockJobInfo", "type:str, device:str, len:int, offset:int, busy:bool, paused:bool, speed:int"},
    {"HostMemPolicy", "=default"},
    {"Memdev",
     "id?:str, size:int, merge:bool, dump:bool, prealloc:bool, share:bool, host-nodes:[int], "
     "policy:HostMemPolicy"},
    {"MouseInfo", "name:str, index:int, current:bool, absolute:bool"},
    {"TPMInfo", "id:str"},
    {"MigrationInfo", ""},
    {"MigrationParameters", ""},
    {"MigrationCapability", "=events"},
    {"MigrationCapabilityStatus", "capability:MigrationCapability, state:bool"},
    {"KeyValueKind", "=qcode"},
    {"KeyValue", "type:KeyValueKind, data:str"},
    {"ImageFormat", "=ppm|png"},
    {"NetClientDriver", "=user"},
    {"BlockdevDriver", "=file|host_device|host_cdrom|raw|qcow2"},
    {"ShutdownCause",
     "=host-error|host-qmp-quit|host-qmp-system-reset|host-signal|guest-shutdown|guest-reset|guest-panic"},
    {"WatchdogAction", "=reset|shutdown|poweroff|debug|none|inject-nmi"},
    {"GuestPanicAction", "=pause|poweroff"},
};

/// What clients are told of without having asked: qmp.cpp.
constexpr NamedType kEvents[] = {
    {"STOP", ""},
    {"RESUME", ""},
    {"POWERDOWN", ""},
    {"RESET", "guest:bool, reason:ShutdownCause"},
    {"SHUTDOWN", "guest:bool, reason:ShutdownCause"},
    {"WATCHDOG", "action:WatchdogAction"},
    {"GUEST_PANICKED", "action:GuestPanicAction"},
    {"DEVICE_DELETED", "device?:str, path:str"},
    {"DUMP_COMPLETED", "result:DumpQueryResult"},
    {"JOB_STATUS_CHANGE", "id:str, status:JobStatus"},
};

struct Builtin {
  std::string_view name;
  std::string_view json_type;  // as an error names it, too
};
constexpr Builtin kBuiltins[] = {
    {"str", "string"}, {"int", "integer"}, {"bool", "boolean"}, {"any", "value"}};

constexpr std::string_view kOthers = "...";

struct Member {
  std::string_view name;
  std::string_view type;
  bool optional;
};

std::vector<Member> members_of(std::string_view members) {
  std::vector<Member> out;
  if (members.empty()) return out;
  for (const std::string_view word : words_between(members, ", ")) {
    if (word == kOthers) continue;
    const std::size_t colon = word.find(':');
    const bool optional = word[colon - 1] == '?';
    out.push_back({word.substr(0, colon - (optional ? 1 : 0)), word.substr(colon + 1), optional});
  }
  return out;
}

const NamedType* find_type(std::string_view name) {
  const auto* const found = std::ranges::find(kTypes, name, &NamedType::name);
  return found == std::end(kTypes) ? nullptr : found;
}

std::string_view element_of(std::string_view array) { return array.substr(1, array.size() - 2); }

/// What an error calls the type that `value` should have; empty: it has it.
std::string_view expected(std::string_view type, const Json& value) {
  if (type == "str") return value.is_string() ? "" : "string";
  if (type == "int") return value.is_number_integer() ? "" : "integer";
  if (type == "bool") return value.is_boolean() ? "" : "boolean";
  if (type == "any") return "";
  if (type.starts_with('[')) return value.is_array() ? "" : "array";
  const NamedType* const named = find_type(type);
  if (named != nullptr && named->members.starts_with('=')) return value.is_string() ? "" : "string";
  return value.is_object() ? "" : "object";
}

/// Collects the types that are named, each once.
class Schema {
 public:
  Json take() && { return std::move(entries_); }

  void add_command(const QmpCommand& command) {
    const std::string arguments = object_for(fmt::format("q_obj_{}-arg", command.name), command.arguments);
    entries_.push_back({{"name", command.name},
                        {"meta-type", "command"},
                        {"arg-type", arguments},
                        {"ret-type", type_for(command.returns)}});
  }
  void add_event(const NamedType& event) {
    entries_.push_back({{"name", event.name},
                        {"meta-type", "event"},
                        {"arg-type", object_for(fmt::format("q_obj_{}-arg", event.name), event.members)}});
  }
  /// Those that were only named so far.
  void add_types() {
    while (!named_.empty()) {
      const std::string type = std::move(named_.front());
      named_.pop_front();
      add_type(type);
    }
  }

 private:
  /// The name of an object with these members, which it adds.
  std::string object_for(std::string name, std::string_view members) {
    if (members.empty()) return type_for("");
    add_object(name, members);
    return name;
  }
  std::string type_for(std::string_view type) {
    std::string name(type.empty() ? kEmpty : type);
    if (known_.insert(name).second) named_.push_back(name);
    return name;
  }
  void add_object(const std::string& name, std::string_view members) {
    Json list = Json::array();
    for (const Member& member : members_of(members)) {
      Json one = {{"name", member.name}, {"type", type_for(member.type)}};
      if (member.optional) one["default"] = nullptr;
      list.push_back(std::move(one));
    }
    entries_.push_back({{"name", name}, {"meta-type", "object"}, {"members", std::move(list)}});
  }
  void add_type(const std::string& type) {
    if (type == kEmpty) return add_object(type, "");
    if (const auto* builtin = std::ranges::find(kBuiltins, type, &Builtin::name);
        builtin != std::end(kBuiltins)) {
      const std::string_view json = type == "int" ? "int" : builtin->json_type;
      entries_.push_back({{"name", type}, {"meta-type", "builtin"}, {"json-type", json}});
      return;
    }
    if (type.starts_with('[')) {
      const std::string element = type_for(element_of(type));
      entries_.push_back({{"name", type}, {"meta-type", "array"}, {"element-type", element}});
      return;
    }
    const NamedType* const named = find_type(type);
    if (named == nullptr) return;
    if (!named->members.starts_with('=')) return add_object(type, named->members);
    Json values = Json::array(), members = Json::array();
    for (const std::string_view value : words_between(named->members.substr(1), "|")) {
      values.push_back(value);
      members.push_back({{"name", value}});
    }
    entries_.push_back({{"name", type},
                        {"meta-type", "enum"},
                        {"members", std::move(members)},
                        {"values", std::move(values)}});
  }

  static constexpr std::string_view kEmpty = "q_empty";
  Json entries_ = Json::array();
  std::set<std::string> known_;
  std::deque<std::string> named_;
};

}  // namespace

Result<Done> check_qmp_arguments(std::string_view members, const Json& arguments) {
  const std::vector<Member> known = members_of(members);
  for (const Member& member : known) {
    const bool given = arguments.is_object() && arguments.contains(member.name);
    if (!given && member.optional) continue;
    if (!given) return Error{fmt::format("Parameter '{}' is missing", member.name)};
    if (const std::string_view type = expected(member.type, arguments[std::string(member.name)]);
        !type.empty())
      return Error{fmt::format("Invalid parameter type for '{}', expected: {}", member.name, type)};
  }
  if (!arguments.is_object() || members.ends_with(kOthers)) return Done{};
  for (const auto& [key, value] : arguments.items())
    if (std::ranges::find(known, key, &Member::name) == known.end())
      return Error{fmt::format("Parameter '{}' is unexpected", key.substr(0, 60))};
  return Done{};
}

std::vector<std::string_view> qmp_event_names() {
  std::vector<std::string_view> names;
  for (const NamedType& event : kEvents) names.push_back(event.name);
  return names;
}

Json qmp_schema() {
  Schema schema;
  for (const QmpCommand& command : qmp_commands()) schema.add_command(command);
  for (const NamedType& event : kEvents) schema.add_event(event);
  schema.add_types();
  return std::move(schema).take();
}

}  // namespace reprise::machine::monitor
