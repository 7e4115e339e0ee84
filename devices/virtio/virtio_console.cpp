#include "devices/virtio/virtio_console.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/check.h"
#include "devices/timer_state.h"

namespace reprise::devices {
namespace {

constexpr unsigned kControlReceiveQueue = 2;
constexpr unsigned kControlTransmitQueue = 3;
constexpr u16 kQueueSize = 128;
constexpr u16 kControlQueueSize = 32;

// 5.3.3, 5.3.4.
constexpr unsigned kFeatureMultiport = 1;
constexpr u64 kFeatureEmergencyWrite = u64{1} << 2;
constexpr u32 kMaxPortsOffset = 4;  // 32 bits
constexpr u32 kEmergencyWriteOffset = 8;
constexpr u32 kConfigBytes = 12;

// Control messages, 5.3.6.2: port (32 bits), event, value (16 each).
constexpr std::size_t kMessageBytes = 8;
constexpr u16 kDeviceReady = 0;
constexpr u16 kPortAdd = 1;
constexpr u16 kPortReady = 3;
constexpr u16 kConsolePort = 4;
constexpr u16 kPortOpen = 6;
constexpr u16 kPortName = 7;
/// A driver that asks more often than it takes answers misses some.
constexpr std::size_t kMostMessages = 256;

/// A console's buffer is a line or a page; more than this at once is nonsense.
constexpr u64 kMaxOutputBytes = 1 << 20;
/// Virtual time of a transfer: 2 us and 1 ns per byte.
constexpr u64 transfer_ns(u64 bytes) { return 2'000 + bytes; }

/// From the first output to the first input.
constexpr u64 kListensAfterNs = 100'000'000;
/// From the first buffer for input to the first input for a guest that prints nothing: longer than a system takes to start
/// what prints a prompt, and throws away what came before.
constexpr u64 kListensSilentlyAfterNs = 20'000'000'000;

VirtioModel model(unsigned max_ports) {
  VirtioModel model = {.device_id = 3,
                       .pci_device = 0x1003,
                       .class_code = 0x078000,
                       .features = kFeatureEmergencyWrite,
                       .queue_sizes = {kQueueSize, kQueueSize},
                       .config_bytes = kConfigBytes};
  if (max_ports == 1) return model;
  model.features |= u64{1} << kFeatureMultiport;
  model.queue_sizes.insert(model.queue_sizes.end(), 2, kControlQueueSize);
  model.queue_sizes.insert(model.queue_sizes.end(), 2 * (max_ports - 1), kQueueSize);
  return model;
}

}  // namespace

VirtioConsole::VirtioConsole(CharBackend& backend, Clock& clock)
    : VirtioConsole({{.backend = &backend}}, 1, clock) {}

VirtioConsole::VirtioConsole(std::vector<PortSpec> ports, Clock& clock)
    : VirtioConsole(std::move(ports), kMaxPorts, clock) {}

VirtioConsole::VirtioConsole(std::vector<PortSpec> ports, unsigned max_ports, Clock& clock)
    : VirtioDevice(model(max_ports), clock), max_ports_(max_ports) {
  std::ranges::sort(ports, {}, &PortSpec::number);
  for (PortSpec& spec : ports) {
    CHECK(spec.number < max_ports && find(spec.number) == nullptr && (spec.number != 0 || spec.console));
    ports_.push_back(
        std::make_unique<Port>(Port{.spec = std::move(spec), .output_timer = {}, .input_timer = {}}));
    Port& port = *ports_.back();
    port.output_timer = clock.create_timer("virtio-console-output", [this, &port] { output_event(port); });
    port.input_timer = clock.create_timer("virtio-console-input", [this, &port] { input_event(port); });
  }
  if (for_several())
    control_timer_ = clock.create_timer("virtio-console-control", [this] { control_event(); });
}

VirtioConsole::~VirtioConsole() = default;

VirtioConsole::Port* VirtioConsole::find(unsigned number) {
  const auto found =
      std::ranges::find_if(ports_, [number](const auto& port) { return port->spec.number == number; });
  return found == ports_.end() ? nullptr : found->get();
}

const VirtioConsole::Port& VirtioConsole::at(unsigned number) const {
  const auto found =
      std::ranges::find_if(ports_, [number](const auto& port) { return port->spec.number == number; });
  CHECK(found != ports_.end());
  return **found;
}

void VirtioConsole::reset(ResetKind kind) {
  if (kind == ResetKind::PowerOn) {
    for (const auto& port : ports_) {
      port->backlog.clear();
      port->connected = !port->spec.has_plug;
    }
  }
  VirtioDevice::reset(kind);
}

void VirtioConsole::reset_kind() {
  for (const auto& port : ports_) {
    port->listens_from_ns = Clock::kNever;
    port->busy = false;
    port->output = {};
    port->open = false;
    clock().cancel(port->output_timer);
    clock().cancel(port->input_timer);
  }
  messages_.clear();
  if (control_timer_) clock().cancel(*control_timer_);
}

u8 VirtioConsole::config_byte(u32 offset) const {
  return offset == kMaxPortsOffset ? static_cast<u8>(max_ports_) : 0;
}

void VirtioConsole::config_byte_written(u32 offset, u8 value) {
  if (offset != kEmergencyWriteOffset) return;
  if (const Port* const port = find(0)) port->spec.backend->write({&value, 1});
}

bool VirtioConsole::speaks() const { return for_several() && has_feature(kFeatureMultiport); }

void VirtioConsole::notified(unsigned queue) {
  if (queue == kControlReceiveQueue || queue == kControlTransmitQueue) return start_control();
  Port* const port = find(queue < kControlReceiveQueue ? 0 : queue / 2 - 1);
  if (port == nullptr) return;
  if (queue == port->transmit_queue()) {
    if (!port->busy) accept_output(*port);
  } else if (port->spec.console) {
    listen_from(*port, kListensSilentlyAfterNs);
  } else {
    start_input(*port);
  }
}

// --- To the host ---

void VirtioConsole::accept_output(Port& port) {
  std::optional<VirtioChain> chain = pop(port.transmit_queue());
  if (!chain) return;
  const u64 bytes = chain->readable_bytes();
  if (bytes > kMaxOutputBytes) return fail();
  port.output = std::move(*chain);
  port.busy = true;
  clock().arm(port.output_timer, clock().now_ns() + transfer_ns(bytes));
}

void VirtioConsole::output_event(Port& port) {
  if (!port.busy) return;
  port.busy = false;
  VirtioCursor from(port.output.readable, dma());
  std::array<u8, 4096> buffer;
  for (u64 left = std::min(port.output.readable_bytes(), kMaxOutputBytes); left != 0;) {
    const std::span<u8> piece = std::span(buffer).first(std::min<u64>(left, buffer.size()));
    if (!from.read(piece)) break;
    port.spec.backend->write(piece);
    left -= piece.size();
  }
  push(port.transmit_queue(), port.output, 0);
  if (port.spec.console) listen_from(port, kListensAfterNs);
  port.output = {};
  accept_output(port);
}

// --- From the host ---

std::size_t VirtioConsole::can_receive(unsigned port) const { return at(port).backlog.free(); }

std::size_t VirtioConsole::receive(std::span<const u8> bytes, unsigned port) {
  Port& to = *find(port);
  std::size_t taken = 0;
  while (taken < bytes.size() && to.backlog.push(bytes[taken])) ++taken;
  start_input(to);
  return taken;
}

void VirtioConsole::listen_from(Port& port, u64 ns_from_now) {
  if (const u64 from_ns = clock().now_ns() + ns_from_now; from_ns < port.listens_from_ns) {
    if (port.listens_from_ns != Clock::kNever) clock().cancel(port.input_timer);
    port.listens_from_ns = from_ns;
  }
  start_input(port);
}

void VirtioConsole::start_input(Port& port) {
  if (port.backlog.empty() || (port.spec.console ? port.listens_from_ns == Clock::kNever : !port.open))
    return;
  if (clock().deadline_ns(port.input_timer) != Clock::kNever || !has_request(port.receive_queue())) return;
  const u64 listens_ns = port.spec.console ? port.listens_from_ns : 0;
  clock().arm(port.input_timer, std::max(clock().now_ns() + transfer_ns(port.backlog.size()), listens_ns));
}

void VirtioConsole::input_event(Port& port) {
  if (port.backlog.empty() || (!port.spec.console && !port.open)) return;
  const std::optional<VirtioChain> chain = pop(port.receive_queue());
  if (!chain) return;
  std::vector<u8> bytes(std::min<u64>(chain->writable_bytes(), port.backlog.size()));
  for (u8& byte : bytes) byte = port.backlog.pop();
  VirtioCursor(chain->writable, dma()).write(bytes);
  push(port.receive_queue(), *chain, static_cast<u32>(bytes.size()));
  start_input(port);
}

// --- Control messages ---

void VirtioConsole::plug(unsigned port, bool connected) {
  Port& of = *find(port);
  if (std::exchange(of.connected, connected) == connected || !speaks()) return;
  tell(of, kPortOpen, connected ? 1 : 0);
  start_control();
}

void VirtioConsole::tell(const Port& port, u16 event, u16 value) {
  if (messages_.size() < kMostMessages) messages_.push_back({port.spec.number, event, value});
}

void VirtioConsole::start_control() {
  if (!speaks() || clock().deadline_ns(*control_timer_) != Clock::kNever) return;
  const bool sends = !messages_.empty() && has_request(kControlReceiveQueue);
  if (!sends && !has_request(kControlTransmitQueue)) return;
  clock().arm(*control_timer_, clock().now_ns() + transfer_ns(kMessageBytes));
}

void VirtioConsole::control_event() {
  if (!speaks()) return;
  if (const std::optional<VirtioChain> chain = pop(kControlTransmitQueue)) {
    std::array<u8, kMessageBytes> bytes{};
    if (VirtioCursor(chain->readable, dma()).read(bytes))
      take_message(
          {read_unaligned<u32>(&bytes[0]), read_unaligned<u16>(&bytes[4]), read_unaligned<u16>(&bytes[6])});
    push(kControlTransmitQueue, *chain, 0);
  }
  send_messages();
  start_control();
}

/// 5.3.5, 5.3.6.2.
void VirtioConsole::take_message(const Message& message) {
  if (message.event == kDeviceReady) {
    if (message.value == 1)
      for (const auto& port : ports_) tell(*port, kPortAdd, 1);
    return;
  }
  Port* const port = message.port < max_ports_ ? find(message.port) : nullptr;
  if (port == nullptr) return;
  if (message.event == kPortReady && message.value == 1) {
    if (port->spec.console) tell(*port, kConsolePort, 1);
    if (!port->spec.name.empty()) tell(*port, kPortName, 1);
    if (port->connected) tell(*port, kPortOpen, 1);
  } else if (message.event == kPortOpen) {
    port->open = message.value == 1;
    start_input(*port);
  }
}

void VirtioConsole::send_messages() {
  while (!messages_.empty()) {
    const std::optional<VirtioChain> chain = pop(kControlReceiveQueue);
    if (!chain) return;
    const Message message = messages_.front();
    messages_.pop_front();
    std::vector<u8> bytes(kMessageBytes);
    write_unaligned<u32>(&bytes[0], message.port);
    write_unaligned<u16>(&bytes[4], message.event);
    write_unaligned<u16>(&bytes[6], message.value);
    const std::string& name = at(message.port).spec.name;
    if (message.event == kPortName) bytes.insert(bytes.end(), name.begin(), name.end());
    bytes.resize(std::min<u64>(bytes.size(), chain->writable_bytes()));
    VirtioCursor(chain->writable, dma()).write(bytes);
    push(kControlReceiveQueue, *chain, static_cast<u32>(bytes.size()));
  }
}

// --- State ---

void VirtioConsole::serialize(Archive& archive) {
  VirtioDevice::serialize(archive);
  archive.tag("virtio_console");
  for (const auto& port : ports_) serialize_port(archive, *port);
  if (for_several()) serialize_control(archive);
}

void VirtioConsole::serialize_port(Archive& archive, Port& port) {
  archive.value(port.listens_from_ns);
  archive.value(port.busy);
  port.output.serialize(archive);
  port.backlog.serialize(archive);
  serialize_timer(archive, clock(), port.output_timer);
  serialize_timer(archive, clock(), port.input_timer);
}

void VirtioConsole::serialize_control(Archive& archive) {
  for (const auto& port : ports_) {
    archive.value(port->connected);
    archive.value(port->open);
  }
  u64 count = messages_.size();
  archive.at_most(count, kMostMessages);
  if (archive.loading()) messages_.assign(archive.ok() ? count : 0, {});
  for (Message& message : messages_) {
    archive.value(message.port);
    archive.value(message.event);
    archive.value(message.value);
    if (message.port >= max_ports_ || find(message.port) == nullptr) archive.fail();
  }
  if (!archive.ok()) messages_.clear();
  serialize_timer(archive, clock(), *control_timer_);
}

}  // namespace reprise::devices
