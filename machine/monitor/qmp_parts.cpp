// Parts of the machine that its command line named, and what people have in their hands. QEMU, "QEMU QMP Reference Manual".
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "machine/monitor/emulator_tables.h"
#include "machine/monitor/qmp_handlers.h"
#include "machine/plug/device_registry.h"
#include "machine/plug/pc_slots.h"

namespace reprise::machine::monitor {

Outcome query_name(Monitor& monitor, const Json&) {
  Json json = Json::object();
  if (const std::string& name = monitor.tables().guest_name; !name.empty()) json["name"] = name;
  return answer_of(std::move(json));
}

Outcome query_chardev(Monitor& monitor, const Json&) {
  Json list = Json::array();
  for (const EmulatorTables::Chardev& end : monitor.tables().chardevs)
    list.push_back({{"label", end.label}, {"filename", end.filename}, {"frontend-open", true}});
  return answer_of(std::move(list));
}

/// All of them are the machine's own thread.
Outcome query_iothreads(Monitor& monitor, const Json&) {
  Json list = Json::array();
  for (const std::string& id : monitor.tables().io_threads)
    list.push_back({{"id", id}, {"thread-id", getpid()}});
  return answer_of(std::move(list));
}

Outcome query_memdev(Monitor& monitor, const Json&) {
  Json list = Json::array();
  for (const EmulatorTables::Memory& memory : monitor.tables().memories)
    list.push_back({{"id", memory.id},
                    {"size", memory.bytes},
                    {"merge", false},
                    {"dump", true},
                    {"prealloc", false},
                    {"share", false},
                    {"host-nodes", Json::array()},
                    {"policy", "default"}});
  return answer_of(std::move(list));
}

Outcome qom_list(Monitor& monitor, const Json& arguments) {
  constexpr std::string_view kNamedDevices = "/machine/peripheral";
  const std::string path = text_in(arguments, "path");
  if (path != kNamedDevices) return failed(fmt::format("Device '{}' not found", path.substr(0, 60)));
  Machine& machine = monitor.machine();
  Json list = Json::array();
  const auto add = [&](const std::string& id, const DeviceRow& row) {
    const std::string_view type = row.qemu_name.empty() ? row.driver : row.qemu_name;
    list.push_back({{"name", id}, {"type", fmt::format("child<{}>", type)}});
  };
  // Where cards come and go, those are there that are in a slot.
  const std::vector<HotCard>& cards = machine.pc().hot_cards();
  for (const DeviceConfig& device : machine.config().devices) {
    const DeviceRow* const row = find_device_row(device.driver);
    if (device.id.empty() || row == nullptr) continue;
    if (cards.empty() || row->place.name != kPciSlot.name) add(device.id, *row);
  }
  for (const HotCard& card : cards)
    if (const DeviceRow* const row = find_device_row(card.driver);
        card.slot && !card.id.empty() && row != nullptr)
      add(card.id, *row);
  return answer_of(std::move(list));
}

Outcome query_mice(Monitor& monitor, const Json&) {
  Machine& machine = monitor.machine();
  const auto& devices = machine.config().devices;
  const auto has = [&](std::string_view driver) {
    return std::ranges::count(devices, driver, &DeviceConfig::driver) != 0;
  };
  const bool tablet_has_it = machine.input_status().absolute_pointer();
  Json list = Json::array();
  const auto add = [&](std::string_view name, bool absolute, bool current) {
    list.push_back({{"name", name}, {"index", list.size()}, {"current", current}, {"absolute", absolute}});
  };
  add("QEMU PS/2 Mouse", false, !tablet_has_it);
  if (has("virtio-mouse")) add("QEMU Virtio Mouse", false, false);
  if (has("virtio-tablet")) add("QEMU Virtio Tablet", true, tablet_has_it);
  return answer_of(std::move(list));
}

}  // namespace reprise::machine::monitor
