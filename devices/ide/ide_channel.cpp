#include "devices/ide/ide_channel.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "common/bits.h"
#include "devices/backend.h"
#include "devices/timer_state.h"

namespace reprise::devices::ide {

using namespace ata;

namespace {

// Offsets in the command block.
constexpr u16 kData = 0;
constexpr u16 kErrorFeatures = 1;
constexpr u16 kCount = 2;
constexpr u16 kLbaLow = 3;
constexpr u16 kLbaMid = 4;
constexpr u16 kLbaHigh = 5;
constexpr u16 kDevice = 6;
constexpr u16 kStatusCommand = 7;

// Device control.
constexpr u8 kControlNoInterrupt = 0x02;  // nIEN
constexpr u8 kControlReset = 0x04;        // SRST
constexpr u8 kControlHighOrder = 0x80;    // HOB

/// Nobody drives the cable; DD7 is pulled down so that BSY reads as 0. ATA8-APT 4.2.
constexpr u8 kFloating = 0x7f;

constexpr u64 kResetNs = 100'000;
constexpr u64 kStatusPhaseNs = 1'000;
constexpr u64 chunk_ns(u64 bytes) { return block_request_ns(bytes) - block_request_ns(0); }

}  // namespace

u32 IdeChannel::ControlPort::pio_read(u16, Width) { return channel_.status(); }
void IdeChannel::ControlPort::pio_write(u16, Width, u32 value) {
  channel_.write_device_control(static_cast<u8>(value));
}

IdeChannel::IdeChannel(std::string_view name, Clock& clock, IrqLine irq, DmaPort& dma,
                       std::function<bool()> may_master, Units units)
    : clock_(clock),
      irq_(irq),
      dma_(dma),
      may_master_(std::move(may_master)),
      units_(std::move(units)),
      timer_(clock.create_timer(name, [this] { timer_event(); })) {
  sign_units();
}

void IdeChannel::reset() {
  clock_.cancel(timer_);
  for (const auto& unit : units_)
    if (unit) unit->reset();
  registers_ = {};
  sign_units();
  selected_ = active_ = device_control_ = 0;
  phase_ = Phase::Idle;
  work_ = {};
  done_bytes_ = 0;
  buffer_.clear();
  position_ = block_end_ = 0;
  bus_master_.reset();
  lower_irq();
}

void IdeChannel::sign_units() {
  for (unsigned i = 0; i < kUnits; ++i)
    if (units_[i]) units_[i]->sign(registers_[i]);
}

// ATA8-APT 6.4: device 0 answers for a device 1 that is not there.
const TaskFile* IdeChannel::visible() const {
  if (units_[selected_]) return &registers_[selected_];
  return selected_ == 1 && units_[0] ? &registers_[0] : nullptr;
}

u8 IdeChannel::status() const {
  if (!visible()) return kFloating;
  if (phase_ == Phase::Resetting) return kStatusBsy;
  if (!unit()) return 0;
  if (selected_ != active_) return registers_[selected_].status;
  switch (phase_) {
    case Phase::Busy: return kStatusBsy | kStatusDrdy;
    case Phase::WaitingForBusMaster:
    case Phase::Data:
    case Phase::Stuck: return kStatusReady | kStatusDrq;
    case Phase::Idle:
    case Phase::Resetting: break;
  }
  return registers_[selected_].status;
}

u8 IdeChannel::read_register(u16 offset) {
  const TaskFile* file = visible();
  if (!file) return kFloating;
  const unsigned shift = device_control_ & kControlHighOrder ? 8 : 0;
  switch (offset) {
    case kErrorFeatures: return file->error;
    case kCount: return static_cast<u8>(file->count >> shift);
    case kLbaLow: return static_cast<u8>(file->lba_low >> shift);
    case kLbaMid: return static_cast<u8>(file->lba_mid >> shift);
    case kLbaHigh: return static_cast<u8>(file->lba_high >> shift);
    case kDevice: return static_cast<u8>((file->device & ~kDeviceDev) | (selected_ ? kDeviceDev : 0) | 0xa0);
    case kStatusCommand: {
      const u8 value = status();
      if (unit()) lower_irq();
      return value;
    }
    default: return 0;
  }
}

void IdeChannel::write_register(u16 offset, u8 value) {
  device_control_ &= static_cast<u8>(~kControlHighOrder);
  if (offset == kStatusCommand) return write_command(value);
  if (phase_ != Phase::Idle) return;
  if (offset == kDevice) selected_ = value & kDeviceDev ? 1 : 0;
  for (TaskFile& file : registers_) {
    const auto shift_in = [value](u16& two_bytes) { two_bytes = static_cast<u16>(two_bytes << 8 | value); };
    switch (offset) {
      case kErrorFeatures: shift_in(file.features); break;
      case kCount: shift_in(file.count); break;
      case kLbaLow: shift_in(file.lba_low); break;
      case kLbaMid: shift_in(file.lba_mid); break;
      case kLbaHigh: shift_in(file.lba_high); break;
      case kDevice: file.device = value; break;
      default: break;
    }
  }
}

void IdeChannel::write_device_control(u8 value) {
  const u8 old = device_control_;
  device_control_ = value & (kControlNoInterrupt | kControlReset | kControlHighOrder);
  if (value & ~old & kControlReset) {
    clock_.cancel(timer_);
    phase_ = Phase::Resetting;
    interrupt_pending_ = false;
    for (const auto& unit : units_)
      if (unit) unit->soft_reset();
  } else if (old & ~value & kControlReset) {
    wait(Step::Reset, kResetNs);
    phase_ = Phase::Resetting;
  }
  update_irq();
}

void IdeChannel::write_command(u8 value) {
  const Command command = static_cast<Command>(value);
  const bool diagnostic = command == Command::DeviceDiagnostic;
  if (!unit() && !(diagnostic && visible())) return;
  if (command == Command::DeviceReset && unit()->is_packet_device() && phase_ != Phase::Resetting)
    return device_reset();
  if (phase_ != Phase::Idle) return;
  if (diagnostic) selected_ = units_[0] ? 0 : 1;
  if (unit()->asleep()) return;
  lower_irq();
  active_ = selected_;
  registers().error = 0;
  work_ = unit()->begin(command, registers());
  done_bytes_ = 0;
  buffer_.clear();
  position_ = block_end_ = 0;
  if (work_.data == DataPhase::Packet) return start_packet();
  // The first block from the host is asked for at once and without an interrupt. ATA8-APT 9.6.
  if (work_.data == DataPhase::FromHost && !work_.dma)
    return offer_block(std::min<u64>(work_.block_bytes, work_.bytes));
  const bool pio = work_.data == DataPhase::ToHost && !work_.dma;
  wait(Step::Begin, block_request_ns(pio ? std::min<u64>(work_.block_bytes, work_.bytes) : work_.bytes));
}

void IdeChannel::device_reset() {
  lower_irq();
  active_ = selected_;
  work_ = {};
  work_.command = Command::DeviceReset;
  work_.silent = true;
  wait(Step::Finish, kStatusPhaseNs);
}

void IdeChannel::wait(Step step, u64 ns) {
  phase_ = Phase::Busy;
  step_ = step;
  clock_.arm(timer_, clock_.now_ns() + ns);
}

void IdeChannel::timer_event() {
  switch (step_) {
    case Step::Begin: return begin_data();
    case Step::NextBlock:
      if (work_.data == DataPhase::ToHost) return next_block_to_host();
      return block_from_host_complete();
    case Step::Finish:
      if (work_.data == DataPhase::FromHost) return block_from_host_complete();
      return finish();
    case Step::Reset:
      selected_ = active_ = 0;
      work_ = {};
      sign_units();
      phase_ = Phase::Idle;
      return;
  }
}

void IdeChannel::begin_data() {
  if (work_.data == DataPhase::None) return finish();
  if (!work_.dma) return next_block_to_host();
  if (bus_master_.active()) return run_dma();
  phase_ = Phase::WaitingForBusMaster;
}

void IdeChannel::offer_block(u64 bytes) {
  phase_ = Phase::Data;
  if (work_.data != DataPhase::ToHost) {
    position_ = static_cast<u32>(buffer_.size());
    buffer_.resize(buffer_.size() + bytes);
  }
  block_end_ = position_ + static_cast<u32>(bytes);
}

// ATA8-ACS 7.18: the packet is asked for without an interrupt.
void IdeChannel::start_packet() {
  TaskFile& file = registers();
  const u32 limit = u8(file.lba_mid) | u32{u8(file.lba_high)} << 8;
  work_.block_bytes = limit == 0 || limit == 0xffff ? 0xfffe : limit;
  file.count = kReasonCommand;
  offer_block(kPacketBytes);
}

void IdeChannel::packet_complete() {
  std::array<u8, kPacketBytes> packet;
  std::copy_n(buffer_.begin(), kPacketBytes, packet.begin());
  buffer_.clear();
  position_ = block_end_ = 0;
  u32 limit = work_.block_bytes;
  work_ = units_[active_]->begin_packet(packet, work_.dma);
  // 7.18.4: an odd limit is allowed only when everything fits into it.
  if (limit < work_.bytes && (limit & 1)) limit = limit > 1 ? limit - 1 : 2;
  work_.block_bytes = limit;
  wait(Step::Begin, block_request_ns(work_.dma ? work_.bytes : std::min<u64>(limit, work_.bytes)));
}

void IdeChannel::next_block_to_host() {
  const auto buffered = [this] { return buffer_.size() - position_; };
  const u64 left = work_.bytes - done_bytes_ + buffered();
  const u64 block = std::min<u64>(work_.block_bytes, left);
  while (buffered() < block && work_.error == 0) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + position_);
    position_ = 0;
    const u64 had = buffer_.size();
    buffer_.resize(had + std::min<u64>(work_.bytes - done_bytes_, kMaxBlockBytes));
    const u64 good = units_[active_]->read(work_, done_bytes_, std::span(buffer_).subspan(had));
    buffer_.resize(had + good);
    done_bytes_ += good;
  }
  if (buffered() < block) return finish();
  if (work_.packet) {
    TaskFile& file = registers();
    file.count = kReasonToHost;
    file.lba_mid = static_cast<u8>(block);
    file.lba_high = static_cast<u8>(block >> 8);
  }
  offer_block(block);
  raise_irq();
}

