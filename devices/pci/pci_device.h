// PciFunction: one PCI function's type 0 configuration space, as bytes with write masks. PCI 2.2, chapter 6.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "common/ports.h"
#include "devices/device.h"
#include "devices/display/video_ram.h"

namespace reprise::devices {

/// The configuration bytes whose value a write changed. Whoever made the write applies it (moves a BAR,
/// remaps PAM); the function itself never calls back.
struct ConfigChange {
  u8 first = 0;
  u8 bytes = 0;  // 0: nothing changed
  bool any() const { return bytes != 0; }
  /// Does it touch [offset, offset + count)?
  bool touches(unsigned offset, unsigned count) const {
    return bytes != 0 && first < offset + count && offset < unsigned{first} + bytes;
  }
};

struct PciIdentity {
  u16 vendor = 0xffff;
  u16 device = 0xffff;
  u8 revision = 0;
  u32 class_code = 0;  // class, subclass, programming interface: 24 bits
  bool multi_function = false;
  u16 subsystem_vendor = 0;
  u16 subsystem = 0;
};

/// One base address register and what answers behind it: a handler, RAM or ROM. PCI 2.2, 6.2.5.1 and 6.2.5.2.
struct PciBar {
  enum class Space : u8 { None, Io, Memory32, Rom32 };
  Space space = Space::None;
  u64 bytes = 0;                  // a power of two
  PioHandler* ports = nullptr;    // Io
  Width widest = Width::Byte;     // Io: as PioRange
  MmioHandler* memory = nullptr;  // Memory32: it, or RAM
  const VideoRam* ram = nullptr;
  std::span<u8> rom = {};  // Rom32
};

/// Registers that every function has. PCI 2.2 figure 6-1.
namespace pci {
inline constexpr u8 kVendorId = 0x00;
inline constexpr u8 kDeviceId = 0x02;
inline constexpr u8 kCommand = 0x04;
inline constexpr u8 kStatus = 0x06;
inline constexpr u8 kRevision = 0x08;
inline constexpr u8 kClass = 0x0a;  // subclass, class
inline constexpr u8 kHeaderType = 0x0e;
inline constexpr u8 kBar0 = 0x10;
inline constexpr u8 kSubsystemVendorId = 0x2c;
inline constexpr u8 kSubsystemId = 0x2e;
inline constexpr u8 kRomAddress = 0x30;
inline constexpr u8 kCapabilities = 0x34;
inline constexpr u8 kInterruptLine = 0x3c;
inline constexpr u8 kInterruptPin = 0x3d;

inline constexpr u16 kCommandIo = 1u << 0;
inline constexpr u16 kCommandMemory = 1u << 1;
inline constexpr u16 kCommandBusMaster = 1u << 2;
inline constexpr u16 kCommandInterruptDisable = 1u << 10;
inline constexpr u16 kStatusInterrupt = 1u << 3;
inline constexpr u16 kStatusCapabilities = 1u << 4;
inline constexpr unsigned kBars = 6;
inline constexpr unsigned kRomBar = kBars;  // the expansion ROM's address, as one more base address register
}  // namespace pci

class PciBridge;
class PciBus;

class PciFunction : public Device {
 public:
  explicit PciFunction(PciIdentity identity);

  /// `offset` + width stays within 256 bytes; anything beyond reads as ones and drops writes. Virtual for
  /// functions with registers that act when they are read or written.
  virtual u32 config_read(u8 offset, Width width) { return config_peek(offset, width); }
  virtual ConfigChange config_write(u8 offset, Width width, u32 value);

  /// What the bytes hold, without any effect of a read.
  u32 config_peek(u8 offset, Width width) const;

  /// `index` is kRomBar at most. The second half of a 64-bit register has space None.
  const PciBar& bar(unsigned index) const { return bars_.at(index); }
  /// Where register `index` makes its handler answer: nothing while the command register disables its space, the register is in the middle
  /// of being sized or set, or a bridge above does not let accesses come there.
  std::optional<u64> bar_base(unsigned index) const;
  /// Could it send, by a message, what a processor takes even while it masks interrupts: SMI, NMI, INIT?
  virtual bool may_send_unmaskable() const { return false; }
  /// Plugs in an expansion ROM, whose size becomes a power of two. Before the guest runs, once.
  void set_rom(std::vector<u8> content);
  /// Its command register and the bridges above let it get to memory.
  bool bus_master() const;

  /// nullptr: it is no bridge.
  virtual PciBridge* as_bridge() { return nullptr; }
  /// The bus that it is on, which is no state of its own; nullptr: it is on none, or nobody has said so.
  const PciBus* bus() const { return bus_; }
  void set_bus(const PciBus* bus) { bus_ = bus; }
  /// bus_master() may say something else than before.
  virtual void upstream_changed() { config_changed({pci::kCommand, 2}); }

  /// Sets all registers to their reset values.
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

 protected:
  u8 byte(unsigned offset) const { return config_[offset]; }
  u16 word(unsigned offset) const { return static_cast<u16>(config_[offset] | config_[offset + 1] << 8); }
  void set_byte(unsigned offset, u8 value) { config_[offset] = value; }

  // For constructors: reset values, bits that take writes, bits that are cleared by writing 1.
  void define8(unsigned offset, u8 reset_value, u8 writable = 0);
  void define16(unsigned offset, u16 reset_value, u16 writable = 0);
  void define32(unsigned offset, u32 reset_value, u32 writable = 0);
  void write_one_to_clear16(unsigned offset, u16 mask);
  /// Base address register `index` and the command bit that enables it. The machine maps the handler where
  /// the guest says (PciConfigListener); it outlives the function.
  void define_io_bar(unsigned index, u32 bytes, PioHandler& ports, Width widest);
  void define_memory_bar(unsigned index, u64 bytes, MmioHandler& memory);
  /// The same for RAM, prefetchable.
  void define_ram_bar(unsigned index, const VideoRam& ram);
  /// Puts a capability of `id` with `body_bytes` bytes behind its two-byte header at the end of the list;
  /// returns the offset of the header. The caller defines the body.
  u8 add_capability(u8 id, unsigned body_bytes);
  /// A constructor ends with this.
  void apply_reset_values() { config_ = reset_values_; }

  /// Bits of the byte at `offset` that take writes now, for registers that lock themselves.
  virtual u8 writable(unsigned offset) const { return writable_[offset]; }
  /// After a write changed something: for functions that drive wires from configuration bytes.
  virtual void config_changed(ConfigChange) {}

 private:
  static constexpr unsigned kBytes = 256;
  const PciBus* bus_ = nullptr;
  std::array<PciBar, pci::kBars + 1> bars_{};
  std::vector<u8> rom_;
  u8 last_capability_link_ = pci::kCapabilities;
  u8 next_capability_ = 0x40;
  std::array<u8, kBytes> config_{};
  std::array<u8, kBytes> reset_values_{};
  std::array<u8, kBytes> writable_{};
  std::array<u8, kBytes> clear_mask_{};
};

}  // namespace reprise::devices
