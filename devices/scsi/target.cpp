#include "devices/scsi/target.h"

#include "devices/scsi/identity.h"

namespace reprise::devices::scsi {
namespace {

constexpr u8 kRequestSense = 0x03, kInquiry = 0x12, kReportLuns = 0xa0;

}  // namespace

void Target::add(unsigned lun, std::shared_ptr<LogicalUnit> unit) {
  const auto behind = std::ranges::upper_bound(units_, lun, {}, &Place::lun);
  units_.insert(behind, {lun, std::move(unit)});
}

void Target::remove(unsigned lun) {
  std::erase_if(units_, [&](const Place& place) { return place.lun == lun; });
}

LogicalUnit* Target::find(unsigned lun) const {
  const auto found = std::ranges::find(units_, lun, &Place::lun);
  return found == units_.end() ? nullptr : found->unit.get();
}

Outcome Target::execute(unsigned lun, Command command, Transfer& transfer) {
  if (command[0] == kReportLuns) return report_luns(command, transfer);
  if (LogicalUnit* const unit = find(lun)) return unit->execute(command, transfer);
  if (command[0] == kInquiry) return inquire(command, transfer, {}, {});
  if (command[0] == kRequestSense) return answer(transfer, sense_data(kUnitNotSupported), command[4]);
  return Outcome::failed(kUnitNotSupported);
}

Outcome Target::report_luns(Command command, Transfer& transfer) const {
  constexpr u32 kSmallestAllocation = 16;
  constexpr std::size_t kLunBytes = 8;
  constexpr u8 kWellKnownOnly = 1, kAll = 2;
  const u32 allocation = be32(command, 6);
  if (allocation < kSmallestAllocation || command[2] > kAll) return Outcome::failed(kInvalidField);
  std::vector<u8> bytes(kLunBytes);
  if (command[2] != kWellKnownOnly) {
    // Number 0 is always told of.
    if (units_.empty() || units_.front().lun != 0) bytes.resize(2 * kLunBytes);
    for (const Place& place : units_) {
      bytes.resize(bytes.size() + kLunBytes);
      bytes[bytes.size() - kLunBytes + 1] = static_cast<u8>(place.lun);
    }
  }
  const std::size_t listed = bytes.size() - kLunBytes;
  for (unsigned i = 0; i < 4; ++i) bytes[i] = static_cast<u8>(listed >> (8 * (3 - i)));
  return answer(transfer, bytes, allocation);
}

}  // namespace reprise::devices::scsi
