// SouthBridge: the part of the chipset that routes PCI interrupts to ISA lines and says where power management has its ports: PIIX3 with
// the power management function of PIIX4, or ICH9.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "devices/misc/smbus_host.h"
#include "devices/pci/chipset.h"
#include "devices/pci/pirq_router.h"

namespace reprise::machine {

class SouthBridge {
 public:
  virtual ~SouthBridge() = default;

  struct Function {
    unsigned device;
    unsigned number;
    devices::PciFunction& function;
  };
  /// The first is router().
  virtual std::vector<Function> functions() = 0;
  virtual devices::PirqRouter& router() = 0;
  /// Where the ports of the PM block begin; nothing: it does not answer.
  virtual std::optional<u16> pm_base() const = 0;
  /// Where those of the SMBus host begin, unless a base address register says so.
  virtual std::optional<u16> smbus_base() const = 0;
  /// A write to the APM control port may raise SMI#.
  virtual bool apm_smi_enabled() const = 0;
  /// One of the three above may be another one after `change` of `function`.
  virtual bool concerns(const devices::PciFunction& function, devices::ConfigChange change) const = 0;
  /// As firmware leaves it, with the PM block at kPmBasePort. Interrupt lines and base address registers are boot::set_up_pci()'s.
  virtual void set_up() = 0;
};

/// All of it outlives what is made.
std::unique_ptr<SouthBridge> make_south_bridge(devices::Chipset chipset, IrqSink& isa_irqs,
                                               devices::SmbusHost& smbus);

}  // namespace reprise::machine
