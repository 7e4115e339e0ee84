// What a CD/DVD-ROM drive says of itself and of its disc, as bytes. MMC-5 (T10/1675-D revision 4).
#pragma once

#include <vector>

#include "common/types.h"

namespace reprise::devices::ata {

struct DiscFacts {
  bool present = false;
  bool dvd = false;
  bool tray_open = false;
  bool locked = false;
  u64 blocks = 0;  // of 2048 bytes
};

enum class AddressForm : u8 { Lba, Msf };

/// READ TOC/PMA/ATIP, formats 0 (tracks), 1 (sessions) and 2 (full). 6.26. Empty: there is no such track.
std::vector<u8> toc_tracks(const DiscFacts& disc, AddressForm form, u8 first_track);
std::vector<u8> toc_sessions(AddressForm form);
std::vector<u8> toc_full(const DiscFacts& disc);

/// GET CONFIGURATION: `start` and `request` as in its packet. 6.6.
enum class FeatureRequest : u8 { All, Current, One };
std::vector<u8> configuration(const DiscFacts& disc, u16 start, FeatureRequest request);

/// MODE SENSE(10) with header; page 3Fh is all of them. Empty: there is no such page. 7.
std::vector<u8> mode_pages(const DiscFacts& disc, u8 page);

/// READ DISC INFORMATION. 6.21.
std::vector<u8> disc_information();

}  // namespace reprise::devices::ata
