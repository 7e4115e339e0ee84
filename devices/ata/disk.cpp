#include "devices/ata/disk.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/bits.h"

namespace reprise::devices::ata {
namespace {

constexpr u16 kNativeHeads = 16;
constexpr u16 kNativeTrackSectors = 63;
constexpr u64 kMaxCylinders = 16383;
constexpr u64 kMaxSector28 = 0x0fff'ffff;
constexpr u8 kDiagnosticPassed = 0x01;

// Log addresses. Annex A.
constexpr u8 kLogDirectory = 0x00;
constexpr u8 kLogQueuedError = 0x10;

// SET FEATURES. 7.45.
constexpr u8 kFeatureWriteCacheOn = 0x02, kFeatureWriteCacheOff = 0x82;
constexpr u8 kFeatureTransferMode = 0x03;
constexpr u8 kFeatureLookAheadOn = 0xaa, kFeatureLookAheadOff = 0x55;
constexpr u8 kFeatureKeepOnReset = 0x66, kFeatureRevertOnReset = 0xcc;

/// NAA 1 names made from the serial number, so that they are equal in every run.
u64 name_of(std::string_view serial) {
  u64 hash = 0xcbf29ce484222325;
  for (const char c : serial) hash = (hash ^ static_cast<u8>(c)) * 0x100000001b3;
  return u64{1} << 60 | hash >> 4;
}

Geometry geometry(u64 sectors, u16 heads, u16 track_sectors) {
  const u64 cylinder = u64{heads} * track_sectors;
  const u64 cylinders = cylinder ? sectors / cylinder : 0;
  return {static_cast<u16>(std::clamp<u64>(cylinders, 1, kMaxCylinders)), heads, track_sectors};
}

}  // namespace

Disk::Disk(BlockBackend& medium, std::string serial, Cable cable)
    : medium_(medium), serial_(std::move(serial)), cable_(cable) {
  reset();
}

void Disk::reset() {
  power_ = Power::Active;
  multiple_ = 0;
  transfer_mode_ = kTransferModeDefault;
  heads_ = kNativeHeads;
  track_sectors_ = kNativeTrackSectors;
  write_cache_ = look_ahead_ = true;
  revert_on_soft_reset_ = false;
  queued_error_ = {};
  buffer_.clear();
}

void Disk::soft_reset() {
  if (revert_on_soft_reset_) return reset();
  power_ = Power::Active;
  buffer_.clear();
}

// 9.12, table "Device signatures".
void Disk::sign(TaskFile& registers) const {
  registers.count = registers.lba_low = 1;
  registers.lba_mid = registers.lba_high = 0;
  registers.device = 0;
  registers.status = kStatusReady;
  registers.error = kDiagnosticPassed;
}

Geometry Disk::native_geometry() const { return geometry(sectors(), kNativeHeads, kNativeTrackSectors); }
Geometry Disk::current_geometry() const { return geometry(sectors(), heads_, track_sectors_); }

bool Disk::sector28(const TaskFile& registers, u64& sector) const {
  if (registers.device & kDeviceLba) {
    sector = registers.lba28();
    return true;
  }
  const u64 cylinder = u64{u8(registers.lba_mid)} | u64{u8(registers.lba_high)} << 8;
  const u64 head = registers.device & kDeviceHead;
  const u64 in_track = u8(registers.lba_low);
  if (in_track == 0 || in_track > track_sectors_ || head >= heads_) return false;
  sector = (cylinder * heads_ + head) * track_sectors_ + in_track - 1;
  return true;
}

void Disk::set_range(Work& work, u64 first_sector, u64 count) {
  const u64 total = sectors();
  if (first_sector >= total || count > total - first_sector) {
    work.fail(kErrorIdnf);
    work.failed_sector = first_sector;
    work.has_failed_sector = true;
    return;
  }
  work.first_byte = first_sector * kSectorBytes;
  work.bytes = count * kSectorBytes;
}

void Disk::address28(Work& work, const TaskFile& registers) {
  u64 sector = 0;
  if (!sector28(registers, sector)) return work.fail(kErrorIdnf);
  set_range(work, sector, registers.count28());
}

void Disk::address48(Work& work, const TaskFile& registers) {
  work.extended = true;
  set_range(work, registers.lba48(), registers.count48());
}

void Disk::transfer(Work& work, DataPhase data, bool dma) {
  if (data == DataPhase::FromHost && medium_.read_only()) work.fail(kErrorAbrt);
  if (work.error) return;
  work.data = data;
  work.action = Action::Medium;
  work.dma = dma;
  work.block_bytes = kSectorBytes;
}

void Disk::transfer_multiple(Work& work, DataPhase data) {
  if (multiple_ == 0) return work.fail(kErrorAbrt);
  transfer(work, data, false);
  work.block_bytes = u32{multiple_} * kSectorBytes;
}

void Disk::address_queued(Work& work, const TaskFile& registers) {
  if (cable_ != Cable::Serial) return work.fail(kErrorAbrt);
  work.extended = true;
  work.tag = static_cast<u8>(registers.count >> 3 & 31);
  work.durable = work.command == Command::WriteFpdmaQueued && (registers.device & kDeviceFua);
  set_range(work, registers.lba48(), registers.features == 0 ? 65536 : registers.features);
}

/// buffer_ is data for the host.
void Disk::respond(Work& work) {
  work.data = DataPhase::ToHost;
  work.action = Action::Buffer;
  work.bytes = buffer_.size();
  work.block_bytes = kSectorBytes;
}

void Disk::identify(Work& work, const TaskFile&) {
  const IdentifyWords words = identify_disk({.serial = serial_,
                                             .sectors = sectors(),
                                             .native = native_geometry(),
                                             .current = current_geometry(),
                                             .cable = cable_,
                                             .max_multiple = kMaxMultiple,
                                             .multiple = multiple_,
                                             .transfer_mode = transfer_mode_,
                                             .write_cache = write_cache_,
                                             .look_ahead = look_ahead_,
                                             .queue_depth = cable_ == Cable::Serial ? kQueueDepth : 0,
                                             .max_trim_blocks = kMaxTrimBlocks,
                                             .world_wide_name = name_of(serial_)});
  buffer_.clear();
  for (const u16 word : words) {
    buffer_.push_back(static_cast<u8>(word));
    buffer_.push_back(static_cast<u8>(word >> 8));
  }
  respond(work);
}

// 7.27. One page of either log.
void Disk::read_log(Work& work, const TaskFile& registers) {
  const u8 address = u8(registers.lba_low);
  const unsigned page = registers.lba_mid;
  if (cable_ != Cable::Serial || page != 0 || registers.count != 1 ||
      (address != kLogDirectory && address != kLogQueuedError)) {
    return work.fail(kErrorAbrt);
  }
  buffer_.assign(kSectorBytes, 0);
  if (address == kLogDirectory) {
    buffer_[0] = 1;                    // version
    buffer_[2 * kLogQueuedError] = 1;  // pages
  } else {                             // A.7
    const u64 sector = queued_error_.sector;
    buffer_[0] = queued_error_.tag;
    buffer_[2] = queued_error_.status;
    buffer_[3] = queued_error_.error;
    for (unsigned i = 0; i < 3; ++i) {
      buffer_[4 + i] = static_cast<u8>(sector >> 8 * i);
      buffer_[8 + i] = static_cast<u8>(sector >> (24 + 8 * i));
    }
    buffer_[7] = kDeviceLba;
    u8 sum = 0;
    for (const u8 byte : buffer_) sum = static_cast<u8>(sum + byte);
    buffer_.back() = static_cast<u8>(0 - sum);
  }
  respond(work);
}

// 7.10.
void Disk::trim(Work& work, const TaskFile& registers) {
  if ((registers.features & 0xff) != 1 || registers.count == 0 || registers.count > kMaxTrimBlocks ||
      medium_.read_only())
    return work.fail(kErrorAbrt);
  work.data = DataPhase::FromHost;
  work.action = Action::Trim;
  work.dma = true;
  work.extended = true;
  work.bytes = registers.count * kSectorBytes;
  buffer_.assign(work.bytes, 0);
}

void Disk::set_features(Work& work, const TaskFile& registers) {
  switch (u8(registers.features)) {
    case kFeatureWriteCacheOn: write_cache_ = true; return;
    case kFeatureWriteCacheOff:
      write_cache_ = false;
      work.action = Action::Flush;
      return;
    case kFeatureLookAheadOn: look_ahead_ = true; return;
    case kFeatureLookAheadOff: look_ahead_ = false; return;
    case kFeatureKeepOnReset: revert_on_soft_reset_ = false; return;
    case kFeatureRevertOnReset: revert_on_soft_reset_ = true; return;
    case kFeatureTransferMode:
      if (!is_transfer_mode(u8(registers.count))) return work.fail(kErrorAbrt);
      transfer_mode_ = u8(registers.count);
      return;
    default: return work.fail(kErrorAbrt);
  }
}

void Disk::set_multiple(Work& work, const TaskFile& registers) {
  const u8 count = u8(registers.count);
  if (count > kMaxMultiple || (count & (count - 1)) != 0) {
    multiple_ = 0;
    return work.fail(kErrorAbrt);
  }
  multiple_ = count;
}

void Disk::initialize_parameters(Work& work, const TaskFile& registers) {
  const u8 track_sectors = u8(registers.count);
  if (track_sectors == 0) return work.fail(kErrorAbrt);
  track_sectors_ = track_sectors;
  heads_ = static_cast<u16>((registers.device & kDeviceHead) + 1);
}

void Disk::read_native_max(Work& work, const TaskFile& registers) {
  if (!(registers.device & kDeviceLba)) work.fail(kErrorAbrt);
}
void Disk::read_native_max_ext(Work& work, const TaskFile&) { work.extended = true; }
void Disk::seek(Work& work, const TaskFile& registers) {
  u64 sector = 0;
  if (!sector28(registers, sector) || sector >= sectors()) work.fail(kErrorIdnf);
}
void Disk::idle(Work&, const TaskFile&) { power_ = Power::Idle; }
void Disk::standby(Work&, const TaskFile&) { power_ = Power::Standby; }
void Disk::sleep(Work&, const TaskFile&) { power_ = Power::Sleep; }

// ATA8-ACS chapter 7.
const Disk::CommandRow Disk::kCommands[] = {
    {Command::ReadSectors, Address::Lba28, Protocol::PioIn},
    {Command::ReadSectorsNoRetry, Address::Lba28, Protocol::PioIn},
    {Command::ReadSectorsExt, Address::Lba48, Protocol::PioIn},
    {Command::ReadMultiple, Address::Lba28, Protocol::MultipleIn},
    {Command::ReadMultipleExt, Address::Lba48, Protocol::MultipleIn},
    {Command::ReadDma, Address::Lba28, Protocol::DmaIn},
    {Command::ReadDmaNoRetry, Address::Lba28, Protocol::DmaIn},
    {Command::ReadDmaExt, Address::Lba48, Protocol::DmaIn},
    {Command::ReadFpdmaQueued, Address::Queued, Protocol::DmaIn},
    {Command::WriteSectors, Address::Lba28, Protocol::PioOut},
    {Command::WriteSectorsNoRetry, Address::Lba28, Protocol::PioOut},
    {Command::WriteSectorsExt, Address::Lba48, Protocol::PioOut},
    {Command::WriteMultiple, Address::Lba28, Protocol::MultipleOut},
    {Command::WriteMultipleExt, Address::Lba48, Protocol::MultipleOut},
    {Command::WriteMultipleFuaExt, Address::Lba48, Protocol::MultipleOutFua},
    {Command::WriteDma, Address::Lba28, Protocol::DmaOut},
    {Command::WriteDmaNoRetry, Address::Lba28, Protocol::DmaOut},
    {Command::WriteDmaExt, Address::Lba48, Protocol::DmaOut},
    {Command::WriteDmaFuaExt, Address::Lba48, Protocol::DmaOutFua},
    {Command::WriteFpdmaQueued, Address::Queued, Protocol::DmaOut},
    {Command::ReadVerify, Address::Lba28, Protocol::Verify},
    {Command::ReadVerifyNoRetry, Address::Lba28, Protocol::Verify},
    {Command::ReadVerifyExt, Address::Lba48, Protocol::Verify},
    {Command::FlushCache, Address::None, Protocol::Flush},
    {Command::FlushCacheExt, Address::None, Protocol::Flush},
    {Command::Standby, Address::None, Protocol::Flush, &Disk::standby},
    {Command::StandbyImmediate, Address::None, Protocol::Flush, &Disk::standby},
    {Command::Sleep, Address::None, Protocol::Flush, &Disk::sleep},
    {Command::Idle, Address::None, Protocol::Own, &Disk::idle},
    {Command::IdleImmediate, Address::None, Protocol::Own, &Disk::idle},
    {Command::CheckPowerMode, Address::None, Protocol::Own},
    {Command::DeviceDiagnostic, Address::None, Protocol::Own},
    {Command::IdentifyDevice, Address::None, Protocol::Own, &Disk::identify},
    {Command::ReadLogExt, Address::None, Protocol::Own, &Disk::read_log},
    {Command::DataSetManagement, Address::None, Protocol::Own, &Disk::trim},
    {Command::SetFeatures, Address::None, Protocol::Own, &Disk::set_features},
    {Command::SetMultiple, Address::None, Protocol::Own, &Disk::set_multiple},
    {Command::InitializeParameters, Address::None, Protocol::Own, &Disk::initialize_parameters},
    {Command::ReadNativeMax, Address::None, Protocol::Own, &Disk::read_native_max},
    {Command::ReadNativeMaxExt, Address::None, Protocol::Own, &Disk::read_native_max_ext},
    {Command::Recalibrate, Address::None, Protocol::Own},
    {Command::Seek, Address::None, Protocol::Own, &Disk::seek},
};

/// nullptr: no command of this device.
const Disk::CommandRow* Disk::row_of(Command command) {
  const auto run = static_cast<Command>(static_cast<u8>(command) & 0xf0);
  const Command name = run == Command::Recalibrate || run == Command::Seek ? run : command;
  const auto* const row = std::ranges::find(kCommands, name, &CommandRow::command);
  return row == std::end(kCommands) ? nullptr : row;
}

void Disk::address(Work& work, Address form, const TaskFile& registers) {
  switch (form) {
    case Address::None: return;
    case Address::Lba28: return address28(work, registers);
    case Address::Lba48: return address48(work, registers);
    case Address::Queued: return address_queued(work, registers);
  }
}

void Disk::prepare(Work& work, Protocol protocol) {
  switch (protocol) {
    case Protocol::Own: return;
    case Protocol::PioIn: return transfer(work, DataPhase::ToHost, false);
    case Protocol::PioOut: return transfer(work, DataPhase::FromHost, false);
    case Protocol::MultipleIn: return transfer_multiple(work, DataPhase::ToHost);
    case Protocol::MultipleOutFua: work.durable = true; [[fallthrough]];
    case Protocol::MultipleOut: return transfer_multiple(work, DataPhase::FromHost);
    case Protocol::DmaIn: return transfer(work, DataPhase::ToHost, true);
    case Protocol::DmaOutFua: work.durable = true; [[fallthrough]];
    case Protocol::DmaOut: return transfer(work, DataPhase::FromHost, true);
    case Protocol::Verify: work.action = Action::Verify; return;
    case Protocol::Flush: work.action = Action::Flush; return;
  }
}

Work Disk::begin(Command command, TaskFile& registers) {
  Work work;
  work.command = command;
  if (const CommandRow* const row = row_of(command)) {
    address(work, row->address, registers);
    prepare(work, row->protocol);
    if (row->act != nullptr) (this->*row->act)(work, registers);
  } else {
    work.fail(kErrorAbrt);
  }
  if (work.error) {
    work.data = DataPhase::None;
    work.action = Action::Nothing;
    work.bytes = 0;
  }
  if (work.action == Action::Medium || work.action == Action::Verify) power_ = Power::Active;
  return work;
}

Work Disk::begin_packet(std::span<const u8, kPacketBytes>, bool) {
  Work work;
  work.fail(kErrorAbrt);
  return work;
}

void Disk::fail(Work& work, BlockStatus status, u64 sector) const {
  switch (status) {
    case BlockStatus::Ok: return;
    case BlockStatus::ReadError: work.fail(kErrorUnc); break;
    case BlockStatus::OutOfRange: work.fail(kErrorIdnf); break;
    case BlockStatus::WriteError:
    case BlockStatus::NoSpace:
    case BlockStatus::TooLarge:
    case BlockStatus::Refused:
    case BlockStatus::ReadOnly: work.fail(kErrorAbrt); break;
  }
  work.failed_sector = sector;
  work.has_failed_sector = true;
}

/// Runs `access(medium offset, offset in the data, bytes)` over everything at once and, when that fails,
/// sector by sector, to find the first bad one. Returns the bytes before it.
template <class Access, class Fail>
static u64 whole_or_by_sector(u64 bytes, Access&& access, Fail&& failed) {
  if (access(0, bytes) == BlockStatus::Ok) return bytes;
  for (u64 done = 0; done < bytes; done += kSectorBytes) {
    const BlockStatus status = access(done, kSectorBytes);
    if (status == BlockStatus::Ok) continue;
    failed(status, done);
    return done;
  }
  return bytes;
}

u64 Disk::read(Work& work, u64 offset, std::span<u8> into) {
  if (work.action == Action::Buffer) {
    std::ranges::fill(into, u8{0});
    if (offset < buffer_.size()) {
      const u64 count = std::min<u64>(into.size(), buffer_.size() - offset);
      std::memcpy(into.data(), buffer_.data() + offset, count);
    }
    return into.size();
  }
  const u64 first = work.first_byte + offset;
  return whole_or_by_sector(
      into.size(), [&](u64 at, u64 bytes) { return medium_.read(first + at, into.subspan(at, bytes)); },
      [&](BlockStatus status, u64 at) { fail(work, status, (first + at) / kSectorBytes); });
}

u64 Disk::write(Work& work, u64 offset, std::span<const u8> from) {
  if (work.action != Action::Medium) {
    if (offset < buffer_.size())
      std::memcpy(buffer_.data() + offset, from.data(), std::min<u64>(from.size(), buffer_.size() - offset));
    return from.size();
  }
  const u64 first = work.first_byte + offset;
  return whole_or_by_sector(
      from.size(), [&](u64 at, u64 bytes) { return medium_.write(first + at, from.subspan(at, bytes)); },
      [&](BlockStatus status, u64 at) { fail(work, status, (first + at) / kSectorBytes); });
}

void Disk::verify(Work& work) const {
  std::vector<u8> scratch(std::min<u64>(work.bytes, kMaxBlockBytes));
  for (u64 done = 0; done < work.bytes && work.error == 0;) {
    const u64 count = std::min<u64>(work.bytes - done, scratch.size());
    const u64 first = work.first_byte + done;
    whole_or_by_sector(
        count,
        [&](u64 at, u64 bytes) { return medium_.read(first + at, std::span(scratch).subspan(at, bytes)); },
        [&](BlockStatus status, u64 at) { fail(work, status, (first + at) / kSectorBytes); });
    done += count;
  }
}

void Disk::flush(Work& work) const {
  if (medium_.flush() != BlockStatus::Ok) work.fail(kErrorAbrt);
}

/// Ranges of 48 bits of address and 16 bits of count; a count of 0 is no range. 7.10.3.
void Disk::trim_ranges(Work& work) const {
  for (std::size_t at = 0; at + 8 <= buffer_.size() && work.error == 0; at += 8) {
    const u64 entry = read_unaligned<u64>(buffer_.data() + at);
    const u64 sector = entry & 0xffff'ffff'ffff;
    const u64 count = entry >> 48;
    if (count == 0) continue;
    if (sector >= sectors() || count > sectors() - sector) {
      work.fail(kErrorAbrt);
      work.failed_sector = sector;
      work.has_failed_sector = true;
      return;
    }
    fail(work, medium_.discard(sector * kSectorBytes, count * kSectorBytes), sector);
  }
}

void Disk::report_address(const Work& work, TaskFile& registers) const {
  const u64 sector = work.failed_sector;
  if (work.extended) return registers.set_lba48(sector);
  if (registers.device & kDeviceLba) return registers.set_lba28(sector);
  const u64 track = sector / track_sectors_;
  const u64 cylinder = track / heads_;
  registers.lba_low = static_cast<u8>(sector % track_sectors_ + 1);
  registers.lba_mid = static_cast<u8>(cylinder);
  registers.lba_high = static_cast<u8>(cylinder >> 8);
  registers.device = static_cast<u8>((registers.device & ~kDeviceHead) | (track % heads_ & kDeviceHead));
}

void Disk::finish(Work& work, TaskFile& registers) {
  if (work.error == 0) {
    switch (work.action) {
      case Action::Nothing:
      case Action::Buffer: break;
      case Action::Medium:
        if (work.data == DataPhase::FromHost && (work.durable || !write_cache_)) flush(work);
        break;
      case Action::Verify: verify(work); break;
      case Action::Flush: flush(work); break;
      case Action::Trim: trim_ranges(work); break;
    }
  }
  registers.status = kStatusReady;
  registers.error = work.error;
  if (work.error) {
    registers.status |= kStatusErr | work.failed_status;
    if (work.has_failed_sector) report_address(work, registers);
    if (work.command == Command::ReadFpdmaQueued || work.command == Command::WriteFpdmaQueued)
      queued_error_ = {work.tag, registers.status, registers.error, work.failed_sector};
    return;
  }
  switch (work.command) {
    case Command::ReadNativeMax:
      registers.set_lba28(std::min(sectors() - (sectors() ? 1 : 0), kMaxSector28));
      break;
    case Command::ReadNativeMaxExt: registers.set_lba48(sectors() - (sectors() ? 1 : 0)); break;
    case Command::CheckPowerMode: registers.count = power_mode(); break;
    case Command::DeviceDiagnostic: sign(registers); break;
    default: break;
  }
}

void Disk::serialize(Archive& archive) {
  archive.tag("ata disk");
  archive.at_most(power_, Power::Sleep);
  archive.at_most(multiple_, kMaxMultiple);
  archive.value(transfer_mode_);
  archive.value(heads_);
  archive.value(track_sectors_);
  archive.value(write_cache_);
  archive.value(look_ahead_);
  archive.value(revert_on_soft_reset_);
  archive.value(queued_error_.tag);
  archive.value(queued_error_.status);
  archive.value(queued_error_.error);
  archive.value(queued_error_.sector);
  archive.value(buffer_, kMaxBlockBytes);
  // Addresses are divided by them.
  if (heads_ == 0 || track_sectors_ == 0) {
    reset();
    archive.fail();
  }
}

std::string Disk::debug_dump() const {
  return fmt::format("disk \"{}\" sectors={} chs={}x{}x{} mode={:02x} multiple={} write_cache={} power={}",
                     serial_, sectors(), current_geometry().cylinders, heads_, track_sectors_, transfer_mode_,
                     multiple_, write_cache_, static_cast<unsigned>(power_));
}

}  // namespace reprise::devices::ata
