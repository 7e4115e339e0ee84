// The watchdog timer of the Intel 6300ESB I/O controller hub. Datasheet 300641-004, chapter 16.
//
//     stage 1 counts down preload 1, then stage 2 counts down preload 2, then the watchdog has expired
//
// Missing: the interrupt at the end of stage 1 (its status bit is there), SMI.
#pragma once

#include <functional>

#include "devices/pci/pci_device.h"

namespace reprise::devices {

class I6300Esb final : public PciFunction, private MmioHandler {
 public:
  /// `expired` carries out what is to happen then.
  I6300Esb(Clock& clock, std::function<void()> expired);

  /// It counts, and will expire if the guest does nothing.
  bool running() const { return stage_ != Stage::Stopped; }

  std::string_view name() const override { return "i6300esb"; }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

 private:
  enum class Stage : u8 { Stopped, First, Second };

  u64 mmio_read(u64 offset, Width width) override;
  void mmio_write(u64 offset, Width width, u64 value) override;
  u8 writable(unsigned offset) const override;
  void config_changed(ConfigChange change) override;

  void start(Stage stage);
  void stop();
  void timer_event();
  bool enabled() const;

  Clock& clock_;
  std::function<void()> expired_;
  Clock::TimerId timer_;
  u32 preload_[2] = {};
  u8 unlock_step_ = 0;  // how much of the sequence 80h, 86h has been written
  Stage stage_ = Stage::Stopped;
  bool interrupt_active_ = false;
  bool expired_before_ = false;  // survives a reset: the guest asks what it was restarted by
};

}  // namespace reprise::devices
