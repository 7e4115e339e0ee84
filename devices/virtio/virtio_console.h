// VirtioConsole: one console port on virtio (hvc0 of Linux). Virtio 1.2, 5.3.
//
// Queue 0 takes host input to the driver, queue 1 the driver's output. What the host sends waits in a backlog
// until the guest listens: drivers give buffers for input before anyone reads them, and throw away what comes
// too early. So input begins to flow a moment after the first output, or a good while after there are buffers for it.
// Missing: several ports, the console's size.
#pragma once

#include "devices/backend.h"
#include "devices/byte_fifo.h"
#include "devices/virtio/virtio_pci.h"

namespace reprise::devices {

class VirtioConsole final : public VirtioPci {
 public:
  static constexpr std::size_t kBacklogBytes = 4096;

  /// `backend` outlives the device.
  VirtioConsole(CharBackend& backend, const VirtioBoard& board);

  /// Bytes that receive() takes now.
  std::size_t can_receive() const { return backlog_.free(); }
  /// Host input; returns how many bytes were taken.
  std::size_t receive(std::span<const u8> bytes);

  std::string_view name() const override { return "virtio_console"; }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;

 private:
  void notified(unsigned queue) override;
  void reset_kind() override;
  u8 config_byte(u32 offset) const override;
  void config_byte_written(u32 offset, u8 value) override;

  void accept_output();
  void output_event();
  /// Input flows so long from now, unless it flows earlier.
  void listen_from(u64 ns_from_now);
  void start_input();
  void input_event();

  CharBackend& backend_;
  Clock::TimerId output_timer_;
  Clock::TimerId input_timer_;
  u64 listens_from_ns_ = Clock::kNever;
  bool busy_ = false;
  VirtioChain output_;  // while busy
  ByteFifo<kBacklogBytes> backlog_;
};

}  // namespace reprise::devices
