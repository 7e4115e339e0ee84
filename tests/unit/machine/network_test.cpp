// Cards, libslirp and the outside together: what it answers by itself, what comes through sockets, what is logged.
#include "machine/net/network.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "devices/net/tcp_frame.h"
#include "machine/clock/scheduler.h"
#include "machine/net/echo_filter.h"
#include "machine/outside/sink_names.h"

namespace reprise::machine {
namespace {

using Frame = std::vector<u8>;

constexpr devices::MacAddress kOwn = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

class FakeCard final : public devices::NetCard {
 public:
  void receive(std::span<const u8> frame) override { got.emplace_back(frame.begin(), frame.end()); }
  void set_link(bool up) override { link = up; }
  void burn_in(const devices::MacAddress&) override {}
  devices::MacAddress mac() const override { return address; }
  devices::MacAddress address = kOwn;
  std::vector<Frame> got;
  bool link = false;
};

struct NoInstructions final : RetiredCounter {
  u64 retired_now() const override { return 0; }
};

struct World {
  explicit World(const std::string& net, unsigned cards = 1)
      : network(parse_net(net).value(), nullptr, true, gate), card(cards) {
    outside.on_logged([this](LoggedEvent logged) { log.push_back(std::move(logged)); });
    std::vector<devices::NetCard*> list;
    for (FakeCard& one : card) {
      one.address[5] = static_cast<u8>(one.address[5] + list.size());
      list.push_back(&one);
    }
    started = network.start(clock, outside, list);
  }
  void wait(u64 ns) {
    for (const u64 end = clock.now_ns() + ns; clock.now_ns() < end;) {
      clock.skip_to(std::min(end, clock.next_deadline_ns()));
      clock.run_due();
    }
  }
  /// ARP request for 10.0.2.`last`.
  static Frame who_has(u8 last) {
    Frame frame(12, 0xff);
    std::ranges::copy(kOwn, frame.begin() + 6);
    for (const u8 byte : {0x08, 0x06, 0, 1, 8,  0, 6, 4, 0, 1, 0x52, 0x54, 0, 0x12, 0x34,
                          0x56, 10,   0, 2, 15, 0, 0, 0, 0, 0, 0,    10,   0, 2,    int{last}})
      frame.push_back(static_cast<u8>(byte));
    return frame;
  }

