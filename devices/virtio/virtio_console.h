// VirtioConsole: consoles and other ports for characters on virtio (hvc0, /dev/vport0p1 of Linux). Virtio 1.2, 5.3.
//
//     queue 0, 1         input and output of port 0
//     queue 2, 3         control messages to and from the driver, of a device for several ports
//     queue 2N+2, 2N+3   input and output of port N
//
// What the host sends waits in a port's backlog until the guest listens. At a console drivers give buffers for input before
// anyone reads them, and throw away what comes too early. So input begins to flow a moment after the first output, or a good
// while after there are buffers for it. Another port the guest opens, and then it listens.
// A driver that does not know of several ports has port 0. Missing: the console's size, ports that come and go.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "devices/backend.h"
#include "devices/byte_fifo.h"
#include "devices/virtio/virtio_device.h"

namespace reprise::devices {

class VirtioConsole final : public VirtioDevice {
 public:
  static constexpr std::size_t kBacklogBytes = 4096;
  /// Of a device for several ports, port 0 included.
  static constexpr unsigned kMaxPorts = 31;

  struct PortSpec {
    CharBackend* backend = nullptr;  // outlives the device
    unsigned number = 0;             // below kMaxPorts, another one for each port
    bool console = true;             // port 0 is none but a console
    std::string name = {};           // that the guest sees; empty: none
    bool has_plug = false;  // somebody connects with it and goes again; else somebody is always there
  };

  /// One console, without control messages.
  VirtioConsole(CharBackend& backend, Clock& clock);
  /// For several ports: `ports`.
  VirtioConsole(std::vector<PortSpec> ports, Clock& clock);
  ~VirtioConsole() override;

  // `port` is its number, of one that there is.
  /// Bytes that receive() takes now.
  std::size_t can_receive(unsigned port = 0) const;
  /// Host input; returns how many bytes were taken.
  std::size_t receive(std::span<const u8> bytes, unsigned port = 0);
  /// Somebody has connected with the port, or has gone: of one with a plug.
  void plug(unsigned port, bool connected);
  /// Whoever goes does so when the guest has all that was sent.
  bool can_plug(unsigned port) const { return !at(port).connected || can_receive(port) == kBacklogBytes; }

  std::string_view name() const override { return "virtio_console"; }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;

 private:
  struct Port {
    PortSpec spec;
    Clock::TimerId output_timer;
    Clock::TimerId input_timer;
    u64 listens_from_ns = Clock::kNever;
    bool busy = false;
    VirtioChain output = {};  // while busy
    ByteFifo<kBacklogBytes> backlog = {};
    bool connected = true;  // somebody is at the other end
    bool open = false;      // by the guest: of a device for several ports

    unsigned receive_queue() const { return spec.number == 0 ? 0 : 2 * spec.number + 2; }
    unsigned transmit_queue() const { return receive_queue() + 1; }
  };
  struct Message {
    u32 port = 0;
    u16 event = 0;
    u16 value = 0;
  };

  VirtioConsole(std::vector<PortSpec> ports, unsigned max_ports, Clock& clock);

  void notified(unsigned queue) override;
  void reset_kind() override;
  u8 config_byte(u32 offset) const override;
  void config_byte_written(u32 offset, u8 value) override;

  bool for_several() const { return max_ports_ != 1; }
  /// Control messages are exchanged.
  bool speaks() const;
  /// nullptr: there is none.
  Port* find(unsigned number);
  const Port& at(unsigned number) const;

  void accept_output(Port& port);
  void output_event(Port& port);
  /// Input flows so long from now, unless it flows earlier.
  void listen_from(Port& port, u64 ns_from_now);
  void start_input(Port& port);
  void input_event(Port& port);

  // --- Control messages ---
  void tell(const Port& port, u16 event, u16 value);
  void start_control();
  void control_event();
  void take_message(const Message& message);
  void send_messages();

  void serialize_port(Archive& archive, Port& port);
  void serialize_control(Archive& archive);

  const unsigned max_ports_;
  std::vector<std::unique_ptr<Port>> ports_;  // in the order of their numbers
  std::optional<Clock::TimerId> control_timer_;
  std::deque<Message> messages_;  // for the driver
};

}  // namespace reprise::devices
