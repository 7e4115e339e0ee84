// The whole PC without a running processor: what a hostile guest can reach, through the same entrances as its
// instructions. Each access takes a nanosecond and more; everything read goes into a digest.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "machine/board/pc.h"
#include "tests/devices/fake_share.h"
#include "tests/native/random.h"
#include "tests/noise/medium.h"

namespace reprise::noise {

using native::Random;

/// Zero, all ones, one bit, a small number, or anything.
u64 noisy_value(Random& random);

enum class Firmware : u8 { None, SeaBios, Ovmf };

/// A PCI function as enumeration finds it.
struct Card {
  unsigned device = 0;
  unsigned function = 0;
  u16 vendor_id = 0;
  u16 device_id = 0;
  u64 bars[devices::pci::kBars] = {};  // where enumeration put them; 0: there is none
};

class Board final : public MachineControl {
 public:
  static constexpr u64 kRamBytes = 16 * machine::kMiB;
  static constexpr unsigned kMaxTimers = 64;

  Board(Firmware firmware, unsigned processors);
  ~Board() override;

  /// Whose accesses the next ones are.
  void let_act(u64 processor) { actor_ = static_cast<unsigned>(processor); }
  unsigned processors() const { return config_.cpu.topology.count(); }

  // --- A guest's accesses ---
  u32 in(u16 port, Width width = Width::Byte);
  void out(u16 port, u64 value, Width width = Width::Byte);
  u64 read(u64 phys, Width width = Width::Dword);
  void write(u64 phys, u64 value, Width width = Width::Dword);
  u32 config_read(const Card& card, u8 offset, Width width = Width::Dword);
  void config_write(const Card& card, u8 offset, u32 value, Width width = Width::Dword);
  /// String instructions on a port.
  void in_string(u16 port, Width width, std::span<u8> into);
  void out_string(u16 port, Width width, std::span<const u8> from);
  void read_msr(u32 msr);
  void write_msr(u32 msr, u64 value);
  /// Takes the interrupt that waits, if one does; its vector.
  std::optional<u8> take_interrupt();
  void wait(u64 ns);

  /// One access of any width around one of `count` ports, or in `bytes` of memory.
  void port_noise(Random& random, u16 first, u32 count);
  void memory_noise(Random& random, u64 phys, u64 bytes);

  // --- RAM ---
  template <class T>
  void put(u64 phys, T value) {
    u8 bytes[sizeof(T)];
    write_unaligned<T>(bytes, value);
    pc_->dma_write(phys, bytes);
  }
  template <class T>
  T get(u64 phys) {
    u8 bytes[sizeof(T)] = {};
    pc_->dma_read(phys, bytes);
    return read_unaligned<T>(bytes);
  }

  // --- PCI ---
  /// As firmware does: finds the functions, places their windows, enables them.
  /// As firmware does: the PM block is nowhere from reset on.
  void place_pm();
  void enumerate();
  /// The `nth` function of that identity.
  const Card& card(u16 vendor_id, u16 device_id, unsigned nth = 0) const;
  const std::vector<Card>& cards() const { return cards_; }

  /// Saves the machine, builds another and loads it there.
  void save_and_load();
  /// The same with some of the state's numbers changed. False: it was refused, and the true one is loaded.
  bool load_made_up(Random& random);
  void reset();
  machine::Pc& pc() { return *pc_; }
  const std::vector<std::unique_ptr<Medium>>& media() const { return media_; }

  /// Of everything read so far.
  u64 read_digest() const { return digest_; }
  /// Of that and of the machine as it is.
  u64 digest();
  u64 samples_heard() const { return listener_.count; }
  u64 accesses() const { return accesses_; }
  u64 events() const { return events_; }
  /// What the board itself saw go wrong; empty: nothing.
  const std::string& problem() const { return problem_; }

 private:
  void request(MachineRequest request, int code) override;
  void build();
  void fold(u64 value) { digest_ = (digest_ ^ value) * 0x100000001b3 + (digest_ >> 29); }
  /// The instruction is over.
  void step();

  const Firmware firmware_;
  unsigned actor_ = 0;
  Log log_;
  machine::MachineConfig config_;
  struct Output final : devices::CharBackend {
    void write(std::span<const u8> bytes) override { count += bytes.size(); }
    u64 count = 0;
  } output_;
  struct Listener final : devices::AudioSink {
    void play(u64, std::span<const i16> samples) override { count += samples.size(); }
    u64 count = 0;
  } listener_;
  std::vector<std::unique_ptr<Medium>> media_;
  devices::testing::FakeShare share_{false};
  std::unique_ptr<mmu::Ram> ram_;
  std::unique_ptr<machine::Pc> pc_;
  std::vector<Card> cards_;
  Card no_card_;
  bool reset_wanted_ = false;
  u64 digest_ = 0xcbf29ce484222325;
  u64 accesses_ = 0;
  u64 events_ = 0;
  std::string problem_;
};

}  // namespace reprise::noise
