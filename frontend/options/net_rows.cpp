// The network.
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "frontend/options/run_rows.h"
#include "frontend/options/want.h"
#include "machine/net/net_config.h"
#include "machine/plug/device_registry.h"

namespace reprise::frontend {
namespace {

void set_net(RunDraft& draft, const Given& given) {
  draft.options.config.net = want(given, machine::parse_net(given.value));
}

std::vector<WordsBehind> words_behind_net() {
  return {{"user", "restrict=yes hostfwd=tcp: net= tftp= bootfile="}};
}

constexpr RunOption kNetRows[] = {
    {.name = "--net",
     .value = "NETWORK",
     .help = "none, user[,restrict=yes][,hostfwd=tcp:[ADDR]:PORT-[ADDR]:PORT][,tftp=FOLDER], or hub:PATH",
     .more =
         "What network cards are connected with, and a virtio-net if --device gave none. user: DHCP, name "
         "service and connections through this host's; restrict=yes: nothing leaves. hostfwd= (also udp:, "
         "several "
         "times; port 0 takes a free one; ADDR is 127.0.0.1 unless given) passes connections to the host on "
         "to the "
         "guest. bootfile=NAME is what DHCP names, net=ADDR/BITS the guest's network. hub: frames between "
         "several runs, and QEMU's -netdev stream, over a unix socket. The default is user where firmware "
         "boots a drive and for a card of --device, with restrict=yes when there is neither a terminal nor a "
         "window, and else none. docs/network.md.",
     .words = "none user hub:",
     .behind = words_behind_net,
     .of_machine = true,
     .set = set_net},
    {.name = "--net-dump",
     .value = "FILE",
     .shown = Shown::Line,
     .help = "every frame, as a capture for tcpdump and Wireshark, with times of the guest's",
     .set = [](RunDraft& draft, const Given& given) { draft.options.capture_path = given.value; }},
};

bool is_drive(std::string_view driver) { return machine::find_device_row(driver)->is_drive(); }

/// At a terminal, or at a window.
bool somebody_looks(const RunOptions& options) {
  return (isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0) ||
         std::ranges::any_of(options.displays, [](const DisplayChoice& display) {
           return display.kind == DisplayChoice::Kind::Sdl;
         });
}

}  // namespace

bool boots_from_network(const RunDraft& draft) {
  const machine::FirmwareConfig& firmware = draft.options.config.firmware;
  const auto is_network = [](const std::string& word) { return word.starts_with("network"); };
  return std::ranges::any_of(firmware.boot_order, is_network) ||
         std::ranges::any_of(firmware.first_boot_order, is_network);
}

void complete_network(RunDraft& draft) {
  machine::MachineConfig& config = draft.options.config;
  const auto any_device = [&](auto is) {
    return std::ranges::any_of(config.devices,
                               [&](const machine::DeviceConfig& device) { return is(device.driver); });
  };
  const bool has_card = any_device(machine::is_net_card);
  const bool firmware_boots = !draft.has("--kernel") && (any_device(is_drive) || boots_from_network(draft));
  if (!draft.has("--net") && machine::user_network_offered() && (has_card || firmware_boots)) {
    config.net.kind = machine::NetConfig::Kind::User;
    // Alone, a run stays a function of its command.
    config.net.restricted = !somebody_looks(draft.options);
  }
  if (!draft.options.capture_path.empty() && config.net.kind == machine::NetConfig::Kind::None)
    throw BadValue{"--net-dump needs a network: add --net user"};
  if (config.net.kind == machine::NetConfig::Kind::None) return;
  if (!has_card) config.devices.push_back({.driver = "virtio-net"});
  // What comes from outside is dated: certificates, signed lists of packages.
  if (config.net.kind == machine::NetConfig::Kind::User && !config.net.restricted && !draft.has("--rtc")) {
    config.rtc_unix_s = std::time(nullptr);
    draft.options.rtc_start = RtcStart::Host;
  }
}

std::span<const RunOption> net_rows() { return kNetRows; }

}  // namespace reprise::frontend
