// Networks and their cards, as far as one option says it.
#include <fmt/format.h>

#include "frontend/options/option.h"
#include "frontend/qemu/option_row.h"

namespace reprise::frontend::qemu {
namespace {

/// A user network's keys as --net user has them.
std::vector<std::string> take_user(Draft& draft, KeyValues& keys) {
  std::vector<std::string> words;
  if (keys.take_switch("restrict") == true) words.emplace_back("restrict=yes");
  if (const auto net = keys.take("net")) words.push_back("net=" + *net);
  for (const std::string& forward : keys.take_all("hostfwd")) words.push_back("hostfwd=" + forward);
  if (const auto folder = keys.take("tftp")) words.push_back("tftp=" + *folder);
  if (const auto file = keys.take("bootfile")) words.push_back("bootfile=" + *file);
  // Names that DHCP tells, and which kinds of addresses.
  for (const std::string_view key : {"hostname", "domainname", "dnssearch"})
    if (const auto name = keys.take(key))
      draft.note(fmt::format("{} {}: DHCP tells the guest no {}.", keys.option(), keys.text(), key));
  keys.ignore("ipv4 ipv6");
  for (const std::string_view key :
       {"dhcpstart", "dns", "host", "guestfwd", "smb", "smbserver", "ipv6-net", "ipv6-host", "ipv6-prefix",
        "ipv6-prefixlen", "ipv6-dns", "tftp-server-name"})
    if (keys.has(key)) keys.refuse(fmt::format("{}= cannot be chosen: leave it out", key));
  return words;
}

Netdev take_netdev(Draft& draft, KeyValues& keys, const std::string& kind) {
  Netdev netdev{.option = fmt::format("{} {}", keys.option(), keys.text()), .kind = kind};
  if (kind == "user")
    netdev.our_words = take_user(draft, keys);
  else if (kind != "none" && kind != "hubport")
    keys.refuse(fmt::format("a network of kind '{}' is not there: give user or none", kind));
  return netdev;
}

void add_netdev(Draft& draft, std::string_view option, const std::string& value) {
  KeyValues keys = KeyValues::parse(option, value, "type");
  const std::string kind = keys.take_or_empty("type");
  const std::string id = keys.take_or_empty("id");
  if (id.empty()) keys.refuse("it has no id=");
  if (kind == "hubport") keys.refuse("a network of kind 'hubport' is not there: give user");
  draft.netdevs[id] = take_netdev(draft, keys, kind);
  keys.refuse_rest();
}

std::string new_id(Draft& draft) { return fmt::format("#net{}", draft.next_id++); }

/// A network and a card in one.
void add_nic(Draft& draft, std::string_view option, const std::string& value) {
  KeyValues keys = KeyValues::parse(option, value, "type");
  const std::string kind = keys.take_or_empty("type");
  if (kind == "none") {
    draft.net_none = true;
    return;
  }
  keys.ignore("id");
  Netdev netdev = take_netdev(draft, keys, kind);
  const std::string id = new_id(draft);
  KeyValues card =
      KeyValues::parse(option, fmt::format("model={},netdev={}", keys.take("model").value_or("e1000"), id));
  if (const auto mac = keys.take_any({"mac", "macaddr"}))
    card = KeyValues::parse(option,
                            fmt::format("model={},netdev={},mac={}", card.take_or_empty("model"), id, *mac));
  keys.ignore("addr vectors");
  keys.refuse_rest();
  draft.netdevs[id] = std::move(netdev);
  draft.cards.push_back(std::move(card));
}

/// -net nic and -net user, of which all are on one hub.
void add_net(Draft& draft, std::string_view option, const std::string& value) {
  KeyValues keys = KeyValues::parse(option, value, "type");
  const std::string kind = keys.take_or_empty("type");
  if (kind == "none") {
    draft.net_none = true;
    return;
  }
  keys.ignore("vlan name id");
  if (kind != "nic") {
    draft.netdevs["#hub"] = take_netdev(draft, keys, kind);
    keys.refuse_rest();
    return;
  }
  const std::string netdev = keys.take("netdev").value_or("#hub");
  std::string words = fmt::format("model={},netdev={}", keys.take("model").value_or("e1000"), netdev);
  if (const auto mac = keys.take_any({"macaddr", "mac"})) words += ",mac=" + *mac;
  keys.ignore("addr vectors");
  keys.refuse_rest();
  draft.cards.push_back(KeyValues::parse(option, words));
}

constexpr OptionRow kRows[] = {
    {" netdev ", "user,id=ID[,hostfwd=...][,...]", Effect::Translated, "--net, for a card of -device",
     add_netdev},
    {" nic ", "user[,model=MODEL][,...]|none", Effect::Translated, "--net and a card", add_nic},
    {" net ", "nic[,model=MODEL]|user[,...]|none", Effect::Translated, "the same in two options", add_net},
};

}  // namespace

std::span<const OptionRow> net_rows() { return kRows; }

}  // namespace reprise::frontend::qemu
