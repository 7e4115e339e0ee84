// Target: logical units by their numbers, behind one id of a SCSI bus. SAM-4 4.6; SPC-3 6.21 (REPORT LUNS).
#pragma once

#include <memory>
#include <vector>

#include "devices/scsi/logical_unit.h"

namespace reprise::devices::scsi {

class Target {
 public:
  /// Numbers beyond this would need another form of addressing.
  static constexpr unsigned kMaxLun = 255;

  struct Place {
    unsigned lun;
    std::shared_ptr<LogicalUnit> unit;
  };

  /// `lun`, at most kMaxLun, is not taken. They stay in the order of their numbers.
  void add(unsigned lun, std::shared_ptr<LogicalUnit> unit);
  void remove(unsigned lun);
  const std::vector<Place>& units() const { return units_; }
  /// nullptr: there is none.
  LogicalUnit* find(unsigned lun) const;
  /// REPORT LUNS is answered for all of them, and what is sent to no unit as SPC-3 5.8 wants it.
  Outcome execute(unsigned lun, Command command, Transfer& transfer);

 private:
  Outcome report_luns(Command command, Transfer& transfer) const;

  std::vector<Place> units_;
};

}  // namespace reprise::devices::scsi
