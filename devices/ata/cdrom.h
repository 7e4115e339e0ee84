// Cdrom: an ATAPI CD/DVD-ROM drive without its cable. MMC-5 (T10/1675-D revision 4) for the commands, SPC-3
// (T10/1416-D) for sense data and mode pages, ATA8-ACS for the few ATA commands of a packet device. The disc
// is one data track. Missing: audio, raw sectors, several sessions, DVD structures, writing.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "devices/ata/identify.h"
#include "devices/ata/unit.h"
#include "devices/backend.h"
#include "devices/scsi/sense.h"

namespace reprise::devices::ata {

using scsi::Sense;

class Cdrom final : public Unit {
 public:
  static constexpr u64 kBlockBytes = 2048;

  /// `disc`: 0 bytes mean an empty drive. Outlives this.
  Cdrom(BlockBackend& disc, std::string serial, Cable cable);

  void reset() override;
  void soft_reset() override;
  void sign(TaskFile& registers) const override;
  bool is_packet_device() const override { return true; }
  Work begin(Command command, TaskFile& registers) override;
  Work begin_packet(std::span<const u8, kPacketBytes> packet, bool dma) override;
  u64 read(Work& work, u64 offset, std::span<u8> into) override;
  u64 write(Work& work, u64 offset, std::span<const u8> from) override;
  void finish(Work& work, TaskFile& registers) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

  // --- What a person does at the drive ---
  /// While it is in no place.
  void set_serial(std::string_view serial) { serial_ = serial; }
  bool tray_open() const { return tray_open_; }
  bool has_disc() const { return disc_ != nullptr && disc_->bytes() != 0; }
  /// The guest keeps the tray from opening.
  bool locked() const { return locked_; }
  /// The button of a locked drive: the guest is told of it and may unlock the tray and open it.
  void request_eject() { media_event_ = MediaEvent::EjectRequest; }
  /// The tray opens, locked or not, and the disc is taken out of it. A request under way fails.
  void eject();
  /// The tray closes with `disc` in it, which outlives its stay, in place of the one before.
  void insert(BlockBackend& disc);

  /// What the last failed packet command left for REQUEST SENSE.
  const Sense& sense() const { return sense_; }
  /// The same, for whoever tells of it at once: REQUEST SENSE finds none then.
  Sense take_sense() { return std::exchange(sense_, {}); }

 private:
  enum class MediaEvent : u8 { None = 0, EjectRequest = 1, NewMedia = 2, Removal = 3 };
  using Packet = std::span<const u8, kPacketBytes>;

  /// Packet commands. SPC-3, MMC-5.
  enum class Scsi : u8 {
    TestUnitReady = 0x00,
    RequestSense = 0x03,
    Inquiry = 0x12,
    StartStopUnit = 0x1b,
    PreventAllow = 0x1e,
    ReadCapacity = 0x25,
    Read10 = 0x28,
    Seek10 = 0x2b,
    ReadToc = 0x43,
    GetConfiguration = 0x46,
    GetEventStatus = 0x4a,
    ReadDiscInformation = 0x51,
    ModeSense10 = 0x5a,
    Read12 = 0xa8,
    SetCdSpeed = 0xbb,
    MechanismStatus = 0xbd,
    ReadCd = 0xbe,
  };
  /// What a command asks for before it acts. An attention that waits is told in place of all others than NothingAtAll.
  enum class Needs : u8 { NothingAtAll, NoAttention, Disc };
  struct PacketRow {
    Scsi command;
    Needs needs;
    void (Cdrom::*act)(Work& work, Packet packet) = nullptr;
  };
  static const PacketRow kCommands[];

  bool disc_present() const { return !tray_open_ && has_disc(); }
  u64 disc_bytes() const { return disc_ != nullptr ? disc_->bytes() : 0; }
  /// Blocks of kBlockBytes; a last partial one counts and ends in zeros.
  u64 blocks() const { return (disc_bytes() + kBlockBytes - 1) / kBlockBytes; }
  bool is_dvd() const;

  void check(Work& work, Sense sense);
  /// buffer_, cut to `allocation` bytes, is data for the host.
  void respond(Work& work, u64 allocation);
  /// False, with the sense set, when there is nothing to read from.
  bool ready(Work& work);

  void set_features(Work& work, const TaskFile& registers);
  void identify(Work& work);
  void read_blocks(Work& work, u64 block, u64 count);
  void read_cd(Work& work, Packet packet);
  void read10(Work& work, Packet packet);
  void read12(Work& work, Packet packet);
  void prevent_allow(Work& work, Packet packet);
  void read_capacity(Work& work, Packet packet);
  void read_toc(Work& work, Packet packet);
  void inquiry(Work& work, Packet packet);
  void request_sense(Work& work, Packet packet);
  void mode_sense(Work& work, Packet packet);
  void get_configuration(Work& work, Packet packet);
  void get_event_status(Work& work, Packet packet);
  void read_disc_information(Work& work, Packet packet);
  void mechanism_status(Work& work, Packet packet);
  void start_stop(Work& work, Packet packet);

  BlockBackend* disc_;  // nullptr: taken out
  std::string serial_;
  const Cable cable_;

  u8 transfer_mode_ = kTransferModeDefault;
  bool tray_open_ = false;
  bool locked_ = false;
  MediaEvent media_event_ = MediaEvent::None;
  Sense sense_;
  Sense attention_;  // to be reported by the next command that reports such things
  std::vector<u8> buffer_;
};

}  // namespace reprise::devices::ata
