#include "tests/noise/board.h"

#include <fmt/format.h>

#include <cstdlib>

#include "common/hash.h"
#include "devices/pci/piix4_pm.h"
#include "machine/firmware/firmware.h"

namespace reprise::noise {
namespace {

using machine::DiskBus;
using machine::DiskMedia;
namespace pci = devices::pci;

constexpr Width kWidths[] = {Width::Byte, Width::Word, Width::Dword, Width::Qword};
constexpr u16 kDebugExitPort = 0xf4;
constexpr u64 kFirstWindowPhys = 0xe000'0000;
constexpr u16 kFirstWindowPort = 0xc000;

struct Drive {
  DiskBus bus;
  DiskMedia media;
  u64 sectors;
  bool read_only;
};
constexpr Drive kDrives[] = {
    {DiskBus::Ide, DiskMedia::Disk, 2048, false},      {DiskBus::Ide, DiskMedia::Disk, 33, true},
    {DiskBus::Ide, DiskMedia::Cdrom, 1000, true},      {DiskBus::Ide, DiskMedia::Cdrom, 0, true},
    {DiskBus::Ahci, DiskMedia::Disk, 2048, false},     {DiskBus::Ahci, DiskMedia::Cdrom, 1000, true},
    {DiskBus::Virtio, DiskMedia::Disk, 2048, false},   {DiskBus::Virtio, DiskMedia::Disk, 77, true},
    {DiskBus::Scsi, DiskMedia::Disk, 2048, false},     {DiskBus::Scsi, DiskMedia::Cdrom, 1000, true},
    {DiskBus::Floppy, DiskMedia::Floppy, 2880, false}, {DiskBus::Floppy, DiskMedia::Floppy, 700, true},
};

}  // namespace

u64 noisy_value(Random& random) {
  switch (random.below(5)) {
    case 0: return 0;
    case 1: return ~u64{0};
    case 2: return u64{1} << random.below(random.chance(50) ? 64 : 32);
    case 3: return random.below(256);
    default: return random.next();
  }
}

Board::Board(Firmware firmware, unsigned processors)
    : firmware_(firmware),
      ram_(mmu::Ram::create(kRamBytes + machine::vga_properties({}).memory_bytes).take()) {
  config_.cpu.topology.cores = processors;
  config_.ram_bytes = kRamBytes;
  config_.devices = {
      {.driver = "virtio-console"},
      {.driver = "virtio-serial"},
      {.driver = "virtconsole"},
      {.driver = "virtserialport", .properties = {{"name", "noise"}, {"target", "unix:/noise"}}},
      {.driver = "virtio-rng"},
      {.driver = "i6300esb"},
      {.driver = "virtio-keyboard"},
      {.driver = "virtio-mouse"},
      {.driver = "virtio-tablet"},
      {.driver = "isa-debug-exit",
       .properties = {{"iobase", fmt::format("{:#x}", kDebugExitPort)}, {"iosize", "4"}}},
      {.driver = "pc-testdev"},
      {.driver = "virtio-net"},
      {.driver = "e1000"},
      {.driver = "virtio-9p", .properties = {{"path", "/"}, {"tag", "noise"}}},
      {.driver = "AC97"},
      {.driver = "pcie-root-port", .id = "port"},
      {.driver = "virtio-rng", .bus = "port"}};
  for (const Drive& drive : kDrives)
    media_.push_back(std::make_unique<Medium>(drive.sectors, drive.read_only));
  build();
  place_pm();
  enumerate();
}

Board::~Board() = default;

void Board::build() {
  std::vector<machine::AttachedDisk> disks;
  for (const Drive& drive : kDrives)
    disks.push_back({media_[disks.size()].get(), drive.bus, drive.media, fmt::format("N{}", disks.size())});
  pc_.reset();
  pc_ = std::make_unique<machine::Pc>(
      config_, *ram_, machine::PcBackends{output_, output_, disks, &output_, nullptr, &listener_, {&share_}},
      *this, log_);
  if (const auto plugged = pc_->plug_in(config_.devices); !plugged) {
    fmt::print(stderr, "device_noise: {}\n", plugged.error().message);
    std::exit(2);
  }
  if (firmware_ == Firmware::None) return;
  const auto booted = pc_->boot_firmware({.bios = firmware_ == Firmware::Ovmf ? "ovmf" : "seabios"});
  if (booted) return;
  fmt::print(stderr, "device_noise: {}\n", booted.error().message);
  std::exit(2);
}

void Board::request(MachineRequest request, int) {
  fold(static_cast<u64>(request));
  if (request == MachineRequest::Reset || request == MachineRequest::WatchdogReset) reset_wanted_ = true;
}

void Board::reset() {
  if (!pc_->reset())
    for (const devices::Device* device : pc_->devices())
      const_cast<devices::Device*>(device)->reset(devices::ResetKind::Warm);
  place_pm();
}

void Board::place_pm() {
  constexpr u32 kPm = 0x8000'0000u | u32{machine::kPciDeviceSouthBridge} << 11 | 3u << 8;
  const auto config_write = [&](u32 offset, Width width, u32 value) {
    pc_->port_write(0xcf8, Width::Dword, kPm | offset);
    pc_->port_write(0xcfc, width, value);
  };
  config_write(devices::Piix4Pm::kPmBase, Width::Dword, machine::kPmBasePort);
  config_write(devices::Piix4Pm::kPmRegMisc, Width::Byte, 1);
}

void Board::step() {
  ++accesses_;
  machine::Scheduler& scheduler = pc_->scheduler();
  scheduler.settle();
  scheduler.skip_to(scheduler.now_ns() + 1);
  events_ += scheduler.run_due();
  if (!reset_wanted_) return;
  reset_wanted_ = false;
  reset();
}

void Board::wait(u64 ns) {
  machine::Scheduler& scheduler = pc_->scheduler();
  const u64 from_events = events_;
  for (const u64 end = scheduler.now_ns() + ns; scheduler.now_ns() < end;) {
    scheduler.skip_to(std::min(end, scheduler.next_deadline_ns()));
    step();
  }
  // No timer may fire more than once in a microsecond, so that a guest cannot make idling expensive.
  if (events_ - from_events > kMaxTimers * (ns / 1000 + 2))
    problem_ = fmt::format("{} events in {} ns of virtual time", events_ - from_events, ns);
}

u32 Board::in(u16 port, Width width) {
  const u32 value = pc_->port_read(port, width);
  if (value & ~width_mask(width))
    problem_ = fmt::format("port {:x} gave {:x}, which is too wide", port, value);
  fold(value);
  step();
  return value;
}

void Board::out(u16 port, u64 value, Width width) {
  pc_->port_write(port, width, static_cast<u32>(value & width_mask(width)));
  step();
}

u64 Board::read(u64 phys, Width width) {
  const u64 value = pc_->processors().at(actor_).cpu.mmu.read_phys(phys, width);
  if (value & ~width_mask(width))
    problem_ = fmt::format("address {:x} gave {:x}, which is too wide", phys, value);
  fold(value);
  step();
  return value;
}

void Board::write(u64 phys, u64 value, Width width) {
  pc_->processors().at(actor_).cpu.mmu.write_phys(phys, width, value & width_mask(width));
  step();
}

u32 Board::config_read(const Card& card, u8 offset, Width width) {
  out(0xcf8, 0x8000'0000u | card.device << 11 | card.function << 8 | (offset & 0xfcu), Width::Dword);
  return in(static_cast<u16>(0xcfc + (offset & 3)), width);
}

void Board::config_write(const Card& card, u8 offset, u32 value, Width width) {
  out(0xcf8, 0x8000'0000u | card.device << 11 | card.function << 8 | (offset & 0xfcu), Width::Dword);
  out(static_cast<u16>(0xcfc + (offset & 3)), value, width);
}

void Board::in_string(u16 port, Width width, std::span<u8> into) {
  std::size_t done = pc_->port_read_ahead(port, width, into);
  for (const u8 byte : into.first(done)) fold(byte);
  for (; done + width_bytes(width) <= into.size(); done += width_bytes(width)) in(port, width);
}

void Board::out_string(u16 port, Width width, std::span<const u8> from) {
  std::size_t done = pc_->port_write_ahead(port, width, from);
  for (; done + width_bytes(width) <= from.size(); done += width_bytes(width)) out(port, from[done], width);
}

void Board::read_msr(u32 msr) {
  u64 value = 0;
  fold(pc_->processors().at(actor_).apic_msr_read(msr, value));
  fold(value);
  step();
}

void Board::write_msr(u32 msr, u64 value) {
  fold(pc_->processors().at(actor_).apic_msr_write(msr, value));
  step();
}

std::optional<u8> Board::take_interrupt() {
  InterruptSource& interrupts = pc_->processors().at(actor_).cpu.interrupts;
  if (!interrupts.interrupt_pending()) return std::nullopt;
  const u8 vector = interrupts.acknowledge_interrupt();
  fold(vector);
  step();
  return vector;
}

void Board::port_noise(Random& random, u16 first, u32 count) {
  const Width width = kWidths[random.chance(60) ? 0 : random.below(3)];
  const u16 port = static_cast<u16>(first + random.below(count));
  if (random.chance(33))
    in(port, width);
  else
    out(port, noisy_value(random), width);
}

void Board::memory_noise(Random& random, u64 phys, u64 bytes) {
  const Width width = kWidths[random.chance(60) ? 2 : random.below(4)];
  u64 at = phys + random.below(bytes);
  if (random.chance(90)) at = align_down(at, width_bytes(width));
  if (random.chance(33))
    read(at, width);
  else
    write(at, noisy_value(random), width);
}

void Board::enumerate() {
  cards_.clear();
  u64 window_phys = kFirstWindowPhys;
  u32 window_port = kFirstWindowPort;
  for (unsigned slot = 0; slot < 32 * 8; ++slot) {
    Card card{.device = slot / 8, .function = slot % 8};
    const u32 id = config_read(card, pci::kVendorId);
    if ((id & 0xffff) == 0xffff) continue;
    card.vendor_id = static_cast<u16>(id);
    card.device_id = static_cast<u16>(id >> 16);
    const u16 command = static_cast<u16>(config_read(card, pci::kCommand, Width::Word));
    config_write(card, pci::kCommand, command & ~3u, Width::Word);
    for (unsigned i = 0; i < pci::kBars; ++i) {
      const u8 offset = static_cast<u8>(pci::kBar0 + 4 * i);
      config_write(card, offset, ~u32{0});
      const u32 mask = config_read(card, offset);
      if (mask == 0 || mask == ~u32{0}) continue;
      if (mask & 1) {
        const u32 bytes = (~(mask & ~u32{3}) & 0xffff) + 1;
        window_port = static_cast<u32>(align_up(window_port, bytes));
        card.bars[i] = window_port;
        window_port += bytes;
      } else {
        const u32 bytes = ~(mask & ~u32{15}) + 1;
        window_phys = align_up(window_phys, bytes);
        card.bars[i] = window_phys;
        window_phys += bytes;
      }
      config_write(card, offset, static_cast<u32>(card.bars[i]));
      if ((mask & 7) == 4) config_write(card, static_cast<u8>(pci::kBar0 + 4 * ++i), 0);
    }
    config_write(card, pci::kCommand, 7, Width::Word);
    cards_.push_back(card);
  }
}

const Card& Board::card(u16 vendor_id, u16 device_id, unsigned nth) const {
  for (const Card& card : cards_)
    if (card.vendor_id == vendor_id && card.device_id == device_id && nth-- == 0) return card;
  return no_card_;
}

void Board::save_and_load() {
  Archive saved;
  pc_->serialize(saved);
  build();
  Archive load(saved.bytes());
  pc_->serialize(load);
  if (!load.ok()) problem_ = "a saved state was refused";
  Archive again;
  pc_->serialize(again);
  if (!std::ranges::equal(saved.bytes(), again.bytes())) problem_ = "a loaded state is saved differently";
}

bool Board::load_made_up(Random& random) {
  Archive saved;
  pc_->serialize(saved);
  std::vector<u8> changed(saved.bytes().begin(), saved.bytes().end());
  for (u64 count = 1 + random.below(6); count != 0; --count) {
    const u64 value = noisy_value(random);
    const u64 width = u64{1} << random.below(4);
    const u64 at = random.below(changed.size());
    for (u64 i = 0; i < width && at + i < changed.size(); ++i)
      changed[at + i] = static_cast<u8>(value >> (8 * i));
  }
  build();
  Archive load(changed);
  pc_->serialize(load);
  if (load.ok()) return true;
  build();
  Archive again(saved.bytes());
  pc_->serialize(again);
  // What an accepted state led to may be refused in turn.
  if (!again.ok()) build();
  return false;
}

u64 Board::digest() {
  Archive archive;
  pc_->serialize(archive);
  u64 digest = hash64(archive.bytes(), digest_);
  digest = hash64({ram_->host(), ram_->bytes()}, digest);
  for (const auto& medium : media_) {
    digest = hash64(medium->content(), digest);
    if (medium->misused()) problem_ = "a disk was asked for parts of sectors";
  }
  return digest + output_.count;
}

}  // namespace reprise::noise
