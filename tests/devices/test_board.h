// What device tests stand on: a clock that is stepped by hand, wires that count, and back ends that record.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "common/archive.h"
#include "common/ports.h"
#include "devices/backend.h"
#include "devices/device.h"
#include "devices/display/video_ram.h"
#include "devices/irq/apic.h"

namespace reprise::devices::testing {

/// `device` takes `saved` in whole, and says the same of itself afterwards.
inline void expect_loads(Device& device, Archive& saved) {
  Archive archive(saved.bytes());
  device.serialize(archive);
  EXPECT_TRUE(archive.ok() && archive.at_end());
  Archive again;
  device.serialize(again);
  EXPECT_TRUE(std::ranges::equal(saved.bytes(), again.bytes()));
}

/// Virtual time that moves only when told to. Events run at their deadlines, ties in arming order.
class FakeClock final : public Clock {
 public:
  u64 now_ns() const override { return now_ns_; }
  TimerId create_timer(std::string_view, std::function<void()> callback) override {
    timers_.push_back({std::move(callback)});
    return static_cast<TimerId>(timers_.size() - 1);
  }
  void arm(TimerId timer, u64 deadline_ns) override {
    timers_[timer].deadline_ns = deadline_ns;
    timers_[timer].order = ++order_;
  }
  void cancel(TimerId timer) override { timers_[timer].deadline_ns = kNever; }
  u64 deadline_ns(TimerId timer) const override { return timers_[timer].deadline_ns; }

  void step(u64 ns) { run_until(now_ns_ + ns); }
  void run_until(u64 end_ns) {
    while (Timer* next = earliest(end_ns)) {
      if (next->deadline_ns > now_ns_) now_ns_ = next->deadline_ns;
      next->deadline_ns = kNever;
      ++events_;
      next->callback();
    }
    now_ns_ = end_ns;
  }
  /// Moves time without running events: the machine was in one long instruction.
  void jump(u64 ns) { now_ns_ += ns; }
  void stall(u64 ns) override { stalled_ns += ns; }
  u64 stalled_ns = 0;
  u64 next_deadline_ns() const {
    u64 first = kNever;
    for (const Timer& timer : timers_) first = std::min(first, timer.deadline_ns);
    return first;
  }
  u64 events() const { return events_; }

 private:
  struct Timer {
    std::function<void()> callback;
    u64 deadline_ns = kNever;
    u64 order = 0;
  };
  Timer* earliest(u64 end_ns) {
    Timer* best = nullptr;
    for (Timer& timer : timers_) {
      if (timer.deadline_ns == kNever || timer.deadline_ns > end_ns) continue;
      if (!best || timer.deadline_ns < best->deadline_ns ||
          (timer.deadline_ns == best->deadline_ns && timer.order < best->order))
        best = &timer;
    }
    return best;
  }

  u64 now_ns_ = 0;
  u64 order_ = 0;
  u64 events_ = 0;
  std::vector<Timer> timers_;
};

/// Up to 64 wires: their levels and how often each rose and fell.
class FakeWires final : public IrqSink {
 public:
  void set_irq(unsigned line, bool level) override {
    if (level_[line] == level) return;
    level_[line] = level;
    ++(level ? rises_ : falls_)[line];
  }
  IrqLine line(unsigned index) { return IrqLine(*this, index); }
  bool level(unsigned index) const { return level_[index]; }
  int rises(unsigned index) const { return rises_[index]; }
  int falls(unsigned index) const { return falls_[index]; }

 private:
  std::array<bool, 64> level_{};
  std::array<int, 64> rises_{};
  std::array<int, 64> falls_{};
};

/// Memory of a graphics card that nobody else reaches.
class FakeVideoRam final : public VideoRam {
 public:
  explicit FakeVideoRam(u64 memory_bytes = 16 << 20) : bytes_(memory_bytes) {}
  std::span<const u8> bytes() const override { return bytes_; }
  void write(u64 offset, std::span<const u8> from) override {
    ASSERT_LE(offset + from.size(), bytes_.size());
    std::copy(from.begin(), from.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(offset));
    ++writes;
  }
  u64 writes = 0;