void IdeChannel::block_drained() {
  if (position_ < buffer_.size() || (done_bytes_ < work_.bytes && work_.error == 0))
    return wait(Step::NextBlock, chunk_ns(std::min<u64>(work_.block_bytes, work_.bytes)));
  if (work_.packet || work_.error) return wait(Step::Finish, kStatusPhaseNs);
  // The end of a PIO read has no interrupt of its own.
  units_[active_]->finish(work_, registers());
  phase_ = Phase::Idle;
}

void IdeChannel::block_filled() {
  if (work_.data == DataPhase::Packet) return packet_complete();
  const u64 block = std::min<u64>(work_.block_bytes, work_.bytes);
  if (done_bytes_ + buffer_.size() < work_.bytes)
    wait(Step::NextBlock, chunk_ns(block));
  else
    wait(Step::Finish, block_request_ns(block));
}

void IdeChannel::block_from_host_complete() {
  const u64 left = work_.bytes - done_bytes_ - buffer_.size();
  if (left == 0 || buffer_.size() >= kMaxBlockBytes) {
    done_bytes_ += units_[active_]->write(work_, done_bytes_, buffer_);
    buffer_.clear();
    if (left == 0 || work_.error) return finish();
  }
  offer_block(std::min<u64>(work_.block_bytes, left));
  raise_irq();
}

