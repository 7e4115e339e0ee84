// NetLink: the far end of the guest's network: what takes its frames and has frames for it.
//
// All of it happens on the machine's thread, in the middle of a device's event or between turns. It sends and receives on
// descriptors of the host, which never block; a Network says when they may be ready.
#pragma once

#include <poll.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/ports.h"
#include "common/result.h"
#include "common/types.h"
#include "machine/net/net_config.h"

namespace reprise::machine {

class NetLink {
 public:
  /// Takes a frame for the guest.
  using ToGuest = std::function<void(std::span<const u8> frame)>;

  virtual ~NetLink() = default;
  virtual void send(std::span<const u8> frame) = 0;
  virtual bool takes_large_frames() const = 0;
  /// Appends what is to be watched, for serve().
  virtual void add_descriptors(std::vector<pollfd>& descriptors) = 0;
  /// Reads and writes what is ready. `descriptors` are those of the last add_descriptors(), their revents set.
  virtual void serve(std::span<const pollfd> descriptors) = 0;
  /// After this much of virtual time it is to be served even if nothing is ready; nullopt: it need not.
  virtual std::optional<u64> wants_service_in_ns() const = 0;
  /// A socket is open, if only one that waits for a first caller: something may come at any time.
  virtual bool open() const = 0;
  /// Somebody outside can send now: there is more than ports that wait for a first caller.
  virtual bool connected() const = 0;
  /// False: the far end has gone, and is looked for.
  virtual bool joined() const { return true; }
  /// The host was asked for something since the beginning, or somebody has called.
  virtual bool reached() const = 0;
  /// The forwards with the ports that they have got.
  virtual std::vector<NetForward> forwards() const { return {}; }
  /// One more; it, with its port. Error: a sentence.
  virtual Result<NetForward> add_forward(const NetForward&) { return no_user_network(); }
  /// The one that comes from the same end. Connections that came through it stay.
  virtual Result<Done> remove_forward(const NetForward&) { return no_user_network(); }
  /// What is open, as lines of text for a person.
  virtual Result<std::string> connections() const { return no_user_network(); }

 private:
  static Error no_user_network() { return Error{"There is no user network that reaches this host."}; }
};

/// Virtual time is `clock`'s, which gets timers. Error: a port is taken, or this build has no libslirp.
Result<std::unique_ptr<NetLink>> open_slirp(const NetConfig& config, Clock& clock, NetLink::ToGuest to_guest);

/// What frames do not come from, and go to, where there is nothing: for the cards as what `config` says.
std::unique_ptr<NetLink> open_nothing(const NetConfig& config);

/// Connects to config.hub_path, or listens there. Error: neither is possible.
Result<std::unique_ptr<NetLink>> open_hub(const NetConfig& config, NetLink::ToGuest to_guest);

}  // namespace reprise::machine
