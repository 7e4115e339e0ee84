#include "devices/floppy/floppy_controller.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/bits.h"
#include "devices/timer_state.h"

namespace reprise::devices {
namespace {

// Ports, datasheet 2.1.
constexpr u16 kDor = 2;
constexpr u16 kTdr = 3;
constexpr u16 kMsrDsr = 4;
constexpr u16 kFifo = 5;

constexpr u8 kDmaGate = 0x08;  // DOR: the interrupt line is driven
constexpr u8 kDsrReset = 0x80;
constexpr u8 kRateBits = 0x03;
constexpr u8 kDirChanged = 0x80;

// Main status register, 2.1.5.
constexpr u8 kRqm = 0x80;
constexpr u8 kDio = 0x40;
constexpr u8 kNonDma = 0x20;
constexpr u8 kCommandBusy = 0x10;

// Status registers, 6.
constexpr u8 kSt0Abnormal = 0x40;
constexpr u8 kSt0Polled = 0xc0;
constexpr u8 kSt0SeekEnd = 0x20;
constexpr u8 kSt0EquipmentCheck = 0x10;
constexpr u8 kSt1EndOfCylinder = 0x80;
constexpr u8 kSt1DataError = 0x20;
constexpr u8 kSt1Overrun = 0x10;
constexpr u8 kSt1NoData = 0x04;
constexpr u8 kSt1NotWritable = 0x02;
constexpr u8 kSt1MissingAddressMark = 0x01;
constexpr u8 kSt2ControlMark = 0x40;
constexpr u8 kSt2DataError = 0x20;
constexpr u8 kSt2WrongCylinder = 0x10;
constexpr u8 kSt3WriteProtected = 0x40;
constexpr u8 kSt3Track0 = 0x10;
constexpr u8 kSt3Always = 0x28;

// Command bytes.
constexpr u8 kMfm = 0x40;
constexpr u8 kRelativeSeekUp = 0x40;
constexpr u8 kOpReadTrack = 0x02, kOpWrite = 0x05, kOpRead = 0x06, kOpWriteDeleted = 0x09, kOpReadId = 0x0a,
             kOpReadDeleted = 0x0c, kOpFormat = 0x0d, kOpVerify = 0x16;
constexpr u8 kVerifyCounts = 0x80;  // EC of VERIFY's second byte
constexpr u8 kEotIndex = 6;         // of READ, WRITE and VERIFY
constexpr u8 kFormatCountIndex = 3;
constexpr u8 kFormatFillIndex = 5;

// CONFIGURE's second byte.
constexpr u8 kImpliedSeek = 0x40;
constexpr u8 kNoFifo = 0x20;
constexpr u8 kKeptByLock = 0x2f;

constexpr u8 kSize512 = 2;
constexpr u16 kSectorBytes = BlockBackend::kSectorBytes;

}  // namespace

// Datasheet table 5-1.
const FloppyController::Command FloppyController::kCommands[] = {
    {0xbf, kOpReadTrack, 9, &FloppyController::start_disk_command},
    {0xff, 0x03, 3, &FloppyController::specify},
    {0xff, 0x04, 2, &FloppyController::sense_drive_status},
    {0x3f, kOpWrite, 9, &FloppyController::start_disk_command},
    {0x1f, kOpRead, 9, &FloppyController::start_disk_command},
    {0xff, 0x07, 2, &FloppyController::recalibrate},
    {0xff, 0x08, 1, &FloppyController::sense_interrupt_status},
    {0x3f, kOpWriteDeleted, 9, &FloppyController::start_disk_command},
    {0xbf, kOpReadId, 2, &FloppyController::start_disk_command},
    {0x1f, kOpReadDeleted, 9, &FloppyController::start_disk_command},
    {0xbf, kOpFormat, 6, &FloppyController::start_disk_command},
    {0xff, 0x0e, 1, &FloppyController::dump_registers},
    {0xff, 0x0f, 3, &FloppyController::seek},
    {0xff, 0x10, 1, &FloppyController::version},
    {0xff, 0x12, 2, &FloppyController::perpendicular_mode},
    {0xff, 0x13, 4, &FloppyController::configure},
    {0x7f, 0x14, 1, &FloppyController::lock},
    {0x1f, kOpVerify, 9, &FloppyController::start_disk_command},
    {0xbf, 0x8f, 3, &FloppyController::relative_seek},
};

const FloppyController::Command* FloppyController::find(u8 command_byte) {
  for (const Command& command : kCommands)
    if ((command_byte & command.mask) == command.value) return &command;
  return nullptr;
}

FloppyController::FloppyController(Clock& clock, IrqLine irq6, IsaDmaChannel channel2,
                                   std::array<FloppyDrive, kDrives> drives)
    : clock_(clock),
      irq_(irq6),
      dma_(channel2),
      drives_(drives),
      ports_(*this, &FloppyController::read_port, &FloppyController::write_port),
      port7_(*this, &FloppyController::read_port7, &FloppyController::write_port7),
      reset_timer_(clock.create_timer("floppy reset", [this] { finish_reset(); })),
      step_timer_(clock.create_timer("floppy", [this] { step(); })) {
  for (unsigned select = 0; select < kSelects; ++select)
    seek_timers_[select] = clock.create_timer("floppy seek", [this, select] { finish_seek(select); });
}

// ---- Registers

u32 FloppyController::read_port(u16 offset, Width) {
  switch (offset) {
    case kDor: return dor_;
    case kTdr: return tdr_;
    case kMsrDsr: return main_status();
    case kFifo: return read_fifo();
    default: return 0xff;
  }
}

void FloppyController::write_port(u16 offset, Width, u32 value) {
  const u8 byte = static_cast<u8>(value);
  switch (offset) {
    case kDor: return write_dor(byte);
    case kTdr: tdr_ = byte & 0x03; return;
    case kMsrDsr: return write_dsr(byte);
    case kFifo: return write_fifo(byte);
    default: return;
  }
}

/// Digital input register: the change line of the drive whose motor runs.
u32 FloppyController::read_port7(u16, Width) {
  const unsigned select = dor_ & 3;
  const FloppyDrive& drive = drive_at(select);
  return bit(dor_, 4 + select) && drive.present() && drive.changed() ? kDirChanged : 0;
}

void FloppyController::write_port7(u16, Width, u32 value) { rate_ = value & kRateBits; }

u8 FloppyController::main_status() const {
  if (in_reset() || clock_.deadline_ns(reset_timer_) != Clock::kNever) return 0;
  u8 status = 0;
  for (unsigned select = 0; select < kSelects; ++select)
    if (seeking_[select]) status |= static_cast<u8>(1u << select);
  switch (phase_) {
    case Phase::Idle: return status | kRqm;
    case Phase::Command: return status | kRqm | kCommandBusy;
    case Phase::Execution: return status | kCommandBusy | (without_dma() ? kNonDma : 0);
    case Phase::HostTransfer: return status | kRqm | kCommandBusy | kNonDma | (is_write() ? 0 : kDio);
    case Phase::Result: return status | kRqm | kDio | kCommandBusy;
  }
  return status;
}

void FloppyController::write_dor(u8 value) {
  const bool was_in_reset = in_reset();
  dor_ = value;
  if (in_reset() && !was_in_reset) enter_reset();
  if (!in_reset() && was_in_reset) leave_reset();
  update_irq();
}

void FloppyController::write_dsr(u8 value) {
  rate_ = value & kRateBits;
  if (!(value & kDsrReset)) return;
  enter_reset();
  if (!in_reset()) leave_reset();
}

u8 FloppyController::read_fifo() {
  if (phase_ == Phase::HostTransfer && !is_write()) {
    drop_interrupt();
    const u8 value = buffer_[buffer_position_++];
    if (buffer_position_ == buffer_end_) host_transfer_done();
    return value;
  }
  if (phase_ != Phase::Result) return 0;
  drop_interrupt();
  const u8 value = result_[result_position_++];
  if (result_position_ == result_bytes_) phase_ = Phase::Idle;
  return value;
}

void FloppyController::write_fifo(u8 value) {
  if (!(main_status() & kRqm)) return;
  if (phase_ == Phase::HostTransfer && is_write()) {
    drop_interrupt();
    buffer_[buffer_position_++] = value;
    if (buffer_position_ == buffer_end_) host_transfer_done();
    return;
  }
  if (phase_ == Phase::Idle) {
    phase_ = Phase::Command;
    command_ = {};
    command_bytes_ = 0;
  }
  if (phase_ != Phase::Command) return;
  command_[command_bytes_++] = value;
  const Command* command = find(command_[0]);
  if (command == nullptr) return invalid_command();
  if (command_bytes_ < command->bytes) return;
  phase_ = Phase::Idle;  // unless the command says otherwise
  (this->*command->start)();
}

void FloppyController::result(std::initializer_list<u8> bytes) {
  std::copy(bytes.begin(), bytes.end(), result_.begin());
  result_bytes_ = static_cast<u8>(bytes.size());
  result_position_ = 0;
  phase_ = Phase::Result;
}

bool FloppyController::seek_ended() const {
  return std::find(seek_ended_.begin(), seek_ended_.end(), true) != seek_ended_.end();
}

void FloppyController::update_irq() { irq_.set((interrupt_ || seek_ended()) && (dor_ & kDmaGate)); }

void FloppyController::raise_interrupt() {
  interrupt_ = true;
  update_irq();
}

void FloppyController::drop_interrupt() {
  interrupt_ = false;
  update_irq();
}

// ---- Reset

void FloppyController::enter_reset() {
  for (const Clock::TimerId timer : seek_timers_) clock_.cancel(timer);
  clock_.cancel(step_timer_);
  clock_.cancel(reset_timer_);
  phase_ = Phase::Idle;
  seeking_ = {};
  seek_ended_ = {};
  reset_senses_left_ = 0;
  perpendicular_ &= 0x3c;
  if (locked_)
    configure_[1] &= kKeptByLock;
  else
    configure_ = {0, kNoFifo, 0};
  drop_interrupt();
}

void FloppyController::leave_reset() { clock_.arm(reset_timer_, clock_.now_ns() + kResetNs); }

/// Polling finds every drive's ready line changed: SENSE INTERRUPT STATUS tells of each of the four.
void FloppyController::finish_reset() {
  reset_senses_left_ = kSelects;
  raise_interrupt();
}

void FloppyController::reset(ResetKind) {
  dor_ = tdr_ = 0;
  rate_ = static_cast<u8>(FloppyRate::Kbps250);
  specify_ = {};
  perpendicular_ = 0;
  locked_ = false;
  last_sector_ = 0;
  enter_reset();
}

// ---- Commands without execution phase

void FloppyController::specify() { specify_ = {command_[1], command_[2]}; }

void FloppyController::sense_drive_status() {
  const FloppyDrive& drive = drive_at(selected());
  u8 st3 = static_cast<u8>(kSt3Always | selected_head() << 2 | selected());
  if (drive.present() && drive.track() == 0) st3 |= kSt3Track0;
  if (drive.write_protected()) st3 |= kSt3WriteProtected;
  result({st3});
}

void FloppyController::sense_interrupt_status() {
  if (reset_senses_left_ != 0) {
    const unsigned select = kSelects - reset_senses_left_--;
    drop_interrupt();
    return result({static_cast<u8>(kSt0Polled | select), drive_at(select).track()});
  }
  const auto ended = std::find(seek_ended_.begin(), seek_ended_.end(), true);
  if (ended == seek_ended_.end()) return invalid_command();
  const auto select = static_cast<unsigned>(ended - seek_ended_.begin());
  *ended = false;
  drop_interrupt();
  result({seek_status_[select], drive_at(select).track()});
}

void FloppyController::configure() { configure_ = {command_[1], command_[2], command_[3]}; }

void FloppyController::perpendicular_mode() {
  constexpr u8 kOverwrite = 0x80;
  const u8 value = command_[1];
  perpendicular_ =
      static_cast<u8>(value & kOverwrite ? value & 0x3f : (perpendicular_ & 0x3c) | (value & 0x03));
}

void FloppyController::dump_registers() {
  const auto track = [&](unsigned select) { return drive_at(select).track(); };
  result({track(0), track(1), track(2), track(3), specify_[0], specify_[1], last_sector_,
          static_cast<u8>((locked_ ? 0x80 : 0) | perpendicular_), configure_[1], configure_[2]});
}

void FloppyController::lock() {
  locked_ = (command_[0] & 0x80) != 0;
  result({static_cast<u8>(locked_ ? 0x10 : 0)});
}

// ---- Head movement

void FloppyController::recalibrate() {
  const unsigned select = selected();
  start_seek(select, 0);
  // A drive that is not there never shows track 0.
  const u8 no_track_0 = drive_at(select).present() ? 0 : kSt0Abnormal | kSt0EquipmentCheck;
  seek_status_[select] = static_cast<u8>(kSt0SeekEnd | no_track_0 | select);
}

void FloppyController::seek() { start_seek(selected(), command_[2]); }

void FloppyController::relative_seek() {
  const int from = drive_at(selected()).track();
  const int by = command_[2];
  start_seek(selected(),
             static_cast<u8>(std::clamp(command_[0] & kRelativeSeekUp ? from + by : from - by, 0, 255)));
}

void FloppyController::start_seek(unsigned select, u8 track) {
  seeking_[select] = true;
  seek_ended_[select] = false;
  update_irq();
  seek_target_[select] = track;
  seek_status_[select] = static_cast<u8>(kSt0SeekEnd | selected_head() << 2 | select);
  clock_.arm(seek_timers_[select], clock_.now_ns() + kSeekNs);
}

void FloppyController::finish_seek(unsigned select) {
  seeking_[select] = false;
  seek_ended_[select] = true;
  if (drive_at(select).present()) drive_at(select).step_to(seek_target_[select]);
  update_irq();
}

// ---- Commands that touch the disk

bool FloppyController::is_write() const {
  return opcode() == kOpWrite || opcode() == kOpWriteDeleted || opcode() == kOpFormat;
}

void FloppyController::start_disk_command() {
  phase_ = Phase::Execution;
  st2_ = 0;
  sectors_done_ = 0;
  buffer_position_ = buffer_end_ = 0;
  FloppyDrive& drive = drive_at(selected());
  id_track_ = drive.track();
  id_head_ = selected_head();
  id_sector_ = 1;
  id_size_ = kSize512;
  if (opcode() == kOpReadId) {
    clock_.arm(step_timer_, clock_.now_ns() + kReadIdNs);
    return;
  }
  if (opcode() == kOpFormat) {
    last_sector_ = command_[kFormatCountIndex];
    return arm_step();
  }
  id_track_ = command_[2];
  id_head_ = command_[3];
  if (opcode() != kOpReadTrack) id_sector_ = command_[4];
  id_size_ = command_[5];
  last_sector_ = command_[kEotIndex];
  arm_step();
  if ((configure_[1] & kImpliedSeek) && drive.present() && drive.track() != id_track_) {
    drive.step_to(id_track_);
    clock_.arm(step_timer_, clock_.deadline_ns(step_timer_) + kSeekNs);
  }
}

void FloppyController::step() {
  if (phase_ != Phase::Execution || !find_track()) return;
  switch (opcode()) {
    case kOpReadId: return step_read_id();
    case kOpWrite:
    case kOpWriteDeleted: return step_write();
    case kOpFormat: return step_format();
    case kOpVerify: return step_verify();
    default: return step_read();
  }
}

// Differs from hardware: without index pulses, that is without a disk, the 82077AA would wait forever.
bool FloppyController::find_track() {
  const FloppyDrive& drive = drive_at(selected());
  const bool readable = drive.has_disk() && (command_[0] & kMfm) && drive.takes_rate(rate_) &&
                        selected_head() < drive.geometry().heads;
  if (!readable)
    end_disk_command(kSt0Abnormal, kSt1MissingAddressMark, 0);
  else if (is_write() && drive.write_protected())
    end_disk_command(kSt0Abnormal, kSt1NotWritable, 0);
  else
    return true;
  return false;
}

bool FloppyController::find_sector() {
  const FloppyDrive& drive = drive_at(selected());
  if (drive.track() != id_track_) {
    end_disk_command(kSt0Abnormal, kSt1NoData, kSt2WrongCylinder);
    return false;
  }
  if (command_[3] == selected_head() && id_size_ == kSize512 &&
      drive.has_sector(id_track_, id_head_, id_sector_))
    return true;
  end_disk_command(kSt0Abnormal, kSt1NoData, st2_);
  return false;
}

/// The id that passes under the head: one sector after the other, as time goes by.
void FloppyController::step_read_id() {
  constexpr u64 kRevolutionNs = 200'000'000;
  const u64 sectors = drive_at(selected()).geometry().sectors;
  id_sector_ = static_cast<u8>(clock_.now_ns() % kRevolutionNs * sectors / kRevolutionNs + 1);
  end_disk_command(0, 0, 0);
}

void FloppyController::step_read() {
  if (!find_sector()) return;
  // No sector has a deleted data mark, so each is of the wrong kind for READ DELETED DATA.
  if (is_deleted_read()) {
    st2_ |= kSt2ControlMark;
    if (skip_deleted()) return next_sector(false);
  }
  const BlockStatus status = drive_at(selected()).read(id_head_, id_sector_, buffer_);
  if (status != BlockStatus::Ok) return end_with_disk_error(status);
  if (without_dma()) return begin_host_transfer(kSectorBytes);
  const IsaDmaTransfer moved = dma_.to_memory(buffer_);
  if (moved.bytes < kSectorBytes && !moved.terminal_count)
    return end_disk_command(kSt0Abnormal, kSt1Overrun, st2_);
  next_sector(moved.terminal_count);
}

void FloppyController::step_write() {
  bool terminal_count = false;
  if (!find_sector() || !fetch(kSectorBytes, terminal_count)) return;
  const BlockStatus status = drive_at(selected()).write(id_head_, id_sector_, buffer_);
  if (status != BlockStatus::Ok) return end_with_disk_error(status);
  next_sector(terminal_count);
}

/// Sectors whose id is not one that this disk has room for get lost.
void FloppyController::step_format() {
  FloppyDrive& drive = drive_at(selected());
  bool terminal_count = false;
  if (sectors_done_ == command_[kFormatCountIndex]) return end_disk_command(0, 0, 0);
  if (!fetch(4, terminal_count)) return;
  const auto [track, head, sector, size] = std::array{buffer_[0], buffer_[1], buffer_[2], buffer_[3]};
  ++sectors_done_;
  id_sector_ = sector;
  if (track == drive.track() && head == selected_head() && size == kSize512 &&
      drive.has_sector(track, head, sector)) {
    buffer_.fill(command_[kFormatFillIndex]);
    const BlockStatus status = drive.write(head, sector, buffer_);
    if (status != BlockStatus::Ok) return end_with_disk_error(status);
  }
  if (sectors_done_ == command_[kFormatCountIndex]) return end_disk_command(0, 0, 0);
  arm_step();
}

void FloppyController::step_verify() {
  if (!find_sector()) return;
  const BlockStatus status = drive_at(selected()).read(id_head_, id_sector_, buffer_);
  if (status != BlockStatus::Ok) return end_with_disk_error(status);
  const bool counts = (command_[1] & kVerifyCounts) != 0;
  const bool over = advance_id();
  if (counts ? ++sectors_done_ == command_[8] : over) return end_disk_command(0, 0, st2_);
  if (over) return end_disk_command(kSt0Abnormal, kSt1EndOfCylinder, st2_);
  arm_step();
}

bool FloppyController::advance_id() {
  if (id_sector_ != command_[kEotIndex]) {
    ++id_sector_;
    return false;
  }
  id_sector_ = 1;
  if (multi_track() && id_head_ == 0) {
    id_head_ = 1;
    return false;
  }
  if (multi_track()) id_head_ = 0;
  ++id_track_;
  return true;
}

void FloppyController::next_sector(bool terminal_count) {
  const bool over = advance_id();
  if (terminal_count || (is_deleted_read() && !skip_deleted())) return end_disk_command(0, 0, st2_);
  if (over) return end_disk_command(kSt0Abnormal, kSt1EndOfCylinder, st2_);
  phase_ = Phase::Execution;
  arm_step();
}

bool FloppyController::fetch(u16 bytes, bool& terminal_count) {
  if (without_dma()) {
    if (buffer_end_ != 0 && buffer_position_ == buffer_end_) {
      buffer_position_ = buffer_end_ = 0;
      return true;
    }
    begin_host_transfer(bytes);
    return false;
  }
  const IsaDmaTransfer moved = dma_.from_memory(std::span(buffer_).first(bytes));
  terminal_count = moved.terminal_count;
  if (moved.bytes == bytes || terminal_count) return true;
  end_disk_command(kSt0Abnormal, kSt1Overrun, st2_);
  return false;
}

void FloppyController::begin_host_transfer(u16 bytes) {
  buffer_position_ = 0;
  buffer_end_ = bytes;
  phase_ = Phase::HostTransfer;
  raise_interrupt();
}

void FloppyController::host_transfer_done() {
  if (!is_write()) return next_sector(false);
  phase_ = Phase::Execution;
  arm_step();
}

void FloppyController::end_disk_command(u8 st0, u8 st1, u8 st2) {
  if (is_write() && drive_at(selected()).flush() != BlockStatus::Ok) {
    st0 = kSt0Abnormal;
    st1 |= kSt1DataError;
    st2 |= kSt2DataError;
  }
  const u8 head = id_head_ & 1;
  result(
      {static_cast<u8>(st0 | head << 2 | selected()), st1, st2, id_track_, id_head_, id_sector_, id_size_});
  raise_interrupt();
}

void FloppyController::end_with_disk_error(BlockStatus status) {
  if (status == BlockStatus::ReadOnly) return end_disk_command(kSt0Abnormal, kSt1NotWritable, st2_);
  end_disk_command(kSt0Abnormal, kSt1DataError, st2_ | kSt2DataError);
}

// ---- State

void FloppyController::serialize(Archive& archive) {
  archive.tag("floppy");
  for (FloppyDrive& drive : drives_) drive.serialize(archive);
  archive.value(dor_);
  archive.value(tdr_);
  archive.value(rate_);
  archive.value(phase_);
  archive.value(interrupt_);
  archive.value(command_);
  archive.value(command_bytes_);
  archive.value(result_);
  archive.value(result_bytes_);
  archive.value(result_position_);
  archive.value(specify_);
  archive.value(configure_);
  archive.value(perpendicular_);
  archive.value(locked_);
  archive.value(last_sector_);
  archive.value(seeking_);
  archive.value(seek_target_);
  archive.value(seek_ended_);
  archive.value(seek_status_);
  archive.value(reset_senses_left_);
  archive.value(id_track_);
  archive.value(id_head_);
  archive.value(id_sector_);
  archive.value(id_size_);
  archive.value(sectors_done_);
  archive.value(st2_);
  archive.value(buffer_);
  archive.value(buffer_position_);
  archive.value(buffer_end_);
  serialize_timer(archive, clock_, reset_timer_);
  serialize_timer(archive, clock_, step_timer_);
  for (const Clock::TimerId timer : seek_timers_) serialize_timer(archive, clock_, timer);
  const bool sane = phase_ <= Phase::Result && command_bytes_ <= command_.size() &&
                    result_bytes_ <= result_.size() && result_position_ <= result_bytes_ &&
                    buffer_end_ <= buffer_.size() && buffer_position_ <= buffer_end_ &&
                    reset_senses_left_ <= kSelects;
  const bool in_place =
      (phase_ != Phase::Command || (find(command_[0]) && command_bytes_ < find(command_[0])->bytes)) &&
      (phase_ != Phase::Result || result_position_ < result_bytes_) &&
      (phase_ != Phase::HostTransfer || buffer_position_ < buffer_end_);
  if (archive.loading() && !(sane && in_place)) {
    archive.fail();
    reset(ResetKind::PowerOn);
  }
}

std::string FloppyController::debug_dump() const {
  std::string text =
      fmt::format("dor={:02x} msr={:02x} rate={} command={:02x}\n", dor_, main_status(), rate_, command_[0]);
  for (unsigned i = 0; i < kDrives; ++i) {
    const FloppyDrive& drive = drives_[i];
    if (!drive.present()) continue;
    text += fmt::format("drive {}: track {}", i, drive.track());
    if (drive.has_disk()) {
      text += fmt::format(", disk {}x{}x{}{}", drive.geometry().tracks, drive.geometry().heads,
                          drive.geometry().sectors, drive.write_protected() ? ", write-protected" : "");
    }
    text += "\n";
  }
  return text;
}

}  // namespace reprise::devices