void IdeChannel::run_dma() {
  Unit& unit = *units_[active_];
  ScatterList list;
  const bool to_host = work_.data == DataPhase::ToHost;
  const bool table =
      may_master_() && to_host == bus_master_.to_memory() && bus_master_.collect(dma_, work_.bytes, list);
  if (!table) {
    bus_master_.fail();
    phase_ = Phase::Stuck;
    return;
  }
  const u64 total = std::min(work_.bytes, to_host ? list.bytes() : align_down(list.bytes(), kSectorBytes));
  bool all_ram = true;
  for (u64 done = 0; done < total && all_ram && work_.error == 0;) {
    buffer_.resize(std::min<u64>(work_.bytes - done, kMaxBlockBytes));
    const u64 wanted = std::min<u64>(buffer_.size(), total - done);
    if (to_host) {
      const u64 good = std::min(unit.read(work_, done, buffer_), wanted);
      all_ram = list.write(dma_, done, std::span(buffer_).first(good));
    } else {
      all_ram = list.read(dma_, done, std::span(buffer_).first(wanted));
      if (all_ram) unit.write(work_, done, std::span(buffer_).first(wanted));
    }
    done += wanted;
  }
  buffer_.clear();
  if (!all_ram || (work_.error == 0 && total < work_.bytes)) {
    // The engine stops; the device still wants to go on.
    all_ram ? bus_master_.table_ended() : bus_master_.fail();
    phase_ = Phase::Stuck;
    return;
  }
  if (work_.error == 0 && list.bytes() == work_.bytes) bus_master_.table_ended();
  finish();
}

