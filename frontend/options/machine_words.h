// What the machine tells of itself and of its user, as words of the command line: --uuid, --smbios, --fw-cfg.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "common/result.h"
#include "machine/firmware/firmware.h"

namespace reprise::frontend {

/// "550e8400-e29b-41d4-a716-446655440000", its bytes in that order.
std::optional<std::array<u8, 16>> parse_uuid(std::string_view text);

/// "type=1,product=NAME,..." into `words`; commas in values are doubled. Error: a phrase.
Result<Done> take_smbios(std::string_view text, machine::SmbiosWords& words);

/// "NAME,string=TEXT" or "NAME,file=FILE", likewise.
Result<machine::FirmwareFile> parse_firmware_file(std::string_view text);

}  // namespace reprise::frontend
