// A small virtio driver for tests: guest memory, a recorder of messages, and one queue's rings, written by
// hand.
#pragma once

#include <algorithm>
#include <map>

#include "devices/virtio/virtio_pci.h"
#include "tests/devices/test_board.h"

namespace reprise::devices::testing {

/// RAM from address 0 up.
class FakeMemory final : public DmaPort {
 public:
  explicit FakeMemory(std::size_t size) : bytes(size) {}
  bool dma_read(u64 phys, std::span<u8> into) override {
    bool all = true;
    for (std::size_t i = 0; i < into.size(); ++i) {
      const bool ram = phys + i < bytes.size();
      into[i] = ram ? bytes[phys + i] : 0xff;
      all &= ram;
    }
    return all;
  }
  bool dma_write(u64 phys, std::span<const u8> from) override {
    bool all = true;
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (phys + i < bytes.size())
        bytes[phys + i] = from[i];
      else
        all = false;
    }
    return all;
  }
  template <class T>
  void put(u64 phys, T value) {
    write_unaligned<T>(&bytes.at(phys), value);
  }
  template <class T>
  T get(u64 phys) const {
    return read_unaligned<T>(&bytes.at(phys));
  }
  std::vector<u8> bytes;
};

class FakeMsi final : public MsiSink {
 public:
  void send_msi(u64 phys, u32 data) override { sent.push_back({phys, data}); }
  struct Message {
    u64 phys;
    u32 data;
    bool operator==(const Message&) const = default;
  };
  std::vector<Message> sent;
};

/// The board of one virtio device.
struct VirtioTestBoard {
  FakeClock clock;
  FakeMemory memory{1 << 20};
  FakeMsi messages;
  FakeWires wires;
  VirtioPciBoard board{memory, messages, wires.line(0)};
};

/// A device of `Kind` on the PCI bus of `test`, by the arguments that its constructor has before the clock.
template <class Kind>
class OnPci final : public VirtioPci {
 public:
  template <class... Arguments>
  explicit OnPci(VirtioTestBoard& test, Arguments&&... arguments)
      : OnPci(new Kind(std::forward<Arguments>(arguments)..., test.clock), test.board) {}
  Kind* operator->() { return kind_; }

 private:
  OnPci(Kind* kind, const VirtioPciBoard& board)
      : VirtioPci(std::unique_ptr<VirtioDevice>(kind), board), kind_(kind) {}

  Kind* const kind_;
};

// Registers of the common configuration.
namespace common_cfg {
inline constexpr u64 kDeviceFeatureSelect = 0x00, kDeviceFeature = 0x04, kDriverFeatureSelect = 0x08,
                     kDriverFeature = 0x0c, kConfigVector = 0x10, kNumQueues = 0x12, kStatus = 0x14,
                     kQueueSelect = 0x16, kQueueSize = 0x18, kQueueVector = 0x1a, kQueueEnable = 0x1c,
                     kQueueNotifyOff = 0x1e, kQueueDesc = 0x20, kQueueDriver = 0x28, kQueueDevice = 0x30;
}
inline constexpr u64 kIsr = 0x1000, kDeviceConfig = 0x2000, kNotify = 0x3000;
inline constexpr u16 kDescNext = 1, kDescWrite = 2, kDescIndirect = 4;

struct Buffer {
  u64 phys;
  u32 bytes;
  bool writable;
};

/// Drives `device`, whose queue `q` has its rings at 1000h + q * 4000h.
class VirtioDriver {
 public:
  VirtioDriver(VirtioPci& device, FakeMemory& memory) : device_(device), memory_(memory) {}

  MmioHandler& registers() { return *device_.bar(4).memory; }
  MmioHandler& msix() { return *device_.bar(1).memory; }
  u64 read(u64 offset, Width width) { return registers().mmio_read(offset, width); }
  void write(u64 offset, Width width, u64 value) { registers().mmio_write(offset, width, value); }
  u8 status() { return static_cast<u8>(read(common_cfg::kStatus, Width::Byte)); }
  void set_status(u8 value) { write(common_cfg::kStatus, Width::Byte, value); }

