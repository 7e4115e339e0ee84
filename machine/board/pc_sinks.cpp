// What of the board takes events from outside, and under which name.
#include "common/numbers.h"
#include "devices/virtio/virtio_balloon.h"
#include "machine/board/pc.h"
#include "machine/outside/outside.h"
#include "machine/outside/sink_names.h"

namespace reprise::machine {

void Pc::add_sinks(Outside& outside) {
  const auto bytes_of = [](const Event& event) -> std::span<const u8> {
    return std::get<BytesEvent>(event).bytes;
  };
  for (devices::Uart16550* uart : {&com1_, &com2_}) {
    outside.add_sink({.name = std::string(uart->name()),
                      .type = EventType::Bytes,
                      .room = [uart] { return uart->can_receive(); },
                      .take = [uart, bytes_of](const Event& event) { uart->receive(bytes_of(event)); }});
  }
  for (const auto& [name, uart] : {std::pair{kCom1BreakSink, &com1_}, {kCom2BreakSink, &com2_}}) {
    outside.add_sink({.name = std::string(name),
                      .type = EventType::Button,
                      .room = [uart = uart] { return uart->can_receive(); },
                      .take = [uart = uart](const Event&) { uart->receive_break(); }});
  }
  if (devices::VirtioConsole* const console = virtio_console()) {
    outside.add_sink(
        {.name = std::string(kConsoleSink),
         .type = EventType::Bytes,
         .room = [console] { return console->can_receive(); },
         .take = [console, bytes_of](const Event& event) { console->receive(bytes_of(event)); }});
  }
  for (const SerialPort& port : services_.serial_ports) {
    devices::VirtioConsole* const card = services_.serial_cards.at(port.card);
    outside.add_sink({.name = port.sink(),
                      .type = EventType::Bytes,
                      .room = [card, number = port.number] { return card->can_receive(number); },
                      .take = [card, number = port.number,
                               bytes_of](const Event& event) { card->receive(bytes_of(event), number); }});
    // Behind what was sent before.
    if (!port.has_plug) continue;
    outside.add_sink({.name = port.plug_sink(),
                      .type = EventType::Bytes,
                      .room = [card, number = port.number] { return std::size_t{card->can_plug(number)}; },
                      .take =
                          [card, number = port.number, bytes_of](const Event& event) {
                            for (const u8 connected : bytes_of(event)) card->plug(number, connected != 0);
                          }});
  }
  outside.add_sink({.name = std::string(kKeyboardSink),
                    .type = EventType::Key,
                    .room = always_room,
                    .take = [this](const Event& event) {
                      const KeyEvent& key = std::get<KeyEvent>(event);
                      input_router_.key(key.key, key.down);
                    }});
  outside.add_sink({.name = std::string(kTypingSink),
                    .type = EventType::Key,
                    .room = [this] { return typist_.room(); },
                    .take = [this](const Event& event) { typist_.take(std::get<KeyEvent>(event)); }});
  // A click whose release came before the mouse has told of it would be none, and one that comes before the way to it is
  // elsewhere.
  outside.add_sink(
      {.name = std::string(kPointerSink),
       .type = EventType::Pointer,
       .room = [this] { return std::size_t{input_router_.has_room_for_pointer()}; },
       .take = [this](const Event& event) { input_router_.pointer(std::get<PointerEvent>(event).change); }});
  for (devices::VirtioDevice* const device : virtio_devices_) {
    auto* const balloon = dynamic_cast<devices::VirtioBalloon*>(device);
    if (balloon == nullptr) continue;
    outside.add_sink({.name = std::string(kBalloonSink),
                      .type = EventType::Medium,
                      .room = always_room,
                      .take = [balloon](const Event& event) {
                        const std::string_view text = std::get<MediumEvent>(event).change;
                        const auto pages = text.starts_with(kBalloonPages)
                                               ? parse_number(text.substr(kBalloonPages.size()))
                                               : std::nullopt;
                        // A recording may be anybody's.
                        if (pages && *pages <= ~u32{0}) balloon->set_target(static_cast<u32>(*pages));
                      }});
  }
  outside.add_sink({.name = std::string(kPowerButtonSink),
                    .type = EventType::Button,
                    .room = always_room,
                    .take = [this](const Event&) { press_power_button(); }});
  // The NMI pins are wired to LINT1 of all processors.
  outside.add_sink({.name = std::string(kNmiButtonSink),
                    .type = EventType::Button,
                    .room = always_room,
                    .take = [this](const Event&) {
                      for (const auto& processor : processors_) {
                        processor->lapic.set_irq(1, true);
                        processor->lapic.set_irq(1, false);
                      }
                    }});
}

}  // namespace reprise::machine
