#include "devices/ata/cdrom.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "devices/ata/disc_data.h"

namespace reprise::devices::ata {
namespace {

using scsi::kAddressOutOfRange;
using scsi::kInvalidCommand;
using scsi::kInvalidField;
using scsi::kReadError;
using scsi::kSavingNotSupported;
using scsi::kWasReset;

constexpr u8 kDiagnosticPassed = 0x01;
constexpr u8 kFeatureTransferMode = 0x03, kFeatureKeepOnReset = 0x66, kFeatureRevertOnReset = 0xcc;
/// Larger discs are DVDs: 90 minutes of CD, in blocks.
constexpr u64 kMaxCdBlocks = 90 * 60 * 75;

constexpr Sense kNotReadyNoDisc{0x02, 0x3a, 0x01};
constexpr Sense kNotReadyTrayOpen{0x02, 0x3a, 0x02};
constexpr Sense kRemovalPrevented{0x05, 0x53, 0x02};
constexpr Sense kIllegalModeForTrack{0x05, 0x64, 0x00};
constexpr Sense kDiscChanged = scsi::kMediumChanged;

u32 be16(std::span<const u8> bytes, std::size_t at) { return u32{bytes[at]} << 8 | bytes[at + 1]; }
u32 be32(std::span<const u8> bytes, std::size_t at) { return be16(bytes, at) << 16 | be16(bytes, at + 2); }

}  // namespace

Cdrom::Cdrom(BlockBackend& disc, std::string serial, Cable cable)
    : disc_(&disc), serial_(std::move(serial)), cable_(cable) {
  reset();
}

void Cdrom::reset() {
  power_ = Power::Active;
  transfer_mode_ = kTransferModeDefault;
  tray_open_ = locked_ = false;
  media_event_ = MediaEvent::None;
  sense_ = {};
  attention_ = kWasReset;
  buffer_.clear();
}

void Cdrom::soft_reset() {
  power_ = Power::Active;
  buffer_.clear();
}

void Cdrom::sign(TaskFile& registers) const {
  registers.count = registers.lba_low = 1;
  registers.lba_mid = 0x14;
  registers.lba_high = 0xeb;
  registers.device = 0;
  registers.status = 0;
  registers.error = kDiagnosticPassed;
}

bool Cdrom::is_dvd() const { return blocks() > kMaxCdBlocks; }

void Cdrom::check(Work& work, Sense sense) {
  sense_ = sense;
  work.fail(static_cast<u8>(sense.key << 4 | (sense.key == kInvalidCommand.key ? kErrorAbrt : 0)));
}

void Cdrom::respond(Work& work, u64 allocation) {
  if (buffer_.size() > allocation) buffer_.resize(allocation);
  if (buffer_.empty()) return;
  work.data = DataPhase::ToHost;
  work.action = Action::Buffer;
  work.bytes = buffer_.size();
}

bool Cdrom::ready(Work& work) {
  if (disc_present()) return true;
  check(work, tray_open_ ? kNotReadyTrayOpen : kNotReadyNoDisc);
  return false;
}

void Cdrom::set_features(Work& work, const TaskFile& registers) {
  switch (u8(registers.features)) {
    case kFeatureTransferMode:
      if (!is_transfer_mode(u8(registers.count))) return work.fail(kErrorAbrt);
      transfer_mode_ = u8(registers.count);
      return;
    case kFeatureKeepOnReset:
    case kFeatureRevertOnReset: return;
    default: return work.fail(kErrorAbrt);
  }
}

void Cdrom::identify(Work& work) {
  buffer_.clear();
  for (const u16 word :
       identify_cdrom({.serial = serial_, .cable = cable_, .transfer_mode = transfer_mode_})) {
    buffer_.push_back(static_cast<u8>(word));
    buffer_.push_back(static_cast<u8>(word >> 8));
  }
  respond(work, buffer_.size());
  work.block_bytes = kSectorBytes;
}

Work Cdrom::begin(Command command, TaskFile& registers) {
  Work work;
  work.command = command;
  switch (command) {
    case Command::Packet:
      work.data = DataPhase::Packet;
      work.packet = true;
      work.dma = registers.features & 1;
      break;
    case Command::IdentifyPacketDevice: identify(work); break;
    case Command::SetFeatures: set_features(work, registers); break;
    case Command::IdleImmediate: power_ = Power::Idle; break;
    case Command::StandbyImmediate: power_ = Power::Standby; break;
    case Command::Sleep: power_ = Power::Sleep; break;
    case Command::CheckPowerMode:
    case Command::DeviceDiagnostic:
    case Command::DeviceReset: break;
    // A disk's commands: refused with the signature, which tells what this is. ATA8-ACS 7.16.5, 7.29.5.
    case Command::IdentifyDevice:
    case Command::ReadSectors:
    case Command::ReadSectorsNoRetry:
      sign(registers);
      work.fail(kErrorAbrt);
      break;
    default: work.fail(kErrorAbrt); break;
  }
  return work;
}

// SPC-3 5.8, MMC-5 4.1.6 and chapter 6.
const Cdrom::PacketRow Cdrom::kCommands[] = {
    {Scsi::TestUnitReady, Needs::Disc},
    {Scsi::RequestSense, Needs::NothingAtAll, &Cdrom::request_sense},
    {Scsi::Inquiry, Needs::NothingAtAll, &Cdrom::inquiry},
    {Scsi::StartStopUnit, Needs::NoAttention, &Cdrom::start_stop},
    {Scsi::PreventAllow, Needs::NoAttention, &Cdrom::prevent_allow},
    {Scsi::ReadCapacity, Needs::Disc, &Cdrom::read_capacity},
    {Scsi::Read10, Needs::Disc, &Cdrom::read10},
    {Scsi::Seek10, Needs::Disc},
    {Scsi::ReadToc, Needs::Disc, &Cdrom::read_toc},
    {Scsi::GetConfiguration, Needs::NothingAtAll, &Cdrom::get_configuration},
    {Scsi::GetEventStatus, Needs::NothingAtAll, &Cdrom::get_event_status},
    {Scsi::ReadDiscInformation, Needs::Disc, &Cdrom::read_disc_information},
    {Scsi::ModeSense10, Needs::NoAttention, &Cdrom::mode_sense},
    {Scsi::Read12, Needs::Disc, &Cdrom::read12},
    {Scsi::SetCdSpeed, Needs::NoAttention},
    {Scsi::MechanismStatus, Needs::NoAttention, &Cdrom::mechanism_status},
    {Scsi::ReadCd, Needs::Disc, &Cdrom::read_cd},
};

Work Cdrom::begin_packet(Packet packet, bool dma) {
  Work work;
  work.command = Command::Packet;
  work.packet = true;
  work.dma = dma;
  buffer_.clear();
  power_ = Power::Active;
  const Scsi command = static_cast<Scsi>(packet[0]);
  const auto* const row = std::ranges::find(kCommands, command, &PacketRow::command);
  if (command != Scsi::RequestSense) sense_ = {};
  const bool answers = row != std::end(kCommands) && row->needs == Needs::NothingAtAll;
  if (attention_ != Sense{} && !answers) {
    check(work, attention_);
    attention_ = {};
    return work;
  }
  if (row == std::end(kCommands)) {
    check(work, kInvalidCommand);
  } else if ((row->needs != Needs::Disc || ready(work)) && row->act != nullptr) {
    (this->*row->act)(work, packet);
  }
  if (work.error) {
    work.data = DataPhase::None;
    work.action = Action::Nothing;
    work.bytes = 0;
  }
  return work;
}

void Cdrom::prevent_allow(Work&, Packet packet) { locked_ = packet[4] & 1; }

void Cdrom::read10(Work& work, Packet packet) { read_blocks(work, be32(packet, 2), be16(packet, 7)); }
void Cdrom::read12(Work& work, Packet packet) { read_blocks(work, be32(packet, 2), be32(packet, 6)); }

void Cdrom::read_blocks(Work& work, u64 block, u64 count) {
  if (block > blocks() || count > blocks() - block) return check(work, kAddressOutOfRange);
  if (count == 0) return;
  work.data = DataPhase::ToHost;
  work.action = Action::Medium;
  work.first_byte = block * kBlockBytes;
  work.bytes = count * kBlockBytes;
}

// MMC-5 6.20: the user data of mode 1 sectors only.
void Cdrom::read_cd(Work& work, Packet packet) {
  constexpr unsigned kAnyType = 0, kMode1 = 2;
  constexpr unsigned kUserData = 0x10;
  const unsigned type = packet[1] >> 2 & 7;
  if (type != kAnyType && type != kMode1) return check(work, kIllegalModeForTrack);
  const u64 count = u64{packet[6]} << 16 | be16(packet, 7);
  const unsigned fields = packet[9] & 0xf8u;
  if ((fields != 0 && fields != kUserData) || (packet[9] & 6) || (packet[10] & 7))
    return check(work, kInvalidField);
  read_blocks(work, be32(packet, 2), fields == 0 ? 0 : count);
}

void Cdrom::read_capacity(Work& work, Packet) {
  const u64 last = std::min<u64>(blocks() - 1, 0xffff'ffff);
  buffer_ = {u8(last >> 24),       u8(last >> 16), u8(last >> 8), u8(last), 0, 0,
             u8(kBlockBytes >> 8), u8(kBlockBytes)};
  respond(work, buffer_.size());
}

void Cdrom::read_toc(Work& work, Packet packet) {
  const DiscFacts facts{.present = true, .dvd = is_dvd(), .blocks = blocks()};
  const AddressForm form = packet[1] & 2 ? AddressForm::Msf : AddressForm::Lba;
  // Old drivers put the format into the control byte. SFF-8020i 10.8.20.
  const unsigned format = packet[2] & 15u ? packet[2] & 15u : packet[9] >> 6;
  switch (format) {
    case 0: buffer_ = toc_tracks(facts, form, packet[6]); break;
    case 1: buffer_ = toc_sessions(form); break;
    case 2: buffer_ = toc_full(facts); break;
    default: break;
  }
  if (buffer_.empty()) return check(work, kInvalidField);
  respond(work, be16(packet, 7));
}

void Cdrom::inquiry(Work& work, Packet packet) {
  if (packet[1] & 1) return check(work, kInvalidField);  // no vital product data
  constexpr std::string_view kNames = "REPRISE CD-ROM          1.0 ";
  buffer_ = {0x05, 0x80, 0x00, 0x21, 31, 0, 0, 0};  // CD/DVD, removable, ATAPI
  buffer_.insert(buffer_.end(), kNames.begin(), kNames.end());
  respond(work, be16(packet, 3));
}

void Cdrom::request_sense(Work& work, Packet packet) {
  if (sense_ == Sense{} && attention_ != Sense{}) {
    sense_ = attention_;
    attention_ = {};
  }
  const auto bytes = scsi::sense_data(take_sense());
  buffer_.assign(bytes.begin(), bytes.end());
  respond(work, packet[4]);
}

void Cdrom::mode_sense(Work& work, Packet packet) {
  constexpr u8 kSavedValues = 3;
  if (packet[2] >> 6 == kSavedValues) return check(work, kSavingNotSupported);
  const DiscFacts facts{.present = disc_present(),
                        .dvd = is_dvd(),
                        .tray_open = tray_open_,
                        .locked = locked_,
                        .blocks = blocks()};
  buffer_ = mode_pages(facts, packet[2] & 0x3f);
  if (buffer_.empty()) return check(work, kInvalidField);
  if (packet[2] >> 6 == 1) std::fill(buffer_.begin() + 10, buffer_.end(), u8{0});  // nothing is changeable
  respond(work, be16(packet, 7));
}

void Cdrom::get_configuration(Work& work, Packet packet) {
  const unsigned request = packet[1] & 3u;
  if (request > static_cast<unsigned>(FeatureRequest::One)) return check(work, kInvalidField);
  const DiscFacts facts{.present = disc_present(), .dvd = is_dvd()};
  buffer_ = configuration(facts, static_cast<u16>(be16(packet, 2)), static_cast<FeatureRequest>(request));
  respond(work, be16(packet, 7));
}

// MMC-5 6.7: the media class, polled.
void Cdrom::get_event_status(Work& work, Packet packet) {
  constexpr u8 kMediaClass = 4, kNoEventAvailable = 0x80;
  if (!(packet[1] & 1)) return check(work, kInvalidField);
  if (!(packet[4] >> kMediaClass & 1)) {
    buffer_ = {0, 2, kNoEventAvailable, 1 << kMediaClass};
    return respond(work, be16(packet, 7));
  }
  const u8 status = static_cast<u8>((tray_open_ ? 1 : 0) | (disc_present() ? 2 : 0));
  buffer_ = {0, 6, kMediaClass, 1 << kMediaClass, static_cast<u8>(media_event_), status, 0, 0};
  const u64 allocation = be16(packet, 7);
  if (allocation > 4) media_event_ = MediaEvent::None;
  respond(work, allocation);
}

void Cdrom::read_disc_information(Work& work, Packet packet) {
  if (packet[1] & 7) return check(work, kInvalidField);
  buffer_ = disc_information();
  respond(work, be16(packet, 7));
}

void Cdrom::mechanism_status(Work& work, Packet packet) {
  buffer_ = {0, static_cast<u8>(tray_open_ ? 0x10 : 0), 0, 0, 0, 1, 0, 0};
  respond(work, be16(packet, 8));
}

// MMC-5 6.46: with LoEj the tray moves.
void Cdrom::start_stop(Work& work, Packet packet) {
  const bool start = packet[4] & 1, move_tray = packet[4] & 2;
  if (packet[4] >> 4 != 0) return;  // a power condition
  if (!move_tray) {
    if (start) ready(work);
    return;
  }
  if (!start) {
    if (locked_) return check(work, kRemovalPrevented);
    if (disc_present()) media_event_ = MediaEvent::Removal;
    tray_open_ = true;
    return;
  }
  if (tray_open_ && has_disc()) {
    media_event_ = MediaEvent::NewMedia;
    attention_ = kDiscChanged;
  }
  tray_open_ = false;
}

void Cdrom::eject() {
  if (disc_present()) media_event_ = MediaEvent::Removal;
  disc_ = nullptr;
  tray_open_ = true;
}

void Cdrom::insert(BlockBackend& disc) {
  disc_ = &disc;
  tray_open_ = false;
  if (!has_disc()) return;
  media_event_ = MediaEvent::NewMedia;
  attention_ = kDiscChanged;
}

u64 Cdrom::read(Work& work, u64 offset, std::span<u8> into) {
  std::ranges::fill(into, u8{0});
  if (work.action == Action::Buffer) {
    if (offset < buffer_.size())
      std::memcpy(into.data(), buffer_.data() + offset, std::min<u64>(into.size(), buffer_.size() - offset));
    return into.size();
  }
  if (!ready(work)) return 0;
  // A read is never accepted while an attention waits: this one came since.
  if (attention_ == kDiscChanged) {
    check(work, kDiscChanged);
    attention_ = {};
    return 0;
  }
  const u64 first = work.first_byte + offset;
  const u64 there = first < disc_bytes() ? std::min<u64>(into.size(), disc_bytes() - first) : 0;
  if (there != 0 && disc_->read(first, into.first(there)) == BlockStatus::Ok) return into.size();
  // Block by block, to find the first bad one.
  for (u64 done = 0; done < there; done += kBlockBytes) {
    if (disc_->read(first + done, into.subspan(done, std::min(kBlockBytes, there - done))) == BlockStatus::Ok)
      continue;
    check(work, kReadError);
    return done;
  }
  if (there != 0) return into.size();
  check(work, kAddressOutOfRange);
  return 0;
}

u64 Cdrom::write(Work&, u64, std::span<const u8> from) { return from.size(); }

void Cdrom::finish(Work& work, TaskFile& registers) {
  registers.error = work.error;
  registers.status = static_cast<u8>(kStatusReady | (work.error ? kStatusErr : 0));
  if (work.packet) registers.count = kReasonCommand | kReasonToHost;
  if (work.error) return;
  switch (work.command) {
    case Command::CheckPowerMode: registers.count = power_mode(); break;
    case Command::DeviceDiagnostic: sign(registers); break;
    case Command::DeviceReset:
      soft_reset();
      sign(registers);
      break;
    default: break;
  }
}

void Cdrom::serialize(Archive& archive) {
  archive.tag("atapi cdrom");
  archive.at_most(power_, Power::Sleep);
  archive.value(transfer_mode_);
  archive.value(tray_open_);
  archive.value(locked_);
  archive.at_most(media_event_, MediaEvent::Removal);
  for (Sense* sense : {&sense_, &attention_}) {
    archive.value(sense->key);
    archive.value(sense->code);
    archive.value(sense->qualifier);
  }
  archive.value(buffer_, kMaxBlockBytes);
}

std::string Cdrom::debug_dump() const {
  return fmt::format("cdrom \"{}\" blocks={} tray_open={} locked={} sense={:02x}/{:02x}/{:02x} power={}",
                     serial_, blocks(), tray_open_, locked_, sense_.key, sense_.code, sense_.qualifier,
                     static_cast<unsigned>(power_));
}

}  // namespace reprise::devices::ata
