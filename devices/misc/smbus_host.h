// The SMBus host of PIIX4, with nothing on the bus. 82371AB (PIIX4) datasheet 7.3. A command ends at once: no slave
// acknowledges its address, which is a device error. Missing: the slave interface, block data, interrupts.
#pragma once

#include "common/ports.h"
#include "devices/device.h"

namespace reprise::devices {

/// As PioHandler it takes kPorts ports from SMBBA on, byte wide. The machine maps them as Piix4Pm says.
class SmbusHost final : public Device, public PioHandler {
 public:
  static constexpr u16 kPorts = 16;

  std::string_view name() const override { return "smbus_host"; }
  void reset(ResetKind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;
  u32 pio_read(u16 offset, Width width) override;
  void pio_write(u16 offset, Width width, u32 value) override;

 private:
  u8 status_ = 0;   // SMBHSTSTS
  u8 control_ = 0;  // SMBHSTCNT
  u8 command_ = 0;  // SMBHSTCMD
  u8 address_ = 0;  // SMBHSTADD
  u8 data0_ = 0;    // SMBHSTDAT0
  u8 data1_ = 0;    // SMBHSTDAT1
};

}  // namespace reprise::devices
