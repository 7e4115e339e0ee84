// VirtioScsi: a SCSI host adapter on virtio. Virtio 1.2, 5.6.
//
// One request at a time: it is begun when the one before is done, and completes block_request_ns(bytes of its buffers) of
// virtual time later, when it is carried out. Those behind it wait in the card, where task management finds them. Missing:
// several request queues, protection information, channels.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>

#include "devices/scsi/target.h"
#include "devices/virtio/virtio_device.h"

namespace reprise::devices {

class VirtioScsi final : public VirtioDevice {
 public:
  static constexpr unsigned kMaxTarget = 255;

  struct UnitPlace {
    unsigned target = 0;  // at most kMaxTarget
    unsigned lun = 0;     // at most scsi::Target::kMaxLun
    std::shared_ptr<scsi::LogicalUnit> unit = {};
  };

  VirtioScsi(const std::vector<UnitPlace>& units, Clock& clock);

  std::string_view name() const override { return "virtio_scsi"; }
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

  /// A person has changed the medium of that unit: the driver is told, if it wants that.
  void medium_changed(unsigned target, unsigned lun);
  /// A unit comes to a free place, or goes from its place: the driver is told, if it wants that. What was sent to one that goes finds
  /// it no longer.
  void plug(const UnitPlace& place);
  void unplug(unsigned target, unsigned lun);
  /// The same without telling anybody, of a state that is loaded.
  void put_in(const UnitPlace& place) { targets_[place.target].add(place.lun, place.unit); }
  void take_out(unsigned target, unsigned lun);

 private:
  /// Of requests, 5.6.6.1 and 5.6.6.2.
  enum class Response : u8 {
    Ok = 0,
    Overrun = 1,
    Aborted = 2,
    BadTarget = 3,
    Reset = 4,
    Failure = 9,
    FunctionSucceeded = 10,
    FunctionRejected = 11,
    IncorrectLun = 12,
  };
  struct Address {
    unsigned target = 0;
    unsigned lun = 0;
    bool operator==(const Address&) const = default;
  };
  /// What a driver sends first.
  struct Header {
    std::optional<Address> address;  // nothing: it is none of this bus
    u64 id = 0;
    std::array<u8, scsi::kCommandBytes> command{};
  };
  /// An answer without its data.
  struct Answer {
    Response response = Response::Ok;
    u8 status = 0;  // SAM-4 5.3
    u32 residual = 0;
    std::vector<u8> sense = {};
  };
  struct Event {
    u32 event = 0;
    std::array<u8, 8> lun{};
    u32 reason = 0;
  };

  void notified(unsigned queue) override;
  void reset_kind() override;
  u8 config_byte(u32 offset) const override { return config_[offset]; }
  void config_byte_written(u32 offset, u8 value) override;

  u32 config_dword(u32 offset) const;
  /// Of sense and command, which the driver may set.
  bool sizes_are_good() const;
  std::size_t header_bytes() const;
  std::size_t answer_bytes() const;

  void collect();
  void begin_next();
  void complete();
  Header header_of(const VirtioChain& chain);
  Answer perform(const VirtioChain& chain, scsi::Transfer& transfer);
  void finish(const VirtioChain& chain, const Answer& answer);
  static std::optional<Address> address_of(std::span<const u8, 8> lun);

  void control_event();
  void manage(const VirtioChain& chain);
  Response manage_tasks(u32 function, const Address& address, u64 id);
  /// Ends those that `which` picks as `response`.
  void end_requests(const std::function<bool(const Header&)>& which, Response response);
  bool any_request(const std::function<bool(const Header&)>& which);
  void send_event(const Event& event);
  /// Event kTransportReset of the unit there.
  void tell_of(unsigned target, unsigned lun, u32 reason);
  void arm_control();

  std::map<unsigned, scsi::Target> targets_;
  static constexpr u32 kConfigBytes = 36;

  std::array<u8, kConfigBytes> config_{};
  Clock::TimerId timer_;
  Clock::TimerId control_timer_;

  std::deque<VirtioChain> waiting_;  // the first one is under way while busy_
  bool busy_ = false;
  bool missed_event_ = false;
};

}  // namespace reprise::devices
