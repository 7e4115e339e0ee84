#include "machine/net/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "machine/net/mac_text.h"
#include "machine/outside/sink_names.h"

namespace reprise::machine {
namespace {

/// "network-0-plugged": events of recordings have it.
std::string cable_sink_name(std::size_t card, bool plugged) {
  return fmt::format("network-{}-{}", card, plugged ? "plugged" : "unplugged");
}

}  // namespace

Network::~Network() { disconnect(); }

void Network::disconnect() {
  // The link's descriptors are watched until then.
  watch_.reset();
  link_.reset();
}

Result<Done> Network::start(Clock& clock, Outside& outside, std::vector<devices::NetCard*> cards,
                            std::vector<std::string> ids) {
  clock_ = &clock;
  outside_ = &outside;
  cards_ = std::move(cards);
  ids_ = std::move(ids);
  ids_.resize(cards_.size());
  plugged_.assign(cards_.size(), 1);
  TRY(check_addresses());
  if (config_.kind == NetConfig::Kind::None) return Done{};
  outside.add_sink({.name = std::string(kNetworkSink),
                    .type = EventType::Packet,
                    .room = always_room,
                    .take = [this](const Event& event) { arrive(std::get<PacketEvent>(event).frame); }});
  outside.add_sink({.name = std::string(kNetworkUnpluggedSink),
                    .type = EventType::Button,
                    .room = always_room,
                    .take = [this](const Event&) { set_link(false); }});
  // What the guest was connected with is not: it is to see that the link was down.
  outside.add_sink({.name = std::string(kNetworkPluggedSink),
                    .type = EventType::Button,
                    .room = always_room,
                    .take = [this](const Event&) { lose_connections(); }});
  add_cable_sinks();
  pump_timer_ = clock.create_timer("network", [this] { pump(); });
  link_timer_ = clock.create_timer("network-link", [this] { plug_in_again(); });
  const NetLink::ToGuest to_guests = [this](std::span<const u8> frame) { to_guest(frame); };
  clock.belongs_to_host(pump_timer_);
  if (!reaches_)
    link_ = open_nothing(config_);
  else
    link_ = config_.kind == NetConfig::Kind::Hub ? TRY(open_hub(config_, to_guests))
                                                 : TRY(open_slirp(config_, clock, to_guests));
  watch_ = std::make_unique<DescriptorWatch>([&inbox = outside.inbox()] { inbox.wake(); });
  set_link(true);
  pump();
  return Done{};
}

Result<Done> Network::check_addresses() const {
  for (auto card = cards_.begin(); card != cards_.end(); ++card)
    if (is_there(*card) && std::any_of(cards_.begin(), card, [&](const devices::NetCard* other) {
          return other->mac() == (*card)->mac();
        }))
      return wrong_usage(fmt::format("two network cards have the address {}: give each its own by mac=.",
                                     mac_text((*card)->mac())));
  return Done{};
}

std::string Network::id_of(std::size_t card) const {
  return ids_[card].empty() && place_ ? place_(*cards_[card]).id : ids_[card];
}

void Network::set_link(bool up) {
  link_up_ = up;
  update_links();
}

void Network::set_plugged(std::size_t card, bool plugged) {
  plugged_.at(card) = plugged;
  update_links();
}

void Network::update_links() {
  for (std::size_t i = 0; i < cards_.size(); ++i) cards_[i]->set_link(link_up_ && plugged_[i] != 0);
}

void Network::add_cable_sinks() {
  for (std::size_t i = 0; i < cards_.size(); ++i)
    for (const bool plugged : {true, false})
      outside_->add_sink({.name = cable_sink_name(i, plugged),
                          .type = EventType::Button,
                          .room = always_room,
                          .take = [this, i, plugged](const Event&) { set_plugged(i, plugged); }});
}

Result<std::string> Network::cable_sink(std::string_view card, bool plugged) const {
  if (!link_) return Error{"There is no network: --net none."};
  std::string names;
  for (std::size_t i = 0; i < cards_.size(); ++i) {
    if (!is_there(cards_[i])) continue;
    const std::string number = fmt::format("net{}", i), mac = mac_text(cards_[i]->mac()), id = id_of(i);
    if (card == number || card == mac || (card == id && !card.empty())) return cable_sink_name(i, plugged);
    names += fmt::format("{}{}{}{}", names.empty() ? "" : ", ", number, id.empty() ? "" : " or ", id);
  }
  return Error{fmt::format("There is no network card '{}'; there is {}.", card.substr(0, 60), names)};
}

Result<NetForward> Network::add_forward(std::string_view text) {
  const Result<NetForward> forward = parse_forward(text, config_);
  if (!forward) return Error{forward.error().message + "."};
  if (!link_) return Error{"There is no network: --net none."};
  const NetForward added = TRY(link_->add_forward(forward.value()));
  look_at_link();
  return added;
}

Result<Done> Network::remove_forward(std::string_view text) {
  const Result<NetForward> from = parse_forwarded(text);
  if (!from) return Error{from.error().message + "."};
  if (!link_) return Error{"There is no network: --net none."};
  TRY(link_->remove_forward(from.value()));
  look_at_link();
  return Done{};
}

Result<std::string> Network::connections() const {
  if (!link_) return Error{"There is no network: --net none."};
  return link_->connections();
}

void Network::plug_in_again() {
  set_link(true);
  if (!std::exchange(resets_due_, false)) return;
  for (const std::vector<u8>& frame : connections_.take_resets()) arrive(frame);
}

bool Network::takes_large_frames() const {
  return link_ && link_->takes_large_frames() &&
         std::ranges::count_if(cards_, [this](const devices::NetCard* card) { return is_there(card); }) == 1;
}

void Network::send(devices::NetCard& from, std::span<const u8> frame) {
  if (!link_) return;
  ++frames_from_guest_;
  bytes_from_guest_ += frame.size();
  if (dump_ && gate_.open()) dump_->add(clock_->now_ns(), frame);
  for (devices::NetCard* const card : cards_)
    if (card != &from && is_there(card)) card->receive(frame);
  if (std::ranges::none_of(cards_, [&](const devices::NetCard* card) {
        return is_there(card) && std::ranges::equal(card->mac(), frame.first(sizeof(devices::MacAddress)));
      }))
    connections_.from_guest(frame);
  if (!gate_.open()) return;
  sending_ = true;
  link_->send(frame);
  sending_ = false;
  // What the link wants next is asked once for all frames of a burst.
  clock_->arm(pump_timer_, clock_->now_ns());
}

void Network::to_guest(std::span<const u8> frame) {
  if (!link_) return;
  if (!link_->connected()) ++own_frames_;
  std::vector<u8> bytes(frame.begin(), frame.end());
  if (sending_)
    replies_.push_back(std::move(bytes));
  else
    give(std::move(bytes));
}

void Network::give(std::vector<u8> frame) { outside_->enter(kNetworkSink, PacketEvent{std::move(frame)}); }

void Network::arrive(std::span<const u8> frame) {
  ++frames_to_guest_;
  bytes_to_guest_ += frame.size();
  connections_.to_guest(frame);
  if (dump_ && gate_.open()) dump_->add(clock_->now_ns(), frame);
  for (devices::NetCard* const card : cards_)
    if (is_there(card)) card->receive(frame);
}

void Network::pump() {
  for (std::vector<u8>& reply : std::exchange(replies_, {})) give(std::move(reply));
  descriptors_.clear();
  link_->add_descriptors(descriptors_);
  if (!descriptors_.empty() && ::poll(descriptors_.data(), descriptors_.size(), 0) < 0)
    for (pollfd& one : descriptors_) one.revents = 0;
  link_->serve(descriptors_);
  look_at_link();
}

void Network::look_at_link() {
  descriptors_.clear();
  link_->add_descriptors(descriptors_);
  if (const std::optional<u64> in_ns = link_->wants_service_in_ns())
    clock_->arm(pump_timer_, clock_->now_ns() + *in_ns);
  else
    clock_->cancel(pump_timer_);
  update_inbox();
}

void Network::update_inbox() {
  if (link_->joined() != joined_) {
    joined_ = !joined_;
    outside_->enter(joined_ ? kNetworkPluggedSink : kNetworkUnpluggedSink, ButtonEvent{});
  }
  if (link_->open() == told_inbox_) return;
  told_inbox_ = link_->open();
  Inbox& inbox = outside_->inbox();
  if (told_inbox_) {
    inbox.add_source();
    inbox.add_companion();
  } else {
    inbox.remove_source();
    inbox.remove_companion();
  }
}

void Network::watch() {
  flush();
  if (!descriptors_.empty()) watch_->watch(descriptors_);
}

void Network::serve() {
  const bool known = ready();
  const auto now = std::chrono::steady_clock::now();
  if (!known && now - served_ < kServeEvery) return;
  served_ = now;
  if (known) watch_->clear_ready();
  std::vector<pollfd> look = descriptors_;
  if (::poll(look.data(), look.size(), 0) > 0) pump();
}

NetworkInfo Network::info() const {
  NetworkInfo info = {.config = config_,
                      .cards = {},
                      .unplugged = {},
                      .reached = was_reached_ || (link_ && link_->reached()),
                      .connected = link_ && link_->connected(),
                      .frames_from_guest = frames_from_guest_,
                      .bytes_from_guest = bytes_from_guest_,
                      .frames_to_guest = frames_to_guest_,
                      .bytes_to_guest = bytes_to_guest_};
  if (link_) info.config.forwards = link_->forwards();
  for (std::size_t i = 0; i < cards_.size(); ++i) {
    if (!is_there(cards_[i])) continue;
    info.cards.push_back(mac_text(cards_[i]->mac()));
    if (plugged_[i] == 0) info.unplugged.push_back(info.cards.back());
  }
  return info;
}

void Network::serialize(Archive& archive) {
  if (!link_) return;
  archive.tag("network");
  bool connected = link_->connected();
  bool reached = info().reached;
  archive.value(connected);
  archive.value(reached);
  serialize_cables(archive);
  archive.value(resets_due_);
  connections_.serialize(archive);
  u64 replies = replies_.size();
  archive.at_most(replies, kMaxReplies);
  if (archive.loading()) replies_.assign(replies, {});
  for (std::vector<u8>& reply : replies_) archive.value(reply, kMaxReplyBytes);
  if (!archive.loading()) return;
  was_reached_ = reached;
  if (connected) lose_connections();
}

void Network::serialize_cables(Archive& archive) {
  archive.value(link_up_);
  for (u8& plugged : plugged_) archive.at_most(plugged, u8{1});
}

void Network::serialize_guest_side(Archive& archive) {
  serialize_cables(archive);
  archive.value(resets_due_);
  connections_.serialize(archive);
  for (u64* const count :
       {&own_frames_, &frames_from_guest_, &bytes_from_guest_, &frames_to_guest_, &bytes_to_guest_})
    archive.value(*count);
}

bool Network::leave_connections() {
  replies_.clear();
  if (!link_ || !link_->connected()) return false;
  lose_connections();
  return true;
}

void Network::lose_connections() {
  // What the guest was connected with is gone: it sees that rather than silence.
  set_link(false);
  resets_due_ = true;
  clock_->arm(link_timer_, clock_->now_ns() + kLinkDownNs);
}

}  // namespace reprise::machine