  u64 offered() {
    u64 features = 0;
    for (u32 half = 0; half < 2; ++half) {
      write(common_cfg::kDeviceFeatureSelect, Width::Dword, half);
      features |= read(common_cfg::kDeviceFeature, Width::Dword) << (32 * half);
    }
    return features;
  }
  void accept(u64 features) {
    for (u32 half = 0; half < 2; ++half) {
      write(common_cfg::kDriverFeatureSelect, Width::Dword, half);
      write(common_cfg::kDriverFeature, Width::Dword, features >> (32 * half) & 0xffffffff);
    }
  }
  void set_up_queue(unsigned queue, u16 size, u16 vector = 0xffff) {
    using namespace common_cfg;
    write(kQueueSelect, Width::Word, queue);
    write(kQueueSize, Width::Word, size);
    write(kQueueVector, Width::Word, vector);
    write(kQueueDesc, Width::Dword, desc(queue));
    write(kQueueDesc + 4, Width::Dword, 0);
    write(kQueueDriver, Width::Dword, avail(queue));
    write(kQueueDevice, Width::Qword, used(queue));
    write(kQueueEnable, Width::Word, 1);
    size_ = size;
  }
  /// Reset, negotiation of `features` (VERSION_1 is added), `queues` queues of `size`, DRIVER_OK.
  void start(u64 features, unsigned queues = 1, u16 size = 16) {
    device_.config_write(pci::kCommand, Width::Word, pci::kCommandMemory | pci::kCommandBusMaster);
    set_status(0);
    set_status(1);
    set_status(3);
    accept(features | u64{1} << 32);
    set_status(0xb);
    EXPECT_EQ(status(), 0xb);
    event_index_ = (features >> 29 & 1) != 0;
    for (unsigned q = 0; q < queues; ++q) {
      std::fill_n(memory_.bytes.begin() + static_cast<std::ptrdiff_t>(desc(q)), 0x4000, u8{0});
      set_up_queue(q, size);
    }
    set_status(0xf);
    EXPECT_EQ(status(), 0xf);
    legacy_ = false;
    next_ = {};
    seen_ = {};
  }

  /// The same as a driver from before virtio 1.0: through the ports of BAR 0, with queues as large as the device has them.
  void start_legacy(u32 features, unsigned queues = 1) {
    PioHandler& ports = *device_.bar(0).ports;
    device_.config_write(pci::kCommand, Width::Word, pci::kCommandIo);
    out8(ports, 0x12, 0);
    out8(ports, 0x12, 1);
    out8(ports, 0x12, 3);
    out32(ports, 4, in32(ports, 0) & features);
    event_index_ = (features >> 29 & 1) != 0;
    for (unsigned q = 0; q < queues; ++q) {
      std::fill_n(memory_.bytes.begin() + static_cast<std::ptrdiff_t>(desc(q)), 0x4000, u8{0});
      ports.pio_write(0x0e, Width::Word, q);
      size_ = static_cast<u16>(ports.pio_read(0x0c, Width::Word));
      out32(ports, 8, static_cast<u32>(desc(q) >> 12));
      EXPECT_EQ(in32(ports, 8), desc(q) >> 12);
    }
    legacy_ = true;
    out8(ports, 0x12, 7);
    next_ = {};
    seen_ = {};
  }

  static u64 desc(unsigned queue) { return 0x1000 + queue * 0x4000u; }
  /// Where start() puts them; start_legacy() does so with queues of 256.
  static u64 avail(unsigned queue) { return desc(queue) + 0x1000; }
  static u64 used(unsigned queue) { return desc(queue) + 0x2000; }
  u64 avail_of(unsigned queue) const { return legacy_ ? desc(queue) + 16u * size_ : avail(queue); }
  u64 used_of(unsigned queue) const {
    return legacy_ ? align_up(avail_of(queue) + 6 + 2u * size_, 4096) : used(queue);
  }
  static u64 indirect(unsigned queue) { return desc(queue) + 0x3000; }
  u64 used_event(unsigned queue) const { return avail_of(queue) + 4 + 2 * size_; }
  u64 avail_event(unsigned queue) const { return used_of(queue) + 4 + 8 * size_; }

