// Keyboard controller of the PC/AT and PS/2 (8042), with a keyboard on the first port and a mouse on the second.
// IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller"; 82371AB datasheet 4.2.6.
// Commands act at once; answers reach the output buffer through the clock. There is one answer at a time: that of a later
// command takes the place of an earlier one that nobody has read. What keyboard and mouse sent is not overwritten; where
// both have something, they take turns byte by byte.
// Missing: passwords (none can be set: A5h takes its bytes, A6h does nothing), the diagnostic dump (ACh).
#pragma once

#include "common/ports.h"
#include "devices/device.h"
#include "devices/input/ps2_keyboard.h"
#include "devices/input/ps2_mouse.h"
#include "devices/pio_ports.h"

namespace reprise::devices {

class I8042 final : public Device {
 public:
  /// `a20` is this controller's word on address line 20, to be ORed with that of port 92h.
  I8042(Clock& clock, IrqLine irq1, IrqLine irq12, IrqLine a20, MachineControl& control);

  /// 60h and 64h, byte wide.
  PioHandler& data_port() { return data_port_; }
  PioHandler& command_port() { return command_port_; }

  /// A finger presses `key` or lets it go.
  void press(Key key, bool down);
  /// A hand at the mouse: relative movement, the wheel, buttons.
  void change_pointer(const PointerChange& change);
  /// The guest wants keys, and has taken all there were.
  bool waits_for_keys() const;
  const Ps2Keyboard& keyboard() const { return keyboard_; }
  const Ps2Mouse& mouse() const { return mouse_; }

  std::string_view name() const override { return "i8042"; }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

 private:
  u32 read_data(u16 offset, Width width);
  void write_data(u16 offset, Width width, u32 value);
  u32 read_status(u16 offset, Width width);
  void write_command(u16 offset, Width width, u32 value);

  void command_parameter(u8 command, u8 byte);
  /// The controller answers; `status` holds the AUX and time-out bits that go with it.
  void reply(u8 byte, u8 status = 0);
  void write_output_port(u8 value);
  u8 output_port() const;
  u8 translate(u8 byte);
  bool keyboard_ready() const;
  bool mouse_ready() const;
  void send_keyboard_byte();
  void send_mouse_byte();
  /// Asks for the event that fills the output buffer, if it is free and something waits.
  void schedule();
  void fill_output_buffer();
  void update_irq();

  Clock& clock_;
  IrqLine irq1_;
  IrqLine irq12_;
  IrqLine a20_line_;
  MachineControl& control_;
  Clock::TimerId event_;
  PioPorts<I8042> data_port_;
  PioPorts<I8042> command_port_;

  u8 config_ = 0;
  u8 output_buffer_ = 0;
  u8 buffer_status_ = 0;  // OBF, AUX and time-out bits of the status register
  bool last_write_was_command_ = false;
  bool a20_ = true;
  u8 pending_command_ = 0;       // waits for a byte at port 60h
  bool release_prefix_ = false;  // translation saw F0h
  std::array<u8, 32> memory_{};
  bool reply_waits_ = false;  // for the output buffer
  u8 reply_ = 0;
  u8 reply_status_ = 0;
  bool buffer_is_reply_ = false;  // what is in the output buffer came from the controller
  u8 polled_ = 0;                 // C1h, C2h: status bits 7:4 show that half of the input port
  bool mouse_was_last_ = false;   // whose byte came last, where both have some
  Ps2Keyboard keyboard_;
  Ps2Mouse mouse_;
};

}  // namespace reprise::devices
