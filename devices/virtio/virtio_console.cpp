#include "devices/virtio/virtio_console.h"

#include <algorithm>
#include <array>

#include "devices/timer_state.h"

namespace reprise::devices {
namespace {

constexpr unsigned kReceiveQueue = 0;
constexpr unsigned kTransmitQueue = 1;
constexpr u16 kQueueSize = 128;

// 5.3.3, 5.3.4.
constexpr u64 kFeatureEmergencyWrite = u64{1} << 2;
constexpr u32 kMaxPortsOffset = 4;  // 32 bits; meant for several ports
constexpr u32 kEmergencyWriteOffset = 8;
constexpr u32 kConfigBytes = 12;

/// A console's buffer is a line or a page; more than this at once is nonsense.
constexpr u64 kMaxOutputBytes = 1 << 20;
/// Virtual time of a transfer: 2 us and 1 ns per byte.
constexpr u64 transfer_ns(u64 bytes) { return 2'000 + bytes; }

/// From the first output to the first input.
constexpr u64 kListensAfterNs = 100'000'000;
/// From the first buffer for input to the first input for a guest that prints nothing: longer than a system takes to start
/// what prints a prompt, and throws away what came before.
constexpr u64 kListensSilentlyAfterNs = 20'000'000'000;

VirtioModel model() {
  return {.device_id = 3,
          .pci_device = 0x1003,
          .class_code = 0x078000,
          .features = kFeatureEmergencyWrite,
          .queue_sizes = {kQueueSize, kQueueSize},
          .config_bytes = kConfigBytes};
}

}  // namespace

VirtioConsole::VirtioConsole(CharBackend& backend, const VirtioBoard& board)
    : VirtioPci(model(), board),
      backend_(backend),
      output_timer_(clock().create_timer("virtio-console-output", [this] { output_event(); })),
      input_timer_(clock().create_timer("virtio-console-input", [this] { input_event(); })) {}

void VirtioConsole::reset(ResetKind kind) {
  if (kind == ResetKind::PowerOn) backlog_.clear();
  VirtioPci::reset(kind);
}

void VirtioConsole::reset_kind() {
  listens_from_ns_ = Clock::kNever;
  busy_ = false;
  output_ = {};
  clock().cancel(output_timer_);
  clock().cancel(input_timer_);
}

u8 VirtioConsole::config_byte(u32 offset) const { return offset == kMaxPortsOffset ? 1 : 0; }

void VirtioConsole::config_byte_written(u32 offset, u8 value) {
  if (offset == kEmergencyWriteOffset) backend_.write({&value, 1});
}

void VirtioConsole::notified(unsigned queue) {
  if (queue == kReceiveQueue)
    listen_from(kListensSilentlyAfterNs);
  else if (!busy_)
    accept_output();
}

// --- To the host ---

void VirtioConsole::accept_output() {
  std::optional<VirtioChain> chain = pop(kTransmitQueue);
  if (!chain) return;
  const u64 bytes = chain->readable_bytes();
  if (bytes > kMaxOutputBytes) return fail();
  output_ = std::move(*chain);
  busy_ = true;
  clock().arm(output_timer_, clock().now_ns() + transfer_ns(bytes));
}

void VirtioConsole::output_event() {
  if (!busy_) return;
  busy_ = false;
  VirtioCursor from(output_.readable, dma());
  std::array<u8, 4096> buffer;
  for (u64 left = std::min(output_.readable_bytes(), kMaxOutputBytes); left != 0;) {
    const std::span<u8> piece = std::span(buffer).first(std::min<u64>(left, buffer.size()));
    if (!from.read(piece)) break;
    backend_.write(piece);
    left -= piece.size();
  }
  push(kTransmitQueue, output_, 0);
  listen_from(kListensAfterNs);
  output_ = {};
  accept_output();
}

// --- From the host ---

std::size_t VirtioConsole::receive(std::span<const u8> bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size() && backlog_.push(bytes[taken])) ++taken;
  start_input();
  return taken;
}

void VirtioConsole::listen_from(u64 ns_from_now) {
  if (const u64 from_ns = clock().now_ns() + ns_from_now; from_ns < listens_from_ns_) {
    if (listens_from_ns_ != Clock::kNever) clock().cancel(input_timer_);
    listens_from_ns_ = from_ns;
  }
  start_input();
}

void VirtioConsole::start_input() {
  if (backlog_.empty() || listens_from_ns_ == Clock::kNever) return;
  if (clock().deadline_ns(input_timer_) != Clock::kNever || !has_request(kReceiveQueue)) return;
  clock().arm(input_timer_, std::max(clock().now_ns() + transfer_ns(backlog_.size()), listens_from_ns_));
}

void VirtioConsole::input_event() {
  if (backlog_.empty()) return;
  const std::optional<VirtioChain> chain = pop(kReceiveQueue);
  if (!chain) return;
  std::vector<u8> bytes(std::min<u64>(chain->writable_bytes(), backlog_.size()));
  for (u8& byte : bytes) byte = backlog_.pop();
  VirtioCursor(chain->writable, dma()).write(bytes);
  push(kReceiveQueue, *chain, static_cast<u32>(bytes.size()));
  start_input();
}

void VirtioConsole::serialize(Archive& archive) {
  VirtioPci::serialize(archive);
  archive.tag("virtio_console");
  archive.value(listens_from_ns_);
  archive.value(busy_);
  output_.serialize(archive);
  backlog_.serialize(archive);
  serialize_timer(archive, clock(), output_timer_);
  serialize_timer(archive, clock(), input_timer_);
}

}  // namespace reprise::devices
