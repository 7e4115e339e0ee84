// Commands about network cards and what they are connected with.
#include <fmt/format.h>

#include <algorithm>

#include "machine/monitor/command.h"

namespace reprise::machine::monitor {
namespace {

CommandError failed(const Error& error) { return {CommandError::Kind::Failed, error.message}; }

}  // namespace

Outcome info_network(Machine& machine, const Arguments&) {
  Answer answer;
  const NetworkInfo info = machine.network().info();
  answer.text =
      fmt::format("{}: the host {}, {}\n", net_text(info.config),
                  info.reached ? "has been reached" : "has not been reached",
                  info.connected ? "and somebody outside can send now" : "and nobody outside can send now");
  for (std::size_t i = 0; i < info.cards.size(); ++i) {
    const bool unplugged = std::ranges::find(info.unplugged, info.cards[i]) != info.unplugged.end();
    answer.text += fmt::format("  card net{} {}{}\n", i, info.cards[i], unplugged ? ", unplugged" : "");
  }
  for (const NetForward& forward : info.config.forwards)
    answer.text += fmt::format("  {}\n", forward_text(forward));
  answer.text +=
      fmt::format("  {} frames ({}) from the guest, {} frames ({}) to it\n", info.frames_from_guest,
                  size_text(info.bytes_from_guest), info.frames_to_guest, size_text(info.bytes_to_guest));
  answer.json = network_json(info);
  return answer;
}

Outcome info_usernet(Machine& machine, const Arguments&) {
  const Result<std::string> connections = machine.network().connections();
  if (!connections) return failed(connections.error());
  Answer answer;
  answer.text = connections.value();
  answer.json["text"] = answer.text;
  return answer;
}

Outcome set_link(Machine& machine, const Arguments& arguments) {
  const std::string_view state = arguments.word("state");
  if (state != "on" && state != "off")
    return CommandError{CommandError::Kind::BadArgument, "'state' is neither on nor off."};
  const Result<std::string> sink = machine.network().cable_sink(arguments.word("card"), state == "on");
  if (!sink) return failed(sink.error());
  machine.inbox().post({sink.value(), ButtonEvent{}});
  return Answer{};
}

Outcome hostfwd_add(Machine& machine, const Arguments& arguments) {
  const Result<NetForward> added = machine.network().add_forward(arguments.word("forward"));
  if (!added) return failed(added.error());
  Answer answer;
  answer.json = forward_json(added.value());
  answer.text = forward_text(added.value()) + '\n';
  return answer;
}

Outcome hostfwd_remove(Machine& machine, const Arguments& arguments) {
  const Result<Done> removed = machine.network().remove_forward(arguments.word("forward"));
  if (!removed) return failed(removed.error());
  return Answer{};
}

}  // namespace reprise::machine::monitor
