// VirtioInput: a keyboard, mouse or tablet whose events a driver takes as those of Linux's input subsystem. Virtio 1.2, 5.8.
// The driver learns what the device can do by writing `select` and `subsel` of the device configuration and reading what
// appears behind them. Queue 0 takes events to the driver, queue 1 lights of the keyboard to the device.
//
// There is no legacy interface, as with QEMU's. A group of events that ends in SYN_REPORT is taken whole or not at all; a
// guest that takes none loses presses and movement first, then releases.
#pragma once

#include <deque>

#include "devices/input/input_device.h"
#include "devices/virtio/virtio_device.h"

namespace reprise::devices {

class VirtioInput final : public VirtioDevice, public InputDevice {
 public:
  enum class Kind : u8 { Keyboard, Mouse, Tablet };
  /// Events that wait for the driver.
  static constexpr std::size_t kMostEvents = 512;

  VirtioInput(Kind kind, Clock& clock);

  // InputDevice
  bool active() const override { return running(); }
  bool idle() const override { return events_.empty(); }
  void press(Key key, bool down) override;
  void change_pointer(const PointerChange& change) override;
  u8 leds() const override { return leds_; }

  std::string_view name() const override;
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;

 private:
  struct InputEvent {
    u16 type = 0;
    u16 code = 0;
    u32 value = 0;
  };

  void notified(unsigned queue) override;
  void reset_kind() override;
  u8 config_byte(u32 offset) const override;
  void config_byte_written(u32 offset, u8 value) override;

  /// What select and subsel ask for; empty: there is nothing.
  std::vector<u8> selected() const;
  std::vector<u8> event_codes(u16 type) const;

  bool has_room(bool release) const;
  void queue(u16 type, u16 code, i32 value) { events_.push_back({type, code, static_cast<u32>(value)}); }
  /// Ends a group.
  void report();
  void send_soon();
  void send_events();
  void take_lights();

  const Kind kind_;
  Clock::TimerId event_timer_;
  Clock::TimerId status_timer_;
  u8 select_ = 0;
  u8 subsel_ = 0;
  u8 leds_ = 0;
  u8 buttons_ = 0;
  std::deque<InputEvent> events_;
};

}  // namespace reprise::devices
