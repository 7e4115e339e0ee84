// Input: what came to the inbox goes to the devices, as far as they have room, and into the log.
#include "machine/machine.h"

#include <algorithm>

namespace reprise::machine {

std::optional<Machine::Ending> Machine::take_input() {
  for (const InputMessage& message : inbox_.take()) {
    if (message.channel == InputChannel::Medium) {
      input_log_.push_back({retired(), virtual_ns(), message});
      media_changes_.carry_out();
      continue;
    }
    if (static_cast<unsigned>(message.channel) >= kByteChannels) {
      if (auto ending = take_button(message.channel)) return ending;
      continue;
    }
    std::deque<u8>& queue = waiting_input_[static_cast<unsigned>(message.channel)];
    queue.insert(queue.end(), message.bytes.begin(), message.bytes.end());
  }
  for (const InputChannel channel : {InputChannel::Com1, InputChannel::Com2, InputChannel::Console}) {
    std::deque<u8>& queue = waiting_input_[static_cast<unsigned>(channel)];
    const auto count = static_cast<std::ptrdiff_t>(std::min(queue.size(), can_receive(channel)));
    if (count == 0) continue;
    std::vector<u8> bytes(queue.begin(), queue.begin() + count);
    queue.erase(queue.begin(), queue.begin() + count);
    receive(channel, bytes);
    input_log_.push_back({retired(), virtual_ns(), {channel, std::move(bytes)}});
  }
  return std::nullopt;
}

std::optional<Machine::Ending> Machine::take_button(InputChannel button) {
  input_log_.push_back({retired(), virtual_ns(), {button, {}}});
  if (button == InputChannel::PowerButton) {
    pc_.press_power_button();
    return std::nullopt;
  }
  if (config_.reboot && pc_.reset()) return std::nullopt;
  return Ending{ExitReason::Reset, exit_code_of(ExitReason::Reset), "the user reset the machine"};
}

std::size_t Machine::can_receive(InputChannel channel) {
  if (channel != InputChannel::Console) return uart(channel).can_receive();
  return pc_.virtio_console() != nullptr ? pc_.virtio_console()->can_receive() : 0;
}

void Machine::receive(InputChannel channel, std::span<const u8> bytes) {
  if (channel != InputChannel::Console)
    uart(channel).receive(bytes);
  else if (pc_.virtio_console() != nullptr)
    pc_.virtio_console()->receive(bytes);
}

}  // namespace reprise::machine
