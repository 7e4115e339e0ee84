// Floppy drives, and media that come and go.
#include "machine/board/pc.h"

#include "common/check.h"

namespace reprise::machine {

std::array<FloppyType, 2> Pc::add_floppies() {
  std::array<devices::FloppyDrive, devices::FloppyController::kDrives> drives;
  std::array<FloppyType, 2> types{};
  bool any = false;
  for (const Drive& drive : drives_) {
    if (drive.disk.bus != DiskBus::Floppy) continue;
    drives.at(drive.place) = devices::FloppyDrive(drive.disk.medium, drive.disk.floppy);
    types.at(drive.place) = static_cast<FloppyType>(drives[drive.place].bios_type());
    any = true;
  }
  if (!any) return types;
  floppy_.emplace(scheduler_, irq_router_.isa_source(kIrqFloppy), devices::IsaDmaChannel(dma_, kDmaFloppy),
                  drives);
  CHECK(ports_.map({kFloppyPort, kFloppyPorts, Width::Byte}, floppy_->ports()).ok());
  CHECK(ports_.map({kFloppyPort7, 1, Width::Byte}, floppy_->port7()).ok());
  return types;
}

void Pc::request_eject(std::size_t drive) {
  if (drives_.at(drive).cdrom != nullptr) drives_[drive].cdrom->request_eject();
}

void Pc::eject(std::size_t drive) {
  Drive& one = drives_.at(drive);
  CHECK(one.takes_media());
  one.disk.medium = nullptr;
  if (one.waiting != nullptr)
    one.waiting->set_medium(nullptr);
  else if (one.waiting_scsi != nullptr)
    one.waiting_scsi->set_medium(nullptr);
  else if (one.cdrom != nullptr)
    one.cdrom->eject();
  else
    floppy_->insert(one.place, nullptr);
  scsi_slots_.medium_changed(drive);
}

void Pc::insert(std::size_t drive, const AttachedDisk& disk) {
  Drive& one = drives_.at(drive);
  CHECK(one.takes_media());
  one.disk.medium = disk.medium;
  one.disk.floppy = disk.floppy;
  if (one.waiting != nullptr)
    one.waiting->set_medium(disk.medium);
  else if (one.waiting_scsi != nullptr)
    one.waiting_scsi->set_medium(disk.medium);
  else if (one.cdrom != nullptr)
    one.cdrom->insert(*disk.medium);
  else
    floppy_->insert(one.place, disk.medium, disk.floppy);
  scsi_slots_.medium_changed(drive);
}

}  // namespace reprise::machine
