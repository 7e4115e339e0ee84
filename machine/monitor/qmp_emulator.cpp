// What there is to be chosen: machines, processors, devices and their properties, options. QEMU, "QEMU QMP Reference Manual": "Machines",
// "QEMU Object Model (QOM)", "Virtual Device control".
#include <fmt/format.h>

#include <algorithm>

#include "cpu/profile/cpu_model.h"
#include "cpu/profile/cpu_names.h"
#include "machine/monitor/emulator_tables.h"
#include "machine/monitor/qmp_handlers.h"
#include "machine/monitor/qmp_schema.h"

namespace reprise::machine::monitor {
namespace {

constexpr std::string_view kCpuSuffix = "-x86_64-cpu";

Json properties_json(const std::vector<EmulatorTables::Property>& properties) {
  Json list = Json::array();
  for (const EmulatorTables::Property& property : properties) {
    Json one = {{"name", property.name}, {"type", property.type}};
    if (!property.help.empty()) one["description"] = property.help;
    list.push_back(std::move(one));
  }
  return list;
}

/// Those that QEMU names, and ours.
std::vector<std::string> processor_names() {
  std::vector<std::string> names;
  for (const std::string_view name : cpu::names_of_qemu_models()) names.emplace_back(name);
  for (const std::string_view name : cpu::cpu_model_names()) names.emplace_back(name);
  return names;
}

bool is_processor(std::string_view type) {
  if (!type.ends_with(kCpuSuffix)) return false;
  return std::ranges::count(processor_names(), type.substr(0, type.size() - kCpuSuffix.size())) != 0;
}

/// Features that a client sets, as words behind a model.
Result<std::string> feature_words(const Json& model) {
  std::string words;
  const auto properties = model.find("props");
  if (properties == model.end()) return words;
  if (!properties->is_object()) return Error{"Invalid parameter type for 'model.props', expected: object"};
  for (const auto& [name, value] : properties->items()) {
    if (name.find(',') != name.npos) return Error{fmt::format("Property '{}' not found", name.substr(0, 60))};
    if (!value.is_boolean())
      return Error{fmt::format("Invalid parameter type for '{}', expected: boolean", name.substr(0, 60))};
    words += fmt::format(",{}{}", value.get<bool>() ? '+' : '-', name.substr(0, 60));
  }
  return words;
}

}  // namespace

Outcome query_machines(Monitor& monitor, const Json&) {
  Json list = Json::array();
  for (const EmulatorTables::Board& board : monitor.tables().boards) {
    Json one = {{"name", board.name}};
    if (!board.alias.empty()) one["alias"] = board.alias;
    if (board.is_default) one["is-default"] = true;
    one["cpu-max"] = cpu::kMaxProcessors;
    one["hotpluggable-cpus"] = false;
    one["numa-mem-supported"] = false;
    one["deprecated"] = false;
    list.push_back(std::move(one));
  }
  return answer_of(std::move(list));
}

Outcome query_cpu_definitions(Monitor&, const Json&) {
  Json list = Json::array();
  for (const std::string& name : processor_names())
    list.push_back({{"name", name},
                    {"typename", fmt::format("{}{}", name, kCpuSuffix)},
                    {"unavailable-features", Json::array()},
                    {"static", false},
                    {"migration-safe", name != "host" && name != "max"},
                    {"deprecated", false}});
  return answer_of(std::move(list));
}

Outcome query_cpu_model_expansion(Monitor&, const Json& arguments) {
  const Json model = arguments.value("model", Json::object());
  const std::string name = text_in(model, "name");
  const Result<std::string> words = feature_words(model);
  if (!words) return failed(words.error().message);
  const std::string asked = name + words.value();
  const auto profile = cpu::parse_cpu_model(cpu::with_nearest_model(asked).value_or(asked));
  if (name.empty() || name.find(',') != name.npos)
    return failed(fmt::format("'{}' is no name of a processor", name.substr(0, 60)));
  if (!profile) return failed(profile.error().message);
  Json properties = Json::object();
  for (const cpu::NamedFeature& feature : cpu::named_features(profile.value()))
    properties[feature.name] = feature.has;
  return answer_of({{"model", {{"name", name}, {"props", std::move(properties)}}}});
}

Outcome query_command_line_options(Monitor& monitor, const Json& arguments) {
  const std::string wanted = text_in(arguments, "option");
  Json list = Json::array();
  for (const std::string& option : monitor.tables().options)
    if (wanted.empty() || wanted == option)
      list.push_back({{"option", option}, {"parameters", Json::array()}});
  if (list.empty() && !wanted.empty())
    return failed(fmt::format("invalid option name: {}", wanted.substr(0, 60)));
  return answer_of(std::move(list));
}

Outcome qom_list_types(Monitor& monitor, const Json& arguments) {
  const std::string wanted = text_in(arguments, "implements");
  Json list = Json::array();
  const auto add = [&](const std::string& name, const std::string& parent) {
    if (wanted.empty() || wanted == "object" || wanted == name || wanted == parent)
      list.push_back({{"name", name}, {"parent", parent}});
  };
  for (const EmulatorTables::Type& type : monitor.tables().types) add(type.name, type.parent);
  for (const std::string& name : processor_names()) add(fmt::format("{}{}", name, kCpuSuffix), "x86_64-cpu");
  return answer_of(std::move(list));
}

Outcome list_properties(Monitor& monitor, const Json& arguments) {
  const std::string wanted = text_in(arguments, "typename");
  const auto& types = monitor.tables().types;
  const auto type = std::ranges::find(types, wanted, &EmulatorTables::Type::name);
  if (type != types.end()) return answer_of(properties_json(type->properties));
  if (!is_processor(wanted)) return failed(fmt::format("Device '{}' not found", wanted.substr(0, 60)));
  Json list = Json::array();
  for (const cpu::NamedFeature& feature : cpu::named_features(cpu::default_profile()))
    list.push_back({{"name", feature.name}, {"type", "bool"}});
  return answer_of(std::move(list));
}

Outcome query_events(Monitor&, const Json&) {
  Json list = Json::array();
  for (const std::string_view name : qmp_event_names()) list.push_back({{"name", name}});
  return answer_of(std::move(list));
}

}  // namespace reprise::machine::monitor
