#include "frontend/qemu/tables.h"

#include <fmt/format.h>

#include "frontend/options/values.h"
#include "frontend/qemu/option_row.h"
#include "machine/outside/sink_names.h"

namespace reprise::frontend::qemu {
namespace {

using Tables = machine::monitor::EmulatorTables;

/// As QEMU shows what a chardev is connected with.
std::string filename_of(const std::string& target) {
  const std::optional<SerialTarget> parsed = parse_serial(target);
  if (!parsed || parsed->kind != SerialTarget::Kind::Socket) return target.substr(0, target.find(':'));
  const SocketAddress& address = parsed->socket;
  return socket_address_text(address) + (address.connects ? "" : ",server=on");
}

void add_end(Tables& tables, const Chardev& end, std::string_view label, std::string_view whose) {
  tables.chardevs.push_back({.label = end.label.empty() ? std::string(label) : end.label,
                             .filename = filename_of(end.target),
                             .end = std::string(whose)});
}

}  // namespace

std::shared_ptr<Tables> tables_of(const Draft& draft) {
  auto tables = std::make_shared<Tables>();
  tables->guest_name = draft.guest_name;
  tables->boards = boards();
  tables->types = device_types();
  for (Tables::Type& type : object_types()) tables->types.push_back(std::move(type));
  for (Tables::Type& type : machine_types()) tables->types.push_back(std::move(type));
  for (const std::string_view name : option_names()) tables->options.emplace_back(name);
  tables->memories = draft.memories;
  tables->io_threads = draft.io_threads;
  const std::string_view sinks[] = {machine::kCom1Sink, machine::kCom2Sink};
  for (std::size_t i = 0; i < draft.serials.size() && i < std::size(sinks); ++i)
    if (draft.serials[i]) add_end(*tables, *draft.serials[i], fmt::format("serial{}", i), sinks[i]);
  for (std::size_t i = 0; i < draft.ports.size(); ++i)
    if (!draft.ports[i].label.empty()) add_end(*tables, draft.ports[i], "", fmt::format("port{}", i));
  for (std::size_t i = 0; i < draft.monitors.size(); ++i)
    add_end(*tables, draft.monitors[i].at, fmt::format("compat_monitor{}", i), "");
  return tables;
}

}  // namespace reprise::frontend::qemu
