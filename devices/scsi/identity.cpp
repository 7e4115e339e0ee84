#include "devices/scsi/identity.h"

namespace reprise::devices::scsi {
namespace {

constexpr std::string_view kVendor = "REPRISE ";
constexpr std::string_view kRevision = "1.0 ";

void put_text(std::vector<u8>& bytes, std::string_view text, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i) bytes.push_back(i < text.size() ? static_cast<u8>(text[i]) : ' ');
}

std::vector<u8> standard_data(const Identity& identity) {
  constexpr u8 kSpc3 = 5, kHierarchical = 0x10, kFormat = 2, kCommandQueue = 2;
  constexpr std::size_t kProductBytes = 16;
  std::vector<u8> bytes = {static_cast<u8>(identity.type),
                           static_cast<u8>(identity.removable ? 0x80 : 0),
                           kSpc3,
                           kHierarchical | kFormat,
                           31,
                           0,
                           0,
                           kCommandQueue};
  put_text(bytes, kVendor, kVendor.size());
  put_text(bytes, identity.product, kProductBytes);
  put_text(bytes, kRevision, kRevision.size());
  return bytes;
}

std::vector<u8> serial_page(const Identity& identity) {
  std::vector<u8> bytes;
  put_text(bytes, identity.serial, identity.serial.size());
  return bytes;
}

/// One designator: of the vendor's own kind, ASCII, of the logical unit. 7.6.3.
std::vector<u8> identification_page(const Identity& identity) {
  constexpr u8 kAscii = 2, kVendorSpecific = 0;
  std::vector<u8> bytes = {kAscii, kVendorSpecific, 0, static_cast<u8>(identity.serial.size())};
  put_text(bytes, identity.serial, identity.serial.size());
  return bytes;
}

}  // namespace

Outcome inquire(Command command, Transfer& transfer, const Identity& identity,
                const std::vector<VitalPage>& pages) {
  constexpr u8 kSupported = 0x00, kSerial = 0x80, kIdentification = 0x83;
  const bool vital = command[1] & 1;
  const u8 wanted = command[2];
  const u32 allocation = be16(command, 3);
  if (!vital) {
    if (wanted != 0) return Outcome::failed(kInvalidField);
    return answer(transfer, standard_data(identity), allocation);
  }
  std::vector<VitalPage> all;
  if (identity.type != UnitType::NoUnit)
    all = {{kSerial, serial_page(identity)}, {kIdentification, identification_page(identity)}};
  all.insert(all.end(), pages.begin(), pages.end());
  VitalPage supported = {kSupported, {kSupported}};
  for (const VitalPage& page : all) supported.bytes.push_back(page.page);
  all.push_back(std::move(supported));
  for (const VitalPage& page : all) {
    if (page.page != wanted) continue;
    std::vector<u8> bytes = {static_cast<u8>(identity.type), page.page,
                             static_cast<u8>(page.bytes.size() >> 8), static_cast<u8>(page.bytes.size())};
    bytes.insert(bytes.end(), page.bytes.begin(), page.bytes.end());
    return answer(transfer, bytes, allocation);
  }
  return Outcome::failed(kInvalidField);
}

}  // namespace reprise::devices::scsi
