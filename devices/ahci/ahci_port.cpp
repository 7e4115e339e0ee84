#include "devices/ahci/ahci_port.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/bits.h"
#include "devices/backend.h"
#include "devices/timer_state.h"

namespace reprise::devices::ahci {

using namespace ata;

namespace {

// PxIS, 3.3.5.
constexpr u32 kIsRegisters = 1u << 0;       // DHRS
constexpr u32 kIsPioSetup = 1u << 1;        // PSS
constexpr u32 kIsDeviceBits = 1u << 3;      // SDBS
constexpr u32 kIsConnect = 1u << 6;         // PCS, follows PxSERR.DIAG.X
constexpr u32 kIsPhyReady = 1u << 22;       // PRCS, follows PxSERR.DIAG.N
constexpr u32 kIsOverflow = 1u << 24;       // OFS
constexpr u32 kIsHostBusFatal = 1u << 29;   // HBFS
constexpr u32 kIsTaskFileError = 1u << 30;  // TFES
constexpr u32 kIsAll = 0xfdc0'00ff;
constexpr u32 kIsFollowing = kIsConnect | kIsPhyReady;

// PxCMD, 3.3.7.
constexpr u32 kCmdStart = 1u << 0;
constexpr u32 kCmdSpinUp = 1u << 1;
constexpr u32 kCmdPowerOn = 1u << 2;
constexpr u32 kCmdListOverride = 1u << 3;
constexpr u32 kCmdFisEnable = 1u << 4;
constexpr u32 kCmdFisRunning = 1u << 14;
constexpr u32 kCmdListRunning = 1u << 15;
constexpr u32 kCmdAtapi = 1u << 24;
constexpr u32 kCmdWritable = kCmdStart | kCmdFisEnable | kCmdAtapi | 1u << 25 | 3u << 26;

constexpr u32 kDet = 0xf;  // PxSSTS, PxSCTL
constexpr u32 kSctlComreset = 1;
constexpr u32 kSctlOffline = 4;
constexpr u32 kSstsActive = 0x133;        // device there, 6 Gb/s, interface active
constexpr u32 kSerrPhyReady = 1u << 16;   // DIAG.N
constexpr u32 kSerrExchanged = 1u << 26;  // DIAG.X

// Command header, 4.2.2.
constexpr u64 kHeaderBytes = 32;
constexpr u32 kHeaderAtapi = 1u << 5;
// Command table, 4.2.3.
constexpr u64 kTablePacket = 0x40;
constexpr u64 kTableRegions = 0x80;
constexpr u64 kRegionBytes = 16;
constexpr u32 kMaxTableEntries = 0xffff;

// Received FIS area, 4.2.1.
constexpr u64 kFisPioSetup = 0x20;
constexpr u64 kFisRegisters = 0x40;
constexpr u64 kFisDeviceBits = 0x58;
constexpr u8 kFisInterrupt = 0x40;
constexpr u8 kFisToHost = 0x20;  // D of a PIO setup FIS

constexpr u32 kSignatureDisk = 0x0000'0101;
constexpr u32 kSignaturePacket = 0xeb14'0101;
constexpr u32 kSignatureNone = 0xffff'ffff;
constexpr u32 kTaskFileNone = 0x7f;
constexpr u64 kResetNs = 100'000;

bool is_queued(Command command) {
  return command == Command::ReadFpdmaQueued || command == Command::WriteFpdmaQueued;
}

TaskFile from_fis(std::span<const u8> fis) {
  const auto two = [&](std::size_t low, std::size_t high) {
    return static_cast<u16>(fis[low] | fis[high] << 8);
  };
  TaskFile file;
  file.features = two(3, 11);
  file.lba_low = two(4, 8);
  file.lba_mid = two(5, 9);
  file.lba_high = two(6, 10);
  file.count = two(12, 13);
  file.device = fis[7];
  return file;
}

/// Bytes 2 to 13 of the FISes that carry registers.
void put_registers(std::span<u8> fis, const TaskFile& file) {
  fis[2] = file.status;
  fis[3] = file.error;
  fis[4] = u8(file.lba_low);
  fis[5] = u8(file.lba_mid);
  fis[6] = u8(file.lba_high);
  fis[7] = file.device;
  fis[8] = u8(file.lba_low >> 8);
  fis[9] = u8(file.lba_mid >> 8);
  fis[10] = u8(file.lba_high >> 8);
  fis[12] = u8(file.count);
  fis[13] = u8(file.count >> 8);
}

}  // namespace

AhciPort::AhciPort(unsigned index, Clock& clock, DmaPort& dma, std::function<void()> changed,
                   std::unique_ptr<Unit> unit)
    : index_(index),
      clock_(clock),
      dma_(dma),
      changed_(std::move(changed)),
      unit_(std::move(unit)),
      timer_(clock.create_timer(fmt::format("ahci port {}", index), [this] { timer_event(); })) {}

bool AhciPort::started() const { return cmd_ & kCmdStart; }

void AhciPort::reset() {
  clb_phys_ = fb_phys_ = 0;
  is_ = ie_ = sctl_ = serr_ = 0;
  cmd_ = kCmdSpinUp | kCmdPowerOn;
  stop();
  soft_resetting_ = false;
  link_up();
}

/// COMRESET has been answered: the device resets, and sends its signature a little later. 10.4.2.
void AhciPort::link_up() {
  link_ = unit_ != nullptr;
  tfd_ = kTaskFileNone;
  sig_ = kSignatureNone;
  sign_deadline_ns_ = Clock::kNever;
  if (unit_) {
    unit_->reset();
    serr_ |= kSerrExchanged | kSerrPhyReady;
    tfd_ = kTaskFileNone | kStatusBsy;
    sign_deadline_ns_ = clock_.now_ns() + kResetNs;
  }
  arm();
}

void AhciPort::sign() {
  TaskFile file;
  unit_->sign(file);
  sig_ = unit_->is_packet_device() ? kSignaturePacket : kSignatureDisk;
  set_task_file(file);
  post_registers(file, false);
}

/// PxCMD.ST is off: no command is under way or waits. 10.3.2.
void AhciPort::stop() {
  ci_ = sact_ = 0;
  current_slot_ = 0;
  halted_ = false;
  for (Slot& slot : slots_) slot.state = State::Empty;
  arm();
}

u32 AhciPort::read(u64 offset) const {
  switch (offset) {
    case kClb: return static_cast<u32>(clb_phys_);
    case kClbu: return static_cast<u32>(clb_phys_ >> 32);
    case kFb: return static_cast<u32>(fb_phys_);
    case kFbu: return static_cast<u32>(fb_phys_ >> 32);
    case kIs:
      return is_ | (serr_ & kSerrExchanged ? kIsConnect : 0) | (serr_ & kSerrPhyReady ? kIsPhyReady : 0);
    case kIe: return ie_;
    case kCmd:
      return cmd_ | u32{current_slot_} << 8 | (cmd_ & kCmdFisEnable ? kCmdFisRunning : 0) |
             (started() ? kCmdListRunning : 0);
    case kTfd: return tfd_;
    case kSig: return sig_;
    case kSsts: return (sctl_ & kDet) == kSctlOffline ? 4 : link_ ? kSstsActive : 0;
    case kSctl: return sctl_;
    case kSerr: return serr_;
    case kSact: return sact_;
    case kCi: return ci_;
    default: return 0;
  }
}

void AhciPort::write(u64 offset, u32 value) {
  const auto low = [value](u64& phys, u32 mask) { phys = (phys & ~u64{0xffff'ffff}) | (value & mask); };
  const auto high = [value](u64& phys) { phys = (phys & 0xffff'ffff) | u64{value} << 32; };
  switch (offset) {
    case kClb: low(clb_phys_, ~u32{0x3ff}); break;
    case kClbu: high(clb_phys_); break;
    case kFb: low(fb_phys_, ~u32{0xff}); break;
    case kFbu: high(fb_phys_); break;
    case kIs: is_ &= ~(value & ~kIsFollowing); break;
    case kIe: ie_ = value & kIsAll; break;
    case kCmd: write_cmd(value); break;
    case kSctl: write_sctl(value); break;
    case kSerr: serr_ &= ~value; break;
    case kSact:
      if (started()) sact_ |= value;
      break;
    case kCi:
      if (!started()) break;
      for (unsigned i = 0; i < kSlots; ++i)
        if (bit(value & ~ci_, i) && slots_[i].state == State::Empty) slots_[i].state = State::Waiting;
      ci_ |= value;
      issue();
      break;
    default: break;
  }
  changed_();
}

void AhciPort::write_cmd(u32 value) {
  const u32 old = cmd_;
  cmd_ = (cmd_ & ~kCmdWritable) | (value & kCmdWritable);
  if (value & kCmdListOverride) tfd_ &= ~u32{kStatusBsy | kStatusDrq};
  if ((old & kCmdStart) && !(value & kCmdStart)) stop();
}

void AhciPort::write_sctl(u32 value) {
  const u32 old = sctl_;
  sctl_ = value & 0xfff;
  const u32 det = sctl_ & kDet;
  if (det == kSctlComreset || det == kSctlOffline) {
    link_ = false;
    tfd_ = kTaskFileNone;
    for (Slot& slot : slots_)
      if (slot.state == State::Running) slot.state = State::Empty;
    sign_deadline_ns_ = Clock::kNever;
    arm();
  } else if ((old & kDet) != 0 && det == 0) {
    soft_resetting_ = false;
    link_up();
  }
}

/// A new command may follow queued ones only as one more of them.
bool AhciPort::may_accept(bool queued) const {
  return std::ranges::all_of(
      slots_, [queued](const Slot& slot) { return slot.state != State::Running || (queued && slot.queued); });
}

void AhciPort::issue() {
  for (unsigned i = 0; i < kSlots && !halted_ && link_ && sign_deadline_ns_ == Clock::kNever; ++i)
    if (slots_[i].state == State::Waiting) accept(i);
}

void AhciPort::accept(unsigned index) {
  Slot& slot = slots_[index];
  std::array<u8, kHeaderBytes> header;
  if (!dma_.dma_read(clb_phys_ + index * kHeaderBytes, header)) return fatal(kIsHostBusFatal);
  const u32 flags = read_unaligned<u32>(header.data());
  slot.table_phys = read_unaligned<u64>(header.data() + 8) & ~u64{0x7f};
  slot.table_entries = flags >> 16;
  std::array<u8, 64> fis;
  if (!dma_.dma_read(slot.table_phys, fis)) return fatal(kIsHostBusFatal);
  const Command command = static_cast<Command>(fis[2]);
  const bool is_command = fis[1] & 0x80;
  slot.queued = is_command && is_queued(command);
  if (!may_accept(slot.queued) || unit_->asleep()) return;
  current_slot_ = static_cast<u8>(index);
  slot.state = State::Running;
  slot.work = {};
  slot.registers = from_fis(fis);
  if (!is_command) {
    slot.state = State::Empty;
    ci_ &= ~(1u << index);
    return control(fis);
  }
  slot.work = unit_->begin(command, slot.registers);
  if (slot.work.data == DataPhase::Packet) {
    std::array<u8, kPacketBytes> packet{};
    if (!(flags & kHeaderAtapi))
      slot.work.fail(kErrorAbrt);
    else if (!dma_.dma_read(slot.table_phys + kTablePacket, packet))
      return fatal(kIsHostBusFatal);
    if (slot.work.error == 0)
      slot.work = unit_->begin_packet(packet, slot.work.dma);
    else
      slot.work.data = DataPhase::None;
  }
  if (slot.queued)
    ci_ &= ~(1u << index);
  else
    tfd_ = (tfd_ & 0xff00) | kStatusBsy | kStatusDrdy;
  slot.deadline_ns = clock_.now_ns() + block_request_ns(slot.work.bytes);
  arm();
}

// Software reset: a control FIS with SRST set, then one with SRST clear. Serial ATA 2.6 11.4.
void AhciPort::control(const std::array<u8, 64>& fis) {
  constexpr u8 kReset = 0x04;
  if (fis[15] & kReset) {
    soft_resetting_ = true;
    unit_->soft_reset();
    tfd_ = kTaskFileNone | kStatusBsy;
  } else if (soft_resetting_) {
    soft_resetting_ = false;
    sign_deadline_ns_ = clock_.now_ns() + kResetNs;
    arm();
  }
}

void AhciPort::arm() {
  u64 first = sign_deadline_ns_;
  for (const Slot& slot : slots_)
    if (slot.state == State::Running) first = std::min(first, slot.deadline_ns);
  if (first == Clock::kNever)
    clock_.cancel(timer_);
  else
    clock_.arm(timer_, first);
}

void AhciPort::timer_event() {
  const u64 now = clock_.now_ns();
  if (sign_deadline_ns_ <= now) {
    sign_deadline_ns_ = Clock::kNever;
    sign();
    issue();
  } else {
    // The earliest first; of equal ones the lowest slot.
    unsigned best = kSlots;
    for (unsigned i = 0; i < kSlots; ++i) {
      if (slots_[i].state != State::Running || slots_[i].deadline_ns > now) continue;
      if (best == kSlots || slots_[i].deadline_ns < slots_[best].deadline_ns) best = i;
    }
    if (best != kSlots) complete(best);
  }
  arm();
  changed_();
}

bool AhciPort::collect(const Slot& slot, ScatterList& list) const {
  std::array<u8, 256 * kRegionBytes> chunk;
  list.clear();
  for (u32 done = 0; done < slot.table_entries && list.bytes() < slot.work.bytes;) {
    const u32 count = std::min<u32>(slot.table_entries - done, 256);
    if (!dma_.dma_read(slot.table_phys + kTableRegions + u64{done} * kRegionBytes,
                       std::span(chunk).first(count * kRegionBytes)))
      return false;
    for (u32 i = 0; i < count && list.bytes() < slot.work.bytes; ++i) {
      const u64 phys = read_unaligned<u64>(&chunk[i * kRegionBytes]) & ~u64{1};
      const u32 size = read_unaligned<u32>(&chunk[i * kRegionBytes + 12]) & 0x3f'ffff;
      list.add(phys, (size | 1u) + 1);
    }
    done += count;
  }
  return true;
}

/// False: the command cannot end, and the port has said why.
bool AhciPort::move_data(Slot& slot, u64& moved) {
  Work& work = slot.work;
  if (work.data == DataPhase::None) return true;
  ScatterList list;
  if (!collect(slot, list)) return fatal(kIsHostBusFatal), false;
  const bool to_host = work.data == DataPhase::ToHost;
  const u64 total = std::min(work.bytes, to_host ? list.bytes() : align_down(list.bytes(), kSectorBytes));
  std::vector<u8> buffer;
  for (u64 done = 0; done < total && work.error == 0;) {
    buffer.resize(std::min<u64>(work.bytes - done, kMaxBlockBytes));
    const u64 wanted = std::min<u64>(buffer.size(), total - done);
    u64 good = wanted;
    bool all_ram = true;
    if (to_host) {
      good = std::min(unit_->read(work, done, buffer), wanted);
      all_ram = list.write(dma_, done, std::span(buffer).first(good));
    } else {
      all_ram = list.read(dma_, done, std::span(buffer).first(wanted));
      if (all_ram) good = unit_->write(work, done, std::span(buffer).first(wanted));
    }
    if (!all_ram) return fatal(kIsHostBusFatal), false;
    moved += good;
    done += wanted;
  }
  if (work.error == 0 && total < work.bytes) return fatal(kIsOverflow), false;
  return true;
}

void AhciPort::complete(unsigned index) {
  Slot& slot = slots_[index];
  slot.state = State::Empty;
  u64 moved = 0;
  if (!move_data(slot, moved)) return;
  const bool pio_to_host =
      slot.work.data == DataPhase::ToHost && !slot.work.dma && !slot.work.packet && slot.work.error == 0;
  unit_->finish(slot.work, slot.registers);
  const TaskFile& file = slot.registers;
  const bool error = file.status & kStatusErr;
  if (slot.queued) {
    const u32 completed = error ? 0 : 1u << index;
    sact_ &= ~completed;
    set_task_file(file);
    post_device_bits(file, completed);
  } else {
    // 4.2.2: how much was moved; not kept for queued commands. 5.4.1.
    const u32 count = static_cast<u32>(std::min<u64>(moved, 0xffff'ffff));
    const std::array<u8, 4> bytes = {u8(count), u8(count >> 8), u8(count >> 16), u8(count >> 24)};
    dma_.dma_write(clb_phys_ + index * kHeaderBytes + 4, bytes);
    set_task_file(file);
    if (!error) ci_ &= ~(1u << index);
    if (pio_to_host)
      post_pio_setup(file, slot.work.bytes, true);
    else
      post_registers(file, true);
  }
  if (error) {
    halted_ = true;
    // The device gives up what else is queued. Serial ATA 2.6 13.6.4.
    for (Slot& other : slots_)
      if (other.state == State::Running) other.state = State::Empty;
    return interrupt(kIsTaskFileError);
  }
  issue();
}

void AhciPort::post(u64 offset, std::span<const u8> fis) {
  if ((cmd_ & kCmdFisEnable) && !dma_.dma_write(fb_phys_ + offset, fis)) interrupt(kIsHostBusFatal);
}

void AhciPort::post_registers(const TaskFile& file, bool wants_interrupt) {
  std::array<u8, 20> fis{0x34, wants_interrupt ? kFisInterrupt : u8{0}};
  put_registers(fis, file);
  post(kFisRegisters, fis);
  if (wants_interrupt) interrupt(kIsRegisters);
}

void AhciPort::post_pio_setup(const TaskFile& file, u64 bytes, bool to_host) {
  std::array<u8, 20> fis{0x5f, static_cast<u8>(kFisInterrupt | (to_host ? kFisToHost : 0))};
  put_registers(fis, file);
  fis[2] = kStatusReady | kStatusDrq;
  fis[15] = file.status;  // E_Status
  fis[16] = u8(bytes);
  fis[17] = u8(bytes >> 8);
  post(kFisPioSetup, fis);
  interrupt(kIsPioSetup);
}

void AhciPort::post_device_bits(const TaskFile& file, u32 completed) {
  const std::array<u8, 8> fis{0xa1,          kFisInterrupt,      u8(file.status & 0x77), file.error,
                              u8(completed), u8(completed >> 8), u8(completed >> 16),    u8(completed >> 24)};
  post(kFisDeviceBits, fis);
  interrupt(kIsDeviceBits);
}

void AhciPort::fatal(u32 is_bit) {
  halted_ = true;
  for (Slot& slot : slots_) slot.state = State::Empty;
  interrupt(is_bit);
}

void AhciPort::interrupt(u32 bits) { is_ |= bits; }

void AhciPort::serialize(Archive& archive) {
  archive.tag("ahci port");
  for (u64* field : {&clb_phys_, &fb_phys_}) archive.value(*field);
  for (u32* field : {&is_, &ie_, &cmd_, &tfd_, &sig_, &sctl_, &serr_, &sact_, &ci_}) archive.value(*field);
  archive.at_most(current_slot_, u8{kSlots - 1});
  archive.value(link_);
  archive.value(halted_);
  archive.value(soft_resetting_);
  archive.value(sign_deadline_ns_);
  for (Slot& slot : slots_) {
    archive.at_most(slot.state, State::Running);
    archive.value(slot.queued);
    archive.value(slot.deadline_ns);
    archive.value(slot.table_phys);
    archive.at_most(slot.table_entries, kMaxTableEntries);
    slot.work.serialize(archive);
    slot.registers.serialize(archive);
  }
  if (unit_) unit_->serialize(archive);
  serialize_timer(archive, clock_, timer_);
  if (!unit_ && works()) {
    for (Slot& slot : slots_) slot.state = State::Empty;
    sign_deadline_ns_ = Clock::kNever;
    link_ = false;
    archive.fail();
  }
}

/// Something that only a port with a device does.
bool AhciPort::works() const {
  return link_ || sign_deadline_ns_ != Clock::kNever ||
         std::ranges::any_of(slots_, [](const Slot& slot) { return slot.state == State::Running; });
}

std::string AhciPort::debug_dump() const {
  return fmt::format(
      "port {}: CMD={:08x} IS={:08x} IE={:08x} TFD={:04x} SSTS={:03x} SERR={:08x} SACT={:08x} CI={:08x} {}\n",
      index_, read(kCmd), read(kIs), ie_, tfd_, read(kSsts), serr_, sact_, ci_,
      unit_ ? unit_->debug_dump() : "empty");
}

}  // namespace reprise::devices::ahci
