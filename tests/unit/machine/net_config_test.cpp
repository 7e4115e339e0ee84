// --net as words.
#include "machine/net/net_config.h"

#include <gtest/gtest.h>

#include "machine/net/router_advertisement.h"
#include "machine/plug/property.h"

namespace reprise::machine {
namespace {

TEST(NetConfig, IsWhatItWasMadeOf) {
  for (const char* text :
       {"none", "hub:/run/a,b=c", "user", "user,restrict=yes",
        "user,net=192.168.7.0/25,hostfwd=tcp:127.0.0.1:8080-:80",
        "user,hostfwd=udp:0.0.0.0:0-10.0.2.20:53,tftp=/srv/tftp,bootfile=pxelinux.0",
        "user,hostfwd=tcp:[::1]:2222-[fec0::15]:22,hostfwd=udp:[::]:0-[fec0::5054:ff:fe12:3456]:53"}) {
    const auto config = parse_net(text);
    ASSERT_TRUE(config) << text << ": " << config.error().message;
    EXPECT_EQ(net_text(config.value()), text);
  }
  const auto forward = parse_net("user,hostfwd=tcp::0-:22");
  ASSERT_TRUE(forward);
  EXPECT_EQ(address_text(forward.value().forwards.at(0).host), "127.0.0.1")
      << "never open to others unless asked";
  EXPECT_EQ(net_text(parse_net("user,hostfwd=::0-[fec0::15]:22").value()),
            "user,hostfwd=tcp:[::1]:0-[fec0::15]:22")
      << "likewise";
  EXPECT_EQ(forward_text(parse_forwarded("udp:[::1]:53").value()),
            "udp [::1]:53 goes to the guest's 0.0.0.0:0");
  EXPECT_EQ(forward_text(parse_forward("tcp:1.2.3.4:5-:6", {}).value()),
            "tcp 1.2.3.4:5 goes to the guest's 0.0.0.0:6");
  for (const char* wrong :
       {"", "tcp", "tcp:", "tcp:22", "tcp::0", "tcp:::1:22", "tcp::22-:22", "sctp::22", "tcp:[::1]22"})
    EXPECT_FALSE(parse_forwarded(wrong)) << wrong;
  EXPECT_EQ(net_text(parse_net("user,net=10.1.2.99").value()), "user,net=10.1.2.0/24");
}

TEST(NetConfig, SaysWhatIsWrong) {
  for (const auto& [text, part] :
       {std::pair{"tap", "none of user, hub:PATH, none"},
        {"none,restrict=yes", "nothing behind it"},
        {"user,restrict=maybe", "restrict=maybe"},
        {"user,hostfwd=tcp::80", "hostfwd=tcp::80"},
        {"user,hostfwd=sctp::80-:80", "hostfwd=sctp"},
        {"user,hostfwd=tcp::80-:0", "hostfwd="},
        {"user,hostfwd=tcp::65536-:80", "hostfwd="},
        {"user,hostfwd=tcp:1.2.3:80-:80", "'1.2.3' is not an IPv4"},
        {"user,hostfwd=tcp:::1:80-:80", "stands in brackets"},
        {"user,hostfwd=tcp:[::1:80-:80", "as tcp::2222-:22 or tcp:[::1]:2222-[fec0::15]:22"},
        {"user,hostfwd=tcp:[1.2.3.4]:80-:80", "'1.2.3.4' is not an IPv6"},
        {"user,hostfwd=tcp:[::1]:80-:80", "name it, as in [fec0::15]:80"},
        {"user,hostfwd=tcp:[::1]:80-10.0.2.15:80", "two of one kind"},
        {"user,hostfwd=tcp:1.2.3.4:80-[fec0::15]:80", "two of one kind"},
        {"user,hostfwd=tcp::80-[fe80::1]:80", "not in the guest's network, fec0::/64"},
        {"user,hostfwd=tcp::80-[fec0::2]:80", "no address that a guest"},
        {"user,net=10.0.2.0/28", "8 to 27"},
        {"user,net=ten", "net=ten"},
        {"user,net=127.0.0.0/8", "machines cannot"},
        {"user,net=239.1.0.0/16", "machines cannot"},
        {"user,hostfwd=tcp::0-10.0.3.15:80", "not in the guest's network, 10.0.2.0/24"},
        {"user,hostfwd=tcp::0-10.0.2.15:80,net=10.0.3.0/24", "10.0.3.0/24"},
        {"user,hostfwd=udp::0-10.0.2.2:80", "no address that a guest"},
        {"user,hostfwd=udp::0-10.0.2.255:80", "no address that a guest"},
        {"user,bootfile=", "bootfile="},
        {"user,tftp=", "tftp="},
        {"user,colour=red", "'colour=red' is none of"}}) {
    const auto config = parse_net(text);
    ASSERT_FALSE(config) << text;
    EXPECT_NE(config.error().message.find(part), std::string::npos) << config.error().message;
  }
}

TEST(NetConfig, AddressesOfStations) {
  EXPECT_EQ(parse_mac("52:54:00:12:34:aB"), (std::array<u8, 6>{0x52, 0x54, 0, 0x12, 0x34, 0xab}));
  for (const char* wrong :
       {"", "52:54:00:12:34", "52:54:00:12:34:5", "53:54:00:12:34:56", "00:00:00:00:00:00",
        "52-54-00-12-34-56", "52:54:00:12:34:5g", "52:54:00:12:34:56:"})
    EXPECT_FALSE(parse_mac(wrong)) << wrong;
}

TEST(RouterAdvertisement, NamesNoNameServers) {
  std::vector<u8> frame(14 + 40 + 16 + 8, 0);
  frame[12] = 0x86, frame[13] = 0xdd, frame[14] = 0x60, frame[14 + 5] = 24, frame[14 + 6] = 58,
  frame[54] = 134;
  frame[70] = 1, frame[71] = 1;
  std::vector<u8> changed;
  EXPECT_EQ(without_name_servers(frame, changed).data(), frame.data());
  std::vector<u8> longer = frame;
  longer[14 + 5] = 48;
  longer.resize(frame.size() + 24, 0x55);
  longer[78] = 25, longer[79] = 3;
  const auto shorter = without_name_servers(longer, changed);
  ASSERT_EQ(shorter.size(), frame.size());
  EXPECT_EQ(shorter[14 + 5], 24);
  // The whole, with its pseudo header, sums up to all ones.
  u64 sum = 24 + 58;
  for (std::size_t i = 22; i < shorter.size(); ++i)
    sum += i % 2 == 0 ? u64{shorter[i]} << 8 : u64{shorter[i]};
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  EXPECT_EQ(sum, 0xffffu);
  longer[79] = 0;  // an option without a length ends the list
  EXPECT_EQ(without_name_servers(longer, changed).size(), longer.size());
}

}  // namespace
}  // namespace reprise::machine
