// Network: what connects the network cards of a machine with each other and with what --net names.
//
//     cards --send--> Network --> NetLink (libslirp, hub) <--> sockets of the host
//       ^                |  \--> other cards
//       +--- Outside <---+       every frame of the link's is an event from outside, with its content in the log
//
// The link is called on the machine's thread: in the middle of a card's event, and between turns when a descriptor of
// the host's is ready. While the link is connected, idle time must not pass faster than the host's, and the guest may be given
// something at any time: the inbox is told.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/archive.h"
#include "common/ports.h"
#include "common/result.h"
#include "devices/net/net_card.h"
#include "machine/net/descriptor_watch.h"
#include "machine/net/net_config.h"
#include "machine/net/net_link.h"
#include "machine/net/network_info.h"
#include "machine/net/packet_file.h"
#include "machine/net/tcp_connections.h"
#include "machine/outside/output_gate.h"
#include "machine/outside/outside.h"

namespace reprise::machine {

/// Thread: the machine's, but for the descriptor watch.
class Network final : public devices::NetBackend {
 public:
  /// `capture` gets every frame, with its time, and outlives this; nullptr: nobody wants them. `reaches` says whether there is
  /// anything outside: a machine that follows a recording gets all frames from it.
  /// While `gate` is closed nothing reaches outside. It outlives this.
  Network(NetConfig config, devices::CharBackend* capture, bool reaches, const OutputGate& gate)
      : config_(std::move(config)), reaches_(reaches), gate_(gate) {
    if (capture != nullptr) dump_.emplace(*capture);
  }
  ~Network() override;

  /// Connects `cards` with each other and with what is outside. Once, when they have power. All outlives this. `ids` are what the
  /// user calls them, "" for those without a name. Error: a port is taken, a file cannot be written, ...
  /// Usage: two cards have one address.
  Result<Done> start(Clock& clock, Outside& outside, std::vector<devices::NetCard*> cards,
                     std::vector<std::string> ids = {});
  /// Cards may come and go: `place` says whether one is there, and what the user calls it where `ids` of start() does not. Before
  /// start().
  struct CardPlace {
    bool there = true;
    std::string id = {};
  };
  void follow_cards(std::function<CardPlace(const devices::NetCard& card)> place) {
    place_ = std::move(place);
  }
  /// Before any of them goes. Nothing arrives any more, and what cards send is lost.
  void disconnect();

  // NetBackend
  void send(devices::NetCard& from, std::span<const u8> frame) override;
  bool takes_large_frames() const override;

  /// There are descriptors that may be ready: serve() is to be called now and then.
  bool has_descriptors() const { return !descriptors_.empty(); }
  /// A descriptor is ready: the machine should not sleep. Only after watch().
  bool ready() const { return watch_ && watch_->ready(); }
  /// Before the machine sleeps.
  void watch();
  /// Between turns: lets in what descriptors have, at most every kServeEvery unless one is known to be ready.
  void serve();

  /// For people who change it while it runs. Each is an affair of the host's, of which the guest sees what comes through. Errors are
  /// sentences.
  /// "tcp:[ADDR]:PORT-[ADDR]:PORT", as hostfwd=; the forward with the port that it has got.
  Result<NetForward> add_forward(std::string_view text);
  /// "tcp:[ADDR]:PORT"
  Result<Done> remove_forward(std::string_view text);
  /// What is open, as lines of text.
  Result<std::string> connections() const;

  /// The sink of a button that plugs a card in or pulls its plug. `card` is its id, "net0" (the first), or its address. Error: there is
  /// none, or no network.
  Result<std::string> cable_sink(std::string_view card, bool plugged) const;

  /// Who looks at the capture sees every frame so far.
  void flush() {
    if (dump_) dump_->flush();
  }

  /// Frames that the link made by itself, while nobody outside could send any.
  u64 own_frames() const { return own_frames_; }
  NetworkInfo info() const;

  /// Of a saved state. What was connected is not when it is loaded.
  void serialize(Archive& archive);
  /// Of a checkpoint: what follows from the frames so far. What outside is connected with goes on.
  void serialize_guest_side(Archive& archive);
  /// The guest is where it was earlier, and takes another way. True: it was connected with something, and that is gone, as
  /// after loading a saved state.
  bool leave_connections();

 private:
  Result<Done> check_addresses() const;
  bool is_there(const devices::NetCard* card) const { return !place_ || place_(*card).there; }
  std::string id_of(std::size_t card) const;
  static constexpr std::chrono::microseconds kServeEvery{100};
  /// How long the guest sees no link after a state with connections was loaded.
  static constexpr u64 kLinkDownNs = 1'000'000'000;
  // Of a state that may be anybody's.
  static constexpr u64 kMaxReplies = 1 << 16;
  static constexpr u64 kMaxReplyBytes = 1 << 17;

  void to_guest(std::span<const u8> frame);
  void give(std::vector<u8> frame);
  void arrive(std::span<const u8> frame);
  /// Lets the link read and write what is ready, and asks it what it wants next.
  void pump();
  void update_inbox();
  /// The far end of all cables is there, or has gone.
  void set_link(bool up);
  void set_plugged(std::size_t card, bool plugged);
  void update_links();
  void add_cable_sinks();
  void serialize_cables(Archive& archive);
  /// Asks the link what it wants next.
  void look_at_link();
  void lose_connections();
  /// Once a state with connections was loaded and a while has passed.
  void plug_in_again();

  NetConfig config_;
  bool reaches_;
  const OutputGate& gate_;
  bool sending_ = false;  // a frame of the guest's
  // To it: they come in by themselves, not in the middle of what a card does.
  std::vector<std::vector<u8>> replies_;
  Clock* clock_ = nullptr;
  Outside* outside_ = nullptr;
  std::vector<devices::NetCard*> cards_;
  std::vector<std::string> ids_;  // of cards
  std::function<CardPlace(const devices::NetCard& card)> place_;
  std::vector<u8> plugged_;  // of cards: a person left it so
  bool link_up_ = false;     // at the far end
  Clock::TimerId pump_timer_ = 0;
  Clock::TimerId link_timer_ = 0;
  std::unique_ptr<NetLink> link_;
  std::unique_ptr<DescriptorWatch> watch_;
  std::vector<pollfd> descriptors_;
  std::chrono::steady_clock::time_point served_;
  bool told_inbox_ = false;
  bool joined_ = true;
  bool was_reached_ = false;  // before a state was loaded
  std::optional<PacketFile> dump_;
  TcpConnections connections_;  // with stations that are not cards of this machine
  bool resets_due_ = false;     // when the link comes up again
  u64 own_frames_ = 0;
  u64 frames_from_guest_ = 0;
  u64 bytes_from_guest_ = 0;
  u64 frames_to_guest_ = 0;
  u64 bytes_to_guest_ = 0;
};

}  // namespace reprise::machine