  NoInstructions none;
  Scheduler clock{none};
  std::vector<LoggedEvent> log;
  Outside outside{[this] { return Position{0, clock.now_ns(), 0}; }};
  OutputGate gate;
  Network network;
  std::vector<FakeCard> card;
  Result<Done> started = Done{};
};

bool is_absent(const World& world) {
  return !world.started && world.started.error().message.find("libslirp-dev") != std::string::npos;
}

TEST(Network, AnswersByItselfAtOnceAndTheSame) {
  std::vector<Frame> first;
  for (unsigned run = 0; run < 2; ++run) {
    World world("user,restrict=yes");
    if (is_absent(world)) GTEST_SKIP() << "no libslirp";
    ASSERT_TRUE(world.started);
    EXPECT_TRUE(world.card[0].link);
    world.network.send(world.card[0], World::who_has(2));
    EXPECT_TRUE(world.card[0].got.empty()) << "not in the middle of what the card does";
    world.clock.run_due();
    ASSERT_EQ(world.card[0].got.size(), 1u);
    EXPECT_EQ(world.card[0].got[0][21], 2) << "an answer";
    ASSERT_EQ(world.log.size(), 1u);
    EXPECT_EQ(std::get<PacketEvent>(world.log[0].event).frame, world.card[0].got[0]);
    world.network.send(world.card[0], World::who_has(99));
    EXPECT_EQ(world.card[0].got.size(), 1u) << "there is nobody";
    world.wait(1'000'000'000'000);
    EXPECT_EQ(world.card[0].got.size(), 3u) << "two router advertisements in 1000 s";
    EXPECT_FALSE(world.network.has_descriptors());
    EXPECT_TRUE(world.outside.inbox().closed());
    EXPECT_EQ(world.network.own_frames(), world.outside.events()) << "no sign of life";
    EXPECT_FALSE(world.network.info().reached);
    if (run == 0) first = world.card[0].got;
    EXPECT_EQ(world.card[0].got, first);
  }
}

TEST(Network, NoTwoCardsHaveOneAddress) {
  World world("none", 2);
  ASSERT_TRUE(world.started);
  world.card[1].address = kOwn;
  Network again(parse_net("none").value(), nullptr, true, world.gate);
  Outside outside([&world] { return Position{0, world.clock.now_ns(), 0}; });
  const Result<Done> started = again.start(world.clock, outside, {&world.card[0], &world.card[1]});
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("52:54:00:12:34:56"), std::string::npos) << started.error().message;
}

TEST(Network, CardsHearEachOther) {
  World world("user,restrict=yes", 2);
  if (is_absent(world)) GTEST_SKIP() << "no libslirp";
  world.network.send(world.card[1], World::who_has(77));
  ASSERT_EQ(world.card[0].got.size(), 1u);
  EXPECT_EQ(world.card[0].got[0], World::who_has(77));
  EXPECT_TRUE(world.card[1].got.empty());
  EXPECT_TRUE(world.log.empty());
}

/// A segment of TCP without payload, from 10.0.2.15, port 1000, to port 80 of 10.0.2.`last`.
Frame segment(const devices::MacAddress& to, u8 last, u8 flags, u32 sequence, u32 acknowledged) {
  Frame frame(to.begin(), to.end());
  frame.insert(frame.end(), kOwn.begin(), kOwn.end());
  for (const int byte : {8, 0,  0x45, 0, 0,  40, 0, 0, 0,         0,         64,          6, 0,
                         0, 10, 0,    2, 15, 10, 0, 2, int{last}, 1000 >> 8, 1000 & 0xff, 0, 80})
    frame.push_back(static_cast<u8>(byte));
  for (const u32 number : {sequence, acknowledged})
    for (int shift = 24; shift >= 0; shift -= 8) frame.push_back(static_cast<u8>(number >> shift));
  for (const int byte : {0x50, int{flags}, 0x20, 0, 0, 0, 0, 0}) frame.push_back(static_cast<u8>(byte));
  devices::finish_tcp(frame, devices::parse_tcp(frame).value());
  return frame;
}
constexpr devices::MacAddress kRouter = {0x52, 0x55, 10, 0, 2, 2};
using devices::TcpFrame;

TEST(Network, TheRouterLeavesAloneWhatIsForOthers) {
  constexpr devices::MacAddress kBehindABridge = {0x02, 0, 0, 0, 0, 1};
  World world("user");
  if (is_absent(world)) GTEST_SKIP() << "no libslirp";
  world.network.send(world.card[0], World::who_has(2));
  world.wait(1'000'000);
  world.card[0].got.clear();
  world.network.send(world.card[0], segment(kBehindABridge, 20, TcpFrame::kAck, 1, 1));
  world.wait(1'000'000);
  EXPECT_TRUE(world.card[0].got.empty());
  world.network.send(world.card[0], segment(kRouter, 20, TcpFrame::kAck, 1, 1));
  world.wait(1'000'000);
  ASSERT_EQ(world.card[0].got.size(), 1u) << "nobody knows this connection";
  EXPECT_EQ(devices::parse_tcp(world.card[0].got[0])->flags & TcpFrame::kRst, TcpFrame::kRst);
  EXPECT_FALSE(world.network.info().reached);
}

/// What there is to reset, after a state was loaded.
std::vector<Frame> resets_of(TcpConnections& connections) {
  Archive saved;
  connections.serialize(saved);
  TcpConnections later;
  Archive archive(saved.bytes());
  later.serialize(archive);
  EXPECT_TRUE(archive.ok() && archive.at_end());
  return later.take_resets();
}

TEST(TcpConnections, AreResetFromTheirFarEnds) {
  TcpConnections connections;
  connections.from_guest(segment(kRouter, 2, TcpFrame::kSyn, 100, 0));
  std::vector<Frame> resets = resets_of(connections);
  ASSERT_EQ(resets.size(), 1u);
  auto tcp = devices::parse_tcp(resets[0]);
  ASSERT_TRUE(tcp.has_value());
  EXPECT_TRUE(devices::has_right_checksums(resets[0], *tcp));
  EXPECT_EQ(tcp->flags, TcpFrame::kRst | TcpFrame::kAck) << "the guest has heard of no number yet";
  EXPECT_EQ(tcp->acknowledged, 101u);

  connections.from_guest(segment(kRouter, 2, TcpFrame::kAck, 101, 5000));
  resets = resets_of(connections);
  ASSERT_EQ(resets.size(), 1u);
  tcp = devices::parse_tcp(resets[0]);
  EXPECT_TRUE(devices::has_right_checksums(resets[0], *tcp));
  EXPECT_EQ(tcp->flags, TcpFrame::kRst);
  EXPECT_EQ(tcp->sequence, 5000u) << "what it waits for";
  EXPECT_TRUE(std::ranges::equal(std::span(resets[0]).first(6), kOwn));
  EXPECT_TRUE(std::ranges::equal(std::span(resets[0]).subspan(6, 6), kRouter));
  const Frame ends(resets[0].begin() + 26, resets[0].begin() + 38);
  EXPECT_EQ(ends, (Frame{10, 0, 2, 2, 10, 0, 2, 15, 0, 80, 1000 >> 8, 1000 & 0xff}));
}

TEST(TcpConnections, EndByBothFinsOrAReset) {
  TcpConnections connections;
  const auto back = [](u8 flags) {
    Frame frame = segment(kRouter, 2, flags, 5000, 101);
    std::swap_ranges(frame.begin(), frame.begin() + 6, frame.begin() + 6);
    std::swap_ranges(frame.begin() + 26, frame.begin() + 30, frame.begin() + 30);
    std::swap_ranges(frame.begin() + 34, frame.begin() + 36, frame.begin() + 36);
    return frame;
  };
  connections.from_guest(segment(kRouter, 2, TcpFrame::kAck, 101, 5000));
  connections.from_guest(segment(kRouter, 3, TcpFrame::kAck, 101, 5000));
  EXPECT_EQ(connections.count(), 2u);
  connections.to_guest(back(TcpFrame::kFin | TcpFrame::kAck));
  EXPECT_EQ(connections.count(), 2u) << "the guest may still send";
  connections.from_guest(segment(kRouter, 2, TcpFrame::kFin | TcpFrame::kAck, 101, 5001));
  EXPECT_EQ(connections.count(), 1u);
  connections.from_guest(segment(kRouter, 3, TcpFrame::kRst, 101, 0));
  EXPECT_EQ(connections.count(), 0u);
  connections.from_guest(segment(kRouter, 2, TcpFrame::kSyn, 1, 0));
  connections.to_guest(back(TcpFrame::kRst | TcpFrame::kAck));
  EXPECT_EQ(connections.count(), 0u);
  for (unsigned i = 0; i < 2 * TcpConnections::kMost; ++i) {
    Frame frame = segment(kRouter, 2, TcpFrame::kSyn, 1, 0);
    frame[34] = static_cast<u8>(i >> 8);
    frame[35] = static_cast<u8>(i);
    connections.from_guest(frame);
  }
  EXPECT_EQ(connections.count(), TcpConnections::kMost);
}

TEST(Network, WithoutOneNothingMoves) {
  World world("none");
  ASSERT_TRUE(world.started);
  EXPECT_FALSE(world.card[0].link);
  world.network.send(world.card[0], World::who_has(2));
  EXPECT_TRUE(world.card[0].got.empty());
  EXPECT_TRUE(world.clock.timer_names().empty());
}

TEST(Network, CallersComeInThroughForwards) {
  World world("user,restrict=yes,hostfwd=tcp::0-:80");
  if (is_absent(world)) GTEST_SKIP() << "no libslirp";
  ASSERT_TRUE(world.started) << world.started.error().message;
  const NetworkInfo info = world.network.info();
  ASSERT_EQ(info.config.forwards.size(), 1u);
  EXPECT_NE(info.config.forwards[0].host_port, 0);
  EXPECT_FALSE(info.reached);
  EXPECT_TRUE(world.network.has_descriptors());
  EXPECT_FALSE(world.outside.inbox().closed()) << "somebody may call";
  EXPECT_TRUE(world.outside.inbox().accompanied());

  const World second("user,hostfwd=tcp::" + std::to_string(info.config.forwards[0].host_port) + "-:81");
  ASSERT_FALSE(second.started) << "the port is taken";
  EXPECT_NE(second.started.error().message.find("cannot be forwarded"), std::string::npos);

  const HostFd caller(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in to = {.sin_family = AF_INET,
                    .sin_port = htons(info.config.forwards[0].host_port),
                    .sin_addr = {htonl(INADDR_LOOPBACK)},
                    .sin_zero = {}};
  ASSERT_EQ(connect(caller.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  world.network.watch();
  for (unsigned i = 0; i < 5000 && !world.network.ready(); ++i)
    world.outside.inbox().wait(std::chrono::milliseconds(1));
  EXPECT_TRUE(world.network.ready());
  world.network.serve();
  ASSERT_EQ(world.card[0].got.size(), 1u) << "who has the guest's address?";
  EXPECT_EQ(world.card[0].got[0][13], 0x06);
  EXPECT_TRUE(world.network.info().reached);
  EXPECT_TRUE(world.network.info().connected);
  EXPECT_EQ(world.network.own_frames(), 0u);

  // A state that is loaded: the connection is gone, and the guest sees it, as it does one that it has made itself.
  world.network.send(world.card[0], segment(kRouter, 2, TcpFrame::kAck, 1, 77));
  Archive saved;
  world.network.serialize(saved);
  World later("user,restrict=yes,hostfwd=tcp::0-:80");
  Archive archive(saved.bytes());
  later.network.serialize(archive);
  EXPECT_TRUE(archive.ok() && archive.at_end());
  EXPECT_FALSE(later.card[0].link);
  later.card[0].got.clear();
  later.wait(2'000'000'000);
  EXPECT_TRUE(later.card[0].link);
  ASSERT_EQ(later.card[0].got.size(), 2u) << "the answer that was under way, and the reset";
  EXPECT_EQ(devices::parse_tcp(later.card[0].got[1])->flags, TcpFrame::kRst);
  EXPECT_EQ(devices::parse_tcp(later.card[0].got[1])->sequence, 77u);
}

TEST(Network, ForwardsComeAndGo) {
  World world("user,restrict=yes");
  if (is_absent(world)) GTEST_SKIP() << "no libslirp";
  ASSERT_TRUE(world.started);
  EXPECT_TRUE(world.outside.inbox().closed());
  const auto added = world.network.add_forward("tcp::0-:80");
  ASSERT_TRUE(added) << added.error().message;
  EXPECT_NE(added.value().host_port, 0);
  EXPECT_EQ(end_text(added.value().guest, 80), "10.0.2.15:80");
  EXPECT_FALSE(world.outside.inbox().closed()) << "somebody may call";
  const auto other = world.network.add_forward("udp::0-:53");
  ASSERT_TRUE(other);
  EXPECT_NE(other.value().host_port, 0);
  EXPECT_EQ(world.network.info().config.forwards.size(), 2u);
  EXPECT_NE(world.network.connections().value().find("HOST_FORWARD"), std::string::npos);
  EXPECT_FALSE(world.network.add_forward("tcp::80"));
  EXPECT_FALSE(world.network.add_forward("tcp::0-10.0.3.15:80"));
  EXPECT_FALSE(world.network.remove_forward("tcp::1"));
  EXPECT_TRUE(world.network.remove_forward("udp::" + std::to_string(other.value().host_port)));
  EXPECT_TRUE(world.network.remove_forward("tcp::" + std::to_string(added.value().host_port)));
  EXPECT_TRUE(world.network.info().config.forwards.empty());
  EXPECT_TRUE(world.outside.inbox().closed());
  EXPECT_TRUE(world.network.add_forward("tcp::" + std::to_string(added.value().host_port) + "-:80"))
      << "it is free again";
  if (const auto v6 = world.network.add_forward("tcp:[::1]:0-[fec0::15]:80"); v6) {
    EXPECT_NE(v6.value().host_port, 0);
    EXPECT_TRUE(world.network.remove_forward("tcp:[::1]:" + std::to_string(v6.value().host_port)));
  }
  World hub("none");
  EXPECT_FALSE(hub.network.add_forward("tcp::0-:80"));
  EXPECT_FALSE(hub.network.connections());
}

TEST(Network, CablesArePulledAndPluggedIn) {
  World world("user,restrict=yes", 2);
  if (is_absent(world)) GTEST_SKIP() << "no libslirp";
  ASSERT_TRUE(world.started);
  EXPECT_FALSE(world.network.cable_sink("net2", true));
  EXPECT_FALSE(world.network.cable_sink("", true));
  const auto press = [&](std::string_view card, bool plugged) {
    world.outside.enter(world.network.cable_sink(card, plugged).value(), ButtonEvent{});
  };
  press("52:54:00:12:34:57", false);
  EXPECT_TRUE(world.card[0].link);
  EXPECT_FALSE(world.card[1].link);
  EXPECT_EQ(world.network.info().unplugged, std::vector<std::string>{"52:54:00:12:34:57"});
  ASSERT_EQ(world.log.size(), 1u) << "it is input from outside";
  Archive saved;
  world.network.serialize(saved);
  World later("user,restrict=yes", 2);
  Archive archive(saved.bytes());
  later.network.serialize(archive);
  EXPECT_TRUE(archive.ok() && archive.at_end());
  later.outside.enter(later.network.cable_sink("net0", false).value(), ButtonEvent{});
  later.outside.enter(later.network.cable_sink("net0", true).value(), ButtonEvent{});
  EXPECT_TRUE(later.card[0].link);
  EXPECT_FALSE(later.card[1].link) << "it was pulled before";
  press("net1", true);
  EXPECT_TRUE(world.card[1].link);
}

TEST(EchoFilter, KnowsPings) {
  Frame frame(42);
  frame[12] = 8, frame[14] = 0x45, frame[23] = 1, frame[34] = 8, frame[39] = 7, frame[41] = 3;
  const auto request = echo_request(frame);
  ASSERT_TRUE(request);
  EXPECT_EQ(std::pair(request->id, request->sequence), std::pair(u16{7}, u16{3}));
  EXPECT_FALSE(echo_request(std::span(frame).first(41)));
  frame[34] = 0;
  EXPECT_FALSE(echo_request(frame)) << "an answer";
  frame.resize(62);
  frame[12] = 0x86, frame[13] = 0xdd, frame[20] = 58, frame[54] = 128, frame[59] = 9, frame[61] = 1;
  ASSERT_TRUE(echo_request(frame));
  EXPECT_TRUE(echo_request(frame)->v6);
  EXPECT_EQ(echo_request(frame)->id, 9);
}

/// Sends ICMP messages to this host, and returns what a socket that waits for one answer hears of them.
std::vector<u8> heard(int family, int protocol, const std::vector<Frame>& messages,
                      const EchoRequest& request) {
  const HostFd ear(socket(family, SOCK_RAW | SOCK_CLOEXEC, protocol)),
      mouth(socket(family, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!ear || !mouth) return {};
  hear_only_answer(ear.get(), request);
  sockaddr_in v4 = {
      .sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  sockaddr_in6 v6 = {};
  v6.sin6_family = AF_INET6;
  v6.sin6_addr = IN6ADDR_LOOPBACK_INIT;
  for (const Frame& message : messages) {
    const bool six = family == AF_INET6;
    const sockaddr* const to = six ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4);
    if (sendto(mouth.get(), message.data(), message.size(), 0, to, six ? sizeof v6 : sizeof v4) < 0)
      return {};
  }
  std::vector<u8> all;
  Frame one(2000);
  pollfd ready = {ear.get(), POLLIN, 0};
  while (poll(&ready, 1, all.empty() ? 1000 : 50) > 0) {
    const ssize_t bytes = recv(ear.get(), one.data(), one.size(), 0);
    if (bytes > 0) all.insert(all.end(), one.begin(), one.begin() + bytes);
  }
  return all;
}

TEST(EchoFilter, LetsOneAnswerThrough) {
  const auto message = [](u8 type, u8 id, u8 sequence) {
    Frame bytes = {type, 0, 0, 0, 0, id, 0, sequence, 'x'};
    const u32 sum = (u32{type} << 8) + id + sequence + ('x' << 8);
    const u32 folded = ~((sum & 0xffff) + (sum >> 16));
    bytes[2] = static_cast<u8>(folded >> 8);
    bytes[3] = static_cast<u8>(folded);
    return bytes;
  };
  const std::vector<u8> four =
      heard(AF_INET, IPPROTO_ICMP,
            {message(3, 7, 3), message(8, 7, 3), message(0, 8, 3), message(0, 7, 4), message(0, 7, 3)},
            {.v6 = false, .id = 7, .sequence = 3});
  if (four.empty()) GTEST_SKIP() << "no raw sockets";
  // The one that was sent, and the one by which the host answers the request: each behind an IP header.
  ASSERT_EQ(four.size(), 2u * (20 + 9));
  EXPECT_EQ(four[20], 0);
  EXPECT_EQ(four[27], 3);
  const std::vector<u8> six =
      heard(AF_INET6, IPPROTO_ICMPV6, {message(1, 7, 3), message(129, 8, 3), message(129, 7, 3)},
            {.v6 = true, .id = 7, .sequence = 3});
  if (six.empty()) GTEST_SKIP() << "no IPv6";
  ASSERT_EQ(six.size(), 9u);
  EXPECT_EQ(six[0], 129);
}

/// Lets both serve until `done`.
template <class Done>
void serve_until(World& a, World& b, Done&& done) {
  for (unsigned i = 0; i < 5000 && !done(); ++i) {
    for (World* world : {&a, &b}) {
      world->network.serve();
      world->wait(1);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

TEST(Network, HubsConnectMachines) {
  const std::string path = ::testing::TempDir() + "/reprise-hub-" + std::to_string(getpid());
  auto first = std::make_unique<World>("hub:" + path);
  ASSERT_TRUE(first->started) << first->started.error().message;
  EXPECT_TRUE(first->card[0].link);
  EXPECT_FALSE(first->network.info().reached);
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write)
      << "nobody else's";
  World second("hub:" + path), third("hub:" + path);
  ASSERT_TRUE(second.started && third.started);
  second.network.send(second.card[0], World::who_has(7));
  serve_until(*first, third, [&] { return !third.card[0].got.empty(); });
  ASSERT_EQ(first->card[0].got.size(), 1u);
  EXPECT_EQ(first->card[0].got[0], World::who_has(7));
  EXPECT_EQ(third.card[0].got, first->card[0].got) << "passed on";
  EXPECT_TRUE(second.card[0].got.empty());
  EXPECT_EQ(third.log.size(), 1u);
  EXPECT_TRUE(first->network.info().reached);
  first->network.send(first->card[0], World::who_has(8));
  serve_until(second, third, [&] { return !second.card[0].got.empty() && third.card[0].got.size() > 1; });
  EXPECT_EQ(second.card[0].got.at(0), World::who_has(8));

  // Whoever is last says what cannot be.
  const HostFd liar(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un to = {};
  to.sun_family = AF_UNIX;
  path.copy(to.sun_path, sizeof to.sun_path - 1);
  ASSERT_EQ(connect(liar.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  const u8 lie[] = {0xff, 0xff, 0xff, 0xff, 1, 2, 3};
  ASSERT_EQ(write(liar.get(), lie, sizeof lie), static_cast<ssize_t>(sizeof lie));
  u8 byte;
  serve_until(*first, second, [&] { return recv(liar.get(), &byte, 1, MSG_DONTWAIT) == 0; });
  EXPECT_EQ(recv(liar.get(), &byte, 1, MSG_DONTWAIT), 0) << "the connection has been ended";

  first.reset();
  serve_until(second, third, [&] { return !second.card[0].link && !third.card[0].link; });
  EXPECT_FALSE(second.card[0].link) << "nobody is there any more";
  EXPECT_FALSE(second.outside.inbox().closed()) << "somebody may come";

  // They find each other again, and somebody who comes later finds them. Their guests see the link go down for a while.
  const auto joined = [](const World& world) {
    return std::ranges::any_of(world.log,
                               [](const LoggedEvent& one) { return one.sink == kNetworkPluggedSink; });
  };
  serve_until(second, third, [&] { return joined(second) && joined(third); });
  World later("hub:" + path);
  ASSERT_TRUE(later.started);
  for (World* const world : {&second, &third}) {
    EXPECT_FALSE(world->card[0].link);
    world->wait(2'000'000'000);
    EXPECT_TRUE(world->card[0].link);
    world->card[0].got.clear();
  }
  later.network.send(later.card[0], World::who_has(9));
  serve_until(second, third, [&] { return !second.card[0].got.empty() && !third.card[0].got.empty(); });
  EXPECT_EQ(second.card[0].got.at(0), World::who_has(9));
  EXPECT_EQ(third.card[0].got.at(0), World::who_has(9));
}

TEST(Network, HubsTakeNoPlaceOfOthers) {
  const std::string path = ::testing::TempDir() + "/reprise-hub-file-" + std::to_string(getpid());
  std::ofstream(path) << "mine";
  const World world("hub:" + path);
  EXPECT_FALSE(world.started);
  EXPECT_TRUE(std::filesystem::exists(path));
  std::filesystem::remove(path);
  EXPECT_FALSE(World("hub:/nowhere/hub").started);
  EXPECT_FALSE(World("hub:/" + std::string(200, 'x')).started);
}

}  // namespace
}  // namespace reprise::machine