void IdeChannel::finish() {
  if (work_.command == Command::DeviceDiagnostic)
    sign_units();
  else
    units_[active_]->finish(work_, registers());
  buffer_.clear();
  position_ = block_end_ = 0;
  phase_ = Phase::Idle;
  if (!work_.silent) raise_irq();
}

u32 IdeChannel::read_data(Width width) {
  if (!visible()) return static_cast<u32>(width_mask(width)) & ~u32{0x80};
  if (phase_ != Phase::Data || work_.data != DataPhase::ToHost || !unit()) return 0;
  u32 value = 0;
  const u32 count = std::min(width_bytes(width), block_end_ - position_);
  std::memcpy(&value, buffer_.data() + position_, count);
  position_ += count;
  if (position_ == block_end_) block_drained();
  return value;
}

void IdeChannel::write_data(Width width, u32 value) {
  if (phase_ != Phase::Data || work_.data == DataPhase::ToHost || !unit()) return;
  const u32 count = std::min(width_bytes(width), block_end_ - position_);
  std::memcpy(buffer_.data() + position_, &value, count);
  position_ += count;
  if (position_ == block_end_) block_filled();
}

/// Whole elements short of the one that ends the block.
static std::size_t elements_ahead(std::size_t wanted, u32 left, Width width) {
  const u32 bytes = width_bytes(width);
  return left <= bytes ? 0 : align_down(std::min<std::size_t>(wanted, (left - 1) / bytes * bytes), bytes);
}

std::size_t IdeChannel::pio_read_ahead(u16 offset, Width width, std::span<u8> into) {
  if (offset != kData || phase_ != Phase::Data || work_.data != DataPhase::ToHost || !unit()) return 0;
  const std::size_t count = elements_ahead(into.size(), block_end_ - position_, width);
  std::copy_n(buffer_.begin() + position_, count, into.begin());
  position_ += static_cast<u32>(count);
  return count;
}

