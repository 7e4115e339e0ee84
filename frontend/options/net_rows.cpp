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
  const std::string dump = draft.options.config.net.dump_path;
  draft.options.config.net = want(given, machine::parse_net(given.value));
  draft.options.config.net.dump_path = dump;
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
         "several runs, and QEMU's -netdev stream, over a unix socket. A card "
         "of --device has user unless --net is given, with restrict=yes when there is no terminal. "
         "docs/network.md.",
     .words = "none user hub:",
     .behind = words_behind_net,
     .of_machine = true,
     .set = set_net},
    {.name = "--net-dump",
     .value = "FILE",
     .shown = Shown::Line,
     .help = "every frame, as a capture for tcpdump and Wireshark, with times of the guest's",
     .set = [](RunDraft& draft, const Given& given) { draft.options.config.net.dump_path = given.value; }},
};

}  // namespace

void complete_network(RunDraft& draft) {
  machine::MachineConfig& config = draft.options.config;
  const bool has_card = std::ranges::any_of(config.devices, [](const machine::DeviceConfig& device) {
    return machine::is_net_card(device.driver);
  });
  // Alone, a run stays a function of its command.
  if (!draft.has("--net") && machine::user_network_offered() && has_card) {
    config.net.kind = machine::NetConfig::Kind::User;
    config.net.restricted = isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0;
  }
  if (!config.net.dump_path.empty() && config.net.kind == machine::NetConfig::Kind::None)
    throw BadValue{"--net-dump needs a network: add --net user"};
  if (config.net.kind == machine::NetConfig::Kind::None) return;
  if (!has_card) config.devices.push_back({.driver = "virtio-net"});
  // What comes from outside is dated: certificates, signed lists of packages.
  if (config.net.kind == machine::NetConfig::Kind::User && !config.net.restricted && !draft.has("--rtc"))
    config.rtc_unix_s = std::time(nullptr);
}

std::span<const RunOption> net_rows() { return kNetRows; }

}  // namespace reprise::frontend