 private:
  std::vector<u8> bytes_;
};

class FakeBackend final : public CharBackend {
 public:
  void write(std::span<const u8> bytes) override { text.append(bytes.begin(), bytes.end()); }
  std::string text;
};

class FakeControl final : public MachineControl {
 public:
  void request(MachineRequest request, int code) override {
    requests.push_back(request);
    last_code = code;
  }
  MachineRequest last() const { return requests.empty() ? MachineRequest::None : requests.back(); }
  std::vector<MachineRequest> requests;
  int last_code = 0;
};

inline u8 in8(PioHandler& ports, u16 offset) { return static_cast<u8>(ports.pio_read(offset, Width::Byte)); }
inline void out8(PioHandler& ports, u16 offset, u32 value) {
  ports.pio_write(offset, Width::Byte, value & 0xff);
}
inline u32 in32(PioHandler& ports, u16 offset) { return ports.pio_read(offset, Width::Dword); }
inline void out32(PioHandler& ports, u16 offset, u32 value) { ports.pio_write(offset, Width::Dword, value); }
inline u32 mmio32(MmioHandler& page, u64 offset) {
  return static_cast<u32>(page.mmio_read(offset, Width::Dword));
}
inline void mmio32(MmioHandler& page, u64 offset, u32 value) { page.mmio_write(offset, Width::Dword, value); }

template <class D>
std::vector<u8> saved(D& device) {
  Archive archive;
  device.serialize(archive);
  return {archive.bytes().begin(), archive.bytes().end()};
}
/// False when the device refused the bytes.
template <class D>
bool load(D& device, const std::vector<u8>& bytes) {
  Archive archive{std::span<const u8>(bytes)};
  device.serialize(archive);
  return archive.ok();
}

/// Bounded random accesses with time steps between: the device must stay well-defined, and must save and load.
class Noise {
 public:
  explicit Noise(u32 seed) : random_(seed) {
    ::testing::Test::RecordProperty("seed", static_cast<int>(seed));
  }
  u32 next() { return static_cast<u32>(random_()); }
  u32 below(u32 bound) { return next() % bound; }
  /// Zero, all ones, one bit, a small number, or anything.
  u32 value() {
    switch (below(5)) {
      case 0: return 0;
      case 1: return 0xffffffff;
      case 2: return 1u << below(32);
      case 3: return below(256);
      default: return next();
    }
  }
  u64 value64() { return u64{value()} << 32 | value(); }

  void ports(PioHandler& handler, u32 count, Width widest) {
    static constexpr Width kWidths[] = {Width::Byte, Width::Word, Width::Dword};
    const Width width = kWidths[below(widest == Width::Byte ? 1 : widest == Width::Word ? 2 : 3)];
    const u16 offset = static_cast<u16>(below(count));
    if (below(3) == 0) {
      const u32 read = handler.pio_read(offset, width);
      EXPECT_EQ(read & ~width_mask(width), 0u) << "offset " << offset;
    } else {
      handler.pio_write(offset, width, value() & static_cast<u32>(width_mask(width)));
    }
  }
  void page(MmioHandler& handler, u64 bytes) {
    static constexpr Width kWidths[] = {Width::Byte, Width::Word, Width::Dword, Width::Dword, Width::Qword};
    const Width width = kWidths[below(5)];
    const u64 offset = align_down(below(static_cast<u32>(bytes)), width_bytes(width));
    if (below(3) == 0)
      EXPECT_EQ(handler.mmio_read(offset, width) & ~width_mask(width), 0u) << "offset " << offset;
    else
      handler.mmio_write(offset, width, value64() & width_mask(width));
  }

 private:
  std::mt19937 random_;
};

}  // namespace reprise::devices::testing