std::size_t IdeChannel::pio_write_ahead(u16 offset, Width width, std::span<const u8> from) {
  if (offset != kData || phase_ != Phase::Data || work_.data == DataPhase::ToHost || !unit()) return 0;
  const std::size_t count = elements_ahead(from.size(), block_end_ - position_, width);
  std::copy_n(from.begin(), count, buffer_.begin() + position_);
  position_ += static_cast<u32>(count);
  return count;
}

u32 IdeChannel::pio_read(u16 offset, Width width) {
  if (offset == kData) return read_data(width);
  u32 value = 0;
  for (unsigned i = 0; i < width_bytes(width); ++i)
    value |= u32{offset + i < kCommandPorts ? read_register(static_cast<u16>(offset + i)) : u8{0xff}}
             << (8 * i);
  return value;
}

void IdeChannel::pio_write(u16 offset, Width width, u32 value) {
  if (offset == kData) return write_data(width, value);
  for (unsigned i = 0; i < width_bytes(width) && offset + i < kCommandPorts; ++i)
    write_register(static_cast<u16>(offset + i), static_cast<u8>(value >> (8 * i)));
}

void IdeChannel::bus_master_write(u16 offset, u8 value) {
  if (bus_master_.write(offset, value) && phase_ == Phase::WaitingForBusMaster) wait(Step::Begin, 0);
}

void IdeChannel::raise_irq() {
  interrupt_pending_ = true;
  update_irq();
}

void IdeChannel::lower_irq() {
  interrupt_pending_ = false;
  update_irq();
}

void IdeChannel::update_irq() {
  const bool level = interrupt_pending_ && !(device_control_ & kControlNoInterrupt);
  if (level == irq_level_) return;
  irq_level_ = level;
  if (level) bus_master_.interrupt_rose();
  irq_.set(level);
}

void IdeChannel::serialize(Archive& archive) {
  archive.tag("ide channel");
  for (TaskFile& file : registers_) file.serialize(archive);
  archive.at_most(selected_, u8{kUnits - 1});
  archive.at_most(active_, u8{kUnits - 1});
  archive.value(device_control_);
  archive.value(interrupt_pending_);
  archive.value(irq_level_);
  archive.at_most(phase_, Phase::Resetting);
  archive.at_most(step_, Step::Reset);
  work_.serialize(archive);
  archive.value(done_bytes_);
  archive.value(buffer_, 4 * kMaxBlockBytes);
  archive.value(position_);
  archive.value(block_end_);
  bus_master_.serialize(archive);
  for (const auto& unit : units_)
    if (unit) unit->serialize(archive);
  serialize_timer(archive, clock_, timer_);
  if (archive.loading() && !consistent()) {
    archive.fail();
    reset();
  }
}

/// What the steps of a command rely on.
bool IdeChannel::consistent() const {
  if (position_ > block_end_ || block_end_ > buffer_.size()) return false;
  const bool waits = clock_.deadline_ns(timer_) != Clock::kNever;
  if (phase_ == Phase::Resetting) return !waits || step_ == Step::Reset;
  if (phase_ == Phase::Idle) return !waits;
  if (!units_[active_] || done_bytes_ > work_.bytes) return false;
  const bool packet = work_.data == DataPhase::Packet;
  if (packet) return phase_ == Phase::Data && block_end_ == kPacketBytes && buffer_.size() == kPacketBytes;
  return work_.data != DataPhase::FromHost || buffer_.size() <= work_.bytes - done_bytes_;
}

std::string IdeChannel::debug_dump() const {
  std::string text =
      fmt::format("status={:02x} phase={} selected={} control={:02x} irq={} bmic={:02x} bmis={:02x}",
                  status(), static_cast<unsigned>(phase_), selected_, device_control_, irq_level_,
                  bus_master_.read(BusMaster::kCommand), bus_master_.read(BusMaster::kStatus));
  for (unsigned i = 0; i < kUnits; ++i)
    if (units_[i]) text += fmt::format("\n  {}: {}", i, units_[i]->debug_dump());
  return text + '\n';
}

}  // namespace reprise::devices::ide
