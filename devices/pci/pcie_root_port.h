// PcieRootPort: a root port of PCI Express with a slot for one card, which can come and go while the guest runs: as QEMU's pcie-root-port
// has it. PCI Express Base Specification 3.0, 7.5 and 7.8; hot plug: 6.7.
//
// The slot has a power controller, an attention button and two indicators. Commands to it complete at once. The card is let go of when
// the guest switches the slot and its power indicator off. Who asks it to do so presses the button.
// Missing: error reporting, access control services, power management events, 4096 bytes of configuration space.
#pragma once

#include "devices/pci/msix.h"
#include "devices/pci/pci_bridge.h"

namespace reprise::devices {

class PcieRootPort final : public PciBridge {
 public:
  struct Setup {
    u8 port = 0;   // its number
    u16 slot = 0;  // number of its slot, 13 bits
    bool multi_function = false;
    bool hotplug = true;  // cards come and go
  };
  /// `messages` outlive this. `interrupt`: its INTA#.
  PcieRootPort(const Setup& setup, MsiSink& messages, IrqLine interrupt);

  bool takes_cards() const { return setup_.hotplug; }
  /// A card was attached to secondary() while the guest runs, or detached.
  void card_came();
  void card_gone();
  /// The guest is asked to let go of the card. True: the slot is off, and the card can go at once.
  bool press_button();
  /// It was asked, and the card is there still.
  bool was_asked() const { return asked_ && has_card(); }
  /// The guest has let go of the card: whoever made the write detaches it.
  bool lets_go() const { return has_card() && released_; }

  std::string_view name() const override { return "pcie_root_port"; }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;
  bool may_send_unmaskable() const override { return msix_.may_send_unmaskable(); }
  ConfigChange config_write(u8 offset, Width width, u32 value) override;

 private:
  bool link_is_up() const override { return has_card() && !power_is_off(); }
  bool has_card() const { return secondary().function(0, 0) != nullptr; }
  bool power_is_off() const;
  bool slot_is_off() const;
  void define_express();
  void raise(u16 events);
  /// Status of the slot and the link, and what follows from it, after a change of the card or its power.
  void update_link();
  /// The only place that computes the interrupt from status and control.
  void update_irq();
  void config_changed(ConfigChange change) override;
  u8 express(unsigned offset) const { return static_cast<u8>(express_ + offset); }
  void set_word(unsigned offset, u16 value);

  const Setup setup_;
  const IrqLine interrupt_;
  Msix msix_;
  u8 msix_capability_ = 0;
  u8 express_ = 0;
  bool notified_ = false;
  bool asked_ = false;
  bool released_ = false;
};

}  // namespace reprise::devices
