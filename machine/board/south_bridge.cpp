#include "machine/board/south_bridge.h"

#include "devices/pci/ich9_lpc.h"
#include "devices/pci/ich9_smbus.h"
#include "devices/pci/isa_bridge.h"
#include "devices/pci/piix4_pm.h"
#include "machine/layout/pc_layout.h"

namespace reprise::machine {
namespace {

using devices::ConfigChange;
using devices::Ich9Lpc;
using devices::Ich9Smbus;
using devices::PciFunction;
using devices::Piix4Pm;

class Piix final : public SouthBridge {
 public:
  explicit Piix(IrqSink& isa_irqs) : isa_bridge_(isa_irqs) {}

  std::vector<Function> functions() override {
    return {{kPciDeviceSouthBridge, 0, isa_bridge_}, {kPciDeviceSouthBridge, 3, pm_}};
  }
  devices::PirqRouter& router() override { return isa_bridge_; }
  std::optional<u16> pm_base() const override {
    return pm_.pm_enabled() ? std::optional(pm_.pm_base()) : std::nullopt;
  }
  std::optional<u16> smbus_base() const override {
    return pm_.smbus_enabled() && pm_.smbus_base() != 0 ? std::optional(pm_.smbus_base()) : std::nullopt;
  }
  bool apm_smi_enabled() const override { return pm_.apm_smi_enabled(); }
  bool concerns(const PciFunction& function, ConfigChange change) const override {
    return &function == &pm_ &&
           (change.touches(Piix4Pm::kPmBase, 4) || change.touches(Piix4Pm::kPmRegMisc, 1) ||
            change.touches(Piix4Pm::kDevActB, 4) || change.touches(Piix4Pm::kSmbusBase, 4) ||
            change.touches(Piix4Pm::kSmbusConfig, 1));
  }
  void set_up() override {
    pm_.config_write(devices::pci::kInterruptLine, Width::Byte, kIrqSci);
    pm_.config_write(Piix4Pm::kPmBase, Width::Dword, kPmBasePort);
    pm_.config_write(Piix4Pm::kPmRegMisc, Width::Byte, 1);
    pm_.config_write(Piix4Pm::kSmbusBase, Width::Dword, kSmbusPort);
    pm_.config_write(Piix4Pm::kSmbusConfig, Width::Byte,
                     Piix4Pm::kSmbusHostEnable | Piix4Pm::kSmbusInterruptIrq9);
  }

 private:
  devices::IsaBridge isa_bridge_;
  Piix4Pm pm_;
};

class Ich9 final : public SouthBridge {
 public:
  Ich9(IrqSink& isa_irqs, devices::SmbusHost& smbus) : lpc_(isa_irqs), smbus_(smbus) {}

  std::vector<Function> functions() override {
    return {{kPciDeviceIch9, 0, lpc_}, {kPciDeviceIch9, 3, smbus_}};
  }
  devices::PirqRouter& router() override { return lpc_; }
  std::optional<u16> pm_base() const override {
    return lpc_.pm_enabled() && lpc_.pm_base() != 0 ? std::optional(lpc_.pm_base()) : std::nullopt;
  }
  std::optional<u16> smbus_base() const override { return std::nullopt; }
  bool apm_smi_enabled() const override { return true; }
  bool concerns(const PciFunction& function, ConfigChange change) const override {
    return &function == &lpc_ && change.touches(Ich9Lpc::kPmBase, 5);
  }
  void set_up() override {
    for (u8 i = 0; i < kPirqs; ++i)
      lpc_.config_write(static_cast<u8>(Ich9Lpc::kRouteOfPirqE + i), Width::Byte, kPirqIsaLines[i]);
    lpc_.config_write(Ich9Lpc::kPmBase, Width::Dword, kPmBasePort);
    lpc_.config_write(Ich9Lpc::kAcpiControl, Width::Byte, Ich9Lpc::kAcpiEnable);
    smbus_.config_write(Ich9Smbus::kHostConfig, Width::Byte, Ich9Smbus::kHostEnable);
  }

 private:
  Ich9Lpc lpc_;
  Ich9Smbus smbus_;
};

}  // namespace

std::unique_ptr<SouthBridge> make_south_bridge(devices::Chipset chipset, IrqSink& isa_irqs,
                                               devices::SmbusHost& smbus) {
  if (chipset == devices::Chipset::Q35) return std::make_unique<Ich9>(isa_irqs, smbus);
  return std::make_unique<Piix>(isa_irqs);
}

}  // namespace reprise::machine