  void put_descriptor(u64 table, u16 index, u64 phys, u32 bytes, u16 flags, u16 next) {
    const u64 at = table + 16 * index;
    memory_.put<u64>(at, phys);
    memory_.put<u32>(at + 8, bytes);
    memory_.put<u16>(at + 12, flags);
    memory_.put<u16>(at + 14, next);
  }
  void put_chain(u64 table, u16 first, const std::vector<Buffer>& buffers) {
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      const u16 flags =
          static_cast<u16>((buffers[i].writable ? kDescWrite : 0) | (i + 1 < buffers.size() ? kDescNext : 0));
      put_descriptor(table, static_cast<u16>(first + i), buffers[i].phys, buffers[i].bytes, flags,
                     static_cast<u16>(first + i + 1));
    }
  }
  void offer(unsigned queue, u16 head) {
    u16& next = next_[queue];
    memory_.put<u16>(avail_of(queue) + 4 + 2 * (next % size_), head);
    memory_.put<u16>(avail_of(queue) + 2, ++next);
  }
  void kick(unsigned queue) {
    if (legacy_) return device_.bar(0).ports->pio_write(0x10, Width::Word, queue);
    write(kNotify + 4 * queue, Width::Word, queue);
  }
  /// Descriptors from `first` on, the request, the notification.
  void send(unsigned queue, const std::vector<Buffer>& buffers, u16 first = 0) {
    put_chain(desc(queue), first, buffers);
    offer(queue, first);
    kick(queue);
  }
  void send_indirect(unsigned queue, const std::vector<Buffer>& buffers, u16 head = 0) {
    put_chain(indirect(queue), 0, buffers);
    put_descriptor(desc(queue), head, indirect(queue), static_cast<u32>(16 * buffers.size()), kDescIndirect,
                   0);
    offer(queue, head);
    kick(queue);
  }
  u16 used_index(unsigned queue) const { return memory_.get<u16>(used_of(queue) + 2); }
  struct Used {
    u32 head;
    u32 bytes;
  };
  /// The next completion, which must be there.
  Used take(unsigned queue) {
    u16& seen = seen_[queue];
    EXPECT_NE(seen, used_index(queue)) << "nothing was completed";
    const u64 at = used_of(queue) + 4 + 8 * (seen++ % size_);
    return {memory_.get<u32>(at), memory_.get<u32>(at + 4)};
  }

 private:
  VirtioPci& device_;
  FakeMemory& memory_;
  u16 size_ = 16;
  bool legacy_ = false;
  bool event_index_ = false;
  std::map<unsigned, u16> next_;
  std::map<unsigned, u16> seen_;
};

/// Noise on everything a guest can reach: configuration space, all BARs, and the rings' memory.
inline void virtio_noise(VirtioPci& device, VirtioTestBoard& test, u32 seed, int steps, u64 features,
                         unsigned queues) {
  Noise noise(seed);
  VirtioDriver driver(device, test.memory);
  const bool transitional = device.bar(0).ports != nullptr;
  for (int i = 0; i < steps; ++i) {
    switch (noise.below(17)) {
      case 16:
        if (transitional) noise.ports(*device.bar(0).ports, 0x40, Width::Dword);
        break;
      case 0: device.config_write(static_cast<u8>(noise.below(256)), Width::Dword, noise.value()); break;
      case 1: device.config_read(static_cast<u8>(noise.below(256)), Width::Word); break;
      case 2: noise.page(driver.msix(), 0x1000); break;
      case 3: noise.page(driver.registers(), 0x4000); break;
      case 4: noise.page(driver.registers(), 0x40); break;
      case 5: test.clock.step(noise.below(100'000)); break;
      case 6:
        if (noise.below(20) == 0) test.memory.put<u32>(noise.below(0x10000) & ~3u, noise.value());
        break;
      default: {
        // A request that makes sense more often than not.
        const unsigned queue = noise.below(queues);
        std::vector<Buffer> buffers;
        const unsigned count = noise.below(20) == 0 ? 1 : 2 + noise.below(3);
        for (unsigned b = 0; b < count; ++b) {
          const u64 phys = noise.below(30) == 0 ? noise.value64() : 0x20000 + noise.below(0x40000);
          const bool last = b != 0 && b + 1 == count;
          const u32 bytes = noise.below(30) == 0   ? noise.value()
                            : b == 0               ? 16
                            : last                 ? 1
                            : noise.below(10) == 0 ? noise.below(2000)
                                                   : noise.below(3) * 512;
          const bool writable_so_far = b != 0 && buffers.back().writable && noise.below(30) != 0;
          buffers.push_back({phys, bytes, last || writable_so_far || (b != 0 && noise.below(2) == 0)});
        }
        if (buffers[0].phys < 0x60000) {
          static constexpr u32 kTypes[] = {0, 1, 4, 8, 11, 13};
          test.memory.put<u32>(buffers[0].phys, noise.below(8) == 0 ? noise.value() : kTypes[noise.below(6)]);
          test.memory.put<u64>(buffers[0].phys + 8, noise.below(8) == 0 ? noise.value64() : noise.below(64));
        }
        if (noise.below(4) == 0)
          driver.send_indirect(queue, buffers, static_cast<u16>(noise.below(17)));
        else
          driver.send(queue, buffers, static_cast<u16>(noise.below(13)));
        if (noise.below(8) != 0) test.clock.step(50'000);
        break;
      }
    }
    const bool dead = (driver.status() != 0xf && driver.status() != 7) || !device.bus_master();
    if (noise.below(dead ? 4 : 400) == 0) {
      device.reset(ResetKind::Warm);
      if (noise.below(2) == 0 || !transitional)
        driver.start(features, queues);
      else
        driver.start_legacy(static_cast<u32>(features), queues);
    }
    test.messages.sent.clear();
  }
  test.clock.step(1'000'000'000);
  EXPECT_FALSE(device.debug_dump().empty());
}

}  // namespace reprise::devices::testing
