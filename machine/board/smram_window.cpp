#include "machine/board/smram_window.h"

#include "common/check.h"
#include "machine/layout/memory_map.h"

namespace reprise::machine {
namespace {

constexpr const char* kRegion = "SMRAM";
constexpr u64 kWindowBytes = kUpperAreaPhys - kVgaWindowPhys;
constexpr int kAboveRamAndDevices = 4;

}  // namespace

bool SmramWindow::update(const devices::HostBridge& bridge) {
  const devices::SmramVisibility wanted = bridge.smram();
  if (wanted == visible_) return false;
  if (wanted.everybody != visible_.everybody) {
    if (wanted.everybody) {
      // RAM below 1 MiB lies at its own address.
      CHECK(
          phys_map_.add_ram(kRegion, kVgaWindowPhys, kWindowBytes, kVgaWindowPhys, kAboveRamAndDevices).ok());
    } else {
      phys_map_.remove(kRegion);
    }
  }
  visible_ = wanted;
  code_pages_.written(kVgaWindowPhys, kWindowBytes);
  return true;
}

mmu::Mmu::Smram SmramWindow::in_smm() const {
  if (!visible_.smm_code && !visible_.smm_data) return {};
  return {
      .phys = kVgaWindowPhys, .bytes = kWindowBytes, .code = visible_.smm_code, .data = visible_.smm_data};
}

}  // namespace reprise::machine
