#include "devices/virtio/virtio_scsi.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "devices/backend.h"
#include "devices/timer_state.h"

namespace reprise::devices {
namespace {

constexpr unsigned kControlQueue = 0, kEventQueue = 1, kRequestQueue = 2;
constexpr u16 kQueueSize = 256;
constexpr u32 kMaxDataSegments = kQueueSize - 2;  // header and answer take one each
/// Requests that the card holds; the others stay in their queue.
constexpr std::size_t kMostWaiting = kQueueSize;

// Features, 5.6.3.
constexpr unsigned kFeatureHotplug = 1, kFeatureChange = 2;

// Configuration, 5.6.4.
constexpr u32 kNumQueues = 0;
constexpr u32 kSegMax = 4;
constexpr u32 kMaxSectors = 8;
constexpr u32 kCommandsPerUnit = 12;
constexpr u32 kEventBytes = 16;
constexpr u32 kSenseBytes = 20;
constexpr u32 kCommandBytes = 24;
constexpr u32 kMaxTargetOffset = 30;
constexpr u32 kMaxLunOffset = 32;
constexpr u32 kDefaultSenseBytes = 96;
constexpr u32 kDefaultCommandBytes = 32;
/// No command and no sense is longer.
constexpr u32 kMostBytes = 256;

// Requests, 5.6.6.1: header without the command, and answer without the sense.
constexpr std::size_t kHeaderBytes = 19;
constexpr std::size_t kAnswerBytes = 12;
constexpr u8 kCheckCondition = 0x02;

// Controls, 5.6.6.2: type, function, logical unit, id; type, logical unit, events.
constexpr u32 kTaskManagement = 0, kAskForEvents = 1, kSubscribeToEvents = 2;
constexpr u64 kManagementBytes = 24, kEventsBytes = 16;
constexpr u64 kControlDelayNs = 1'000;

// Events, 5.6.6.3.
constexpr u32 kEventsMissed = 0x8000'0000, kNoEvent = 0, kTransportReset = 1, kParameterChange = 3;
constexpr u32 kRescan = 1, kRemoved = 2;  // reasons of a transport reset
constexpr u64 kEventRecordBytes = 16;

u32 dword(std::span<const u8> bytes, std::size_t at) { return read_unaligned<u32>(&bytes[at]); }

VirtioModel model(u32 config_bytes) {
  return {.device_id = 8,
          .pci_device = 0x1004,
          .class_code = 0x010000,
          .features = u64{1} << kFeatureHotplug | u64{1} << kFeatureChange,
          .queue_sizes = {kQueueSize, kQueueSize, kQueueSize},
          .config_bytes = config_bytes};
}

/// The buffers of a request behind its header and its answer.
class ChainTransfer final : public scsi::Transfer {
 public:
  ChainTransfer(const VirtioChain& chain, u64 header_bytes, u64 answer_bytes, DmaPort& dma)
      : from_(chain.readable, dma), into_(chain.writable, dma) {
    from_.skip(header_bytes);
    into_.skip(answer_bytes);
  }
  u64 room() const override { return into_.left(); }
  u64 offered() const override { return from_.left(); }
  bool give(std::span<const u8> bytes) override { return into_.write(bytes); }
  bool take(std::span<u8> bytes) override { return from_.read(bytes); }

 private:
  VirtioCursor from_, into_;
};

}  // namespace

VirtioScsi::VirtioScsi(const std::vector<UnitPlace>& units, Clock& clock)
    : VirtioDevice(model(kConfigBytes), clock),
      timer_(clock.create_timer("virtio-scsi", [this] { complete(); })),
      control_timer_(clock.create_timer("virtio-scsi-control", [this] { control_event(); })) {
  for (const UnitPlace& place : units) put_in(place);
  const auto put = [this](u32 offset, unsigned bytes, u64 value) {
    for (unsigned i = 0; i < bytes; ++i) config_.at(offset + i) = static_cast<u8>(value >> (8 * i));
  };
  put(kNumQueues, 4, 1);
  put(kSegMax, 4, kMaxDataSegments);
  put(kMaxSectors, 4, 0xffff);
  put(kCommandsPerUnit, 4, 128);
  put(kEventBytes, 4, kEventRecordBytes);
  put(kMaxTargetOffset, 2, kMaxTarget);
  put(kMaxLunOffset, 4, scsi::Target::kMaxLun);
  reset_kind();
}

void VirtioScsi::reset_kind() {
  for (auto& [id, target] : targets_)
    for (const scsi::Target::Place& place : target.units()) place.unit->reset();
  busy_ = missed_event_ = false;
  waiting_.clear();
  write_unaligned<u32>(&config_[kSenseBytes], kDefaultSenseBytes);
  write_unaligned<u32>(&config_[kCommandBytes], kDefaultCommandBytes);
  for (const Clock::TimerId timer : {timer_, control_timer_}) clock().cancel(timer);
}

void VirtioScsi::config_byte_written(u32 offset, u8 value) {
  if (offset >= kSenseBytes && offset < kCommandBytes + 4) config_[offset] = value;
}

u32 VirtioScsi::config_dword(u32 offset) const { return dword(config_, offset); }

bool VirtioScsi::sizes_are_good() const {
  return config_dword(kSenseBytes) <= kMostBytes && config_dword(kCommandBytes) <= kMostBytes;
}

std::size_t VirtioScsi::header_bytes() const { return kHeaderBytes + config_dword(kCommandBytes); }
std::size_t VirtioScsi::answer_bytes() const { return kAnswerBytes + config_dword(kSenseBytes); }

void VirtioScsi::notified(unsigned queue) {
  if (queue == kControlQueue) return arm_control();
  if (queue == kEventQueue) {
    if (missed_event_) send_event({.event = kNoEvent});
    return;
  }
  collect();
}

// --- Requests ---

/// Takes requests out of their queue as long as there is room for them.
void VirtioScsi::collect() {
  while (waiting_.size() < kMostWaiting) {
    std::optional<VirtioChain> chain = pop(kRequestQueue);
    if (!chain) break;
    if (!sizes_are_good() || chain->readable_bytes() < header_bytes() ||
        chain->writable_bytes() < answer_bytes())
      return fail();
    waiting_.push_back(std::move(*chain));
  }
  begin_next();
}

void VirtioScsi::begin_next() {
  if (busy_ || waiting_.empty()) return;
  busy_ = true;
  const VirtioChain& chain = waiting_.front();
  const u64 bytes = chain.readable_bytes() + chain.writable_bytes();
  const u64 own_bytes = header_bytes() + answer_bytes();
  clock().arm(timer_, clock().now_ns() + block_request_ns(bytes - std::min<u64>(bytes, own_bytes)));
}

void VirtioScsi::complete() {
  if (!busy_) return;
  busy_ = false;
  // The driver may have changed what they are since it was taken.
  if (!sizes_are_good()) return fail();
  const VirtioChain chain = std::move(waiting_.front());
  waiting_.pop_front();
  ChainTransfer transfer(chain, header_bytes(), answer_bytes(), dma());
  finish(chain, perform(chain, transfer));
  collect();
}

/// Single level, 5.6.6.1; flat addressing too.
std::optional<VirtioScsi::Address> VirtioScsi::address_of(std::span<const u8, 8> lun) {
  constexpr u8 kThisBus = 1, kFlat = 0x40;
  if (lun[0] != kThisBus || (lun[2] >> 6 != 0 && lun[2] >> 6 != kFlat >> 6)) return std::nullopt;
  return Address{lun[1], u32{lun[2] & 0x3fu} << 8 | lun[3]};
}

VirtioScsi::Header VirtioScsi::header_of(const VirtioChain& chain) {
  std::array<u8, kHeaderBytes + kMostBytes> bytes{};
  VirtioCursor from(chain.readable, dma());
  // What is no memory reads as ones, which is no address.
  (void)from.read(std::span(bytes).first(std::min(header_bytes(), bytes.size())));
  Header header = {.address = address_of(std::span(bytes).first<8>()), .id = read_unaligned<u64>(&bytes[8])};
  std::copy_n(bytes.begin() + kHeaderBytes,
              std::min<std::size_t>(config_dword(kCommandBytes), header.command.size()),
              header.command.begin());
  return header;
}

VirtioScsi::Answer VirtioScsi::perform(const VirtioChain& chain, scsi::Transfer& transfer) {
  using Kind = scsi::Outcome::Kind;
  const Header header = header_of(chain);
  const auto target = header.address ? targets_.find(header.address->target) : targets_.end();
  if (target == targets_.end()) return {Response::BadTarget};
  // Nobody has agreed on data in both directions: 5.6.3.
  if (transfer.room() != 0 && transfer.offered() != 0) return {Response::Failure};
  const scsi::Outcome outcome = target->second.execute(header.address->lun, header.command, transfer);
  if (outcome.kind == Kind::Overrun) return {Response::Overrun};
  if (outcome.kind == Kind::TransferFailed) return {Response::Failure};
  const u64 left = std::max(transfer.room(), transfer.offered());
  Answer answer = {.residual = static_cast<u32>(std::min<u64>(left, ~u32{0}))};
  if (outcome.kind == Kind::CheckCondition) {
    const auto sense = scsi::sense_data(outcome.sense);
    answer.status = kCheckCondition;
    answer.sense.assign(sense.begin(), sense.end());
  }
  return answer;
}

/// 5.6.6.1: lengths of sense and of data that were not moved, a qualifier, status and response, sense.
void VirtioScsi::finish(const VirtioChain& chain, const Answer& answer) {
  std::vector<u8> bytes(answer_bytes());
  const std::size_t sense_bytes = std::min<std::size_t>(answer.sense.size(), config_dword(kSenseBytes));
  write_unaligned<u32>(&bytes[0], static_cast<u32>(sense_bytes));
  write_unaligned<u32>(&bytes[4], answer.residual);
  bytes[10] = answer.status;
  bytes[11] = static_cast<u8>(answer.response);
  std::copy_n(answer.sense.begin(), sense_bytes, bytes.begin() + kAnswerBytes);
  VirtioCursor into(chain.writable, dma());
  into.write(bytes);
  const u64 writable = chain.writable_bytes();
  push(kRequestQueue, chain, static_cast<u32>(std::min<u64>(writable, ~u32{0})));
}

// --- Controls ---

void VirtioScsi::arm_control() {
  if (clock().deadline_ns(control_timer_) == Clock::kNever)
    clock().arm(control_timer_, clock().now_ns() + kControlDelayNs);
}

void VirtioScsi::control_event() {
  if (const std::optional<VirtioChain> chain = pop(kControlQueue)) manage(*chain);
  if (has_request(kControlQueue)) arm_control();
}

void VirtioScsi::manage(const VirtioChain& chain) {
  const u64 readable = chain.readable_bytes();
  if (readable < kEventsBytes || chain.writable_bytes() == 0 || !sizes_are_good()) return fail();
  std::array<u8, kManagementBytes> request{};
  VirtioCursor from(chain.readable, dma());
  (void)from.read(std::span(request).first(std::min<u64>(readable, request.size())));
  std::vector<u8> answer;
  const u32 type = dword(request, 0);
  if (type == kTaskManagement) {
    if (readable < kManagementBytes) return fail();
    const std::optional<Address> address = address_of(std::span(request).subspan<8, 8>());
    const Response response =
        address && targets_.contains(address->target)
            ? manage_tasks(dword(request, 4), *address, read_unaligned<u64>(&request[16]))
            : Response::BadTarget;
    answer = {static_cast<u8>(response)};
  } else if (type == kAskForEvents || type == kSubscribeToEvents) {
    answer.resize(5);  // there are no such events
  } else {
    return fail();
  }
  VirtioCursor into(chain.writable, dma());
  into.write(std::span(answer).first(std::min<u64>(answer.size(), into.left())));
  push(kControlQueue, chain, static_cast<u32>(answer.size()));
  collect();
}

VirtioScsi::Response VirtioScsi::manage_tasks(u32 function, const Address& address, u64 id) {
  constexpr u32 kAbortTask = 0, kAbortTaskSet = 1, kClearTaskSet = 3, kNexusReset = 4, kUnitReset = 5,
                kQueryTask = 6, kQueryTaskSet = 7;
  scsi::Target& target = targets_.at(address.target);
  const auto of_unit = [&](const Header& header) { return header.address == address; };
  const auto of_task = [&](const Header& header) { return of_unit(header) && header.id == id; };
  const auto of_target = [&](const Header& header) {
    return header.address && header.address->target == address.target;
  };
  if (function == kNexusReset) {
    end_requests(of_target, Response::Reset);
    for (const scsi::Target::Place& place : target.units()) place.unit->reset();
    return Response::Ok;
  }
  scsi::LogicalUnit* const unit = target.find(address.lun);
  if (unit == nullptr) return Response::IncorrectLun;
  switch (function) {
    case kAbortTask: end_requests(of_task, Response::Aborted); return Response::Ok;
    case kAbortTaskSet:
    case kClearTaskSet: end_requests(of_unit, Response::Aborted); return Response::Ok;
    case kUnitReset:
      end_requests(of_unit, Response::Reset);
      unit->reset();
      return Response::Ok;
    case kQueryTask: return any_request(of_task) ? Response::FunctionSucceeded : Response::Ok;
    case kQueryTaskSet: return any_request(of_unit) ? Response::FunctionSucceeded : Response::Ok;
    default: return Response::FunctionRejected;
  }
}

bool VirtioScsi::any_request(const std::function<bool(const Header&)>& which) {
  return std::ranges::any_of(waiting_, [&](const VirtioChain& chain) { return which(header_of(chain)); });
}

void VirtioScsi::end_requests(const std::function<bool(const Header&)>& which, Response response) {
  std::deque<VirtioChain> kept;
  std::deque<VirtioChain> before = std::exchange(waiting_, {});
  bool first = busy_;  // is under way
  for (VirtioChain& chain : before) {
    const bool under_way = std::exchange(first, false);
    if (!which(header_of(chain))) {
      kept.push_back(std::move(chain));
      continue;
    }
    if (under_way) {
      busy_ = false;
      clock().cancel(timer_);
    }
    finish(chain, {.response = response});
  }
  waiting_ = std::move(kept);
}

// --- Events ---

void VirtioScsi::medium_changed(unsigned target, unsigned lun) {
  if (!has_feature(kFeatureChange)) return;
  constexpr u32 kCode = scsi::kMediumChanged.code, kQualifier = scsi::kMediumChanged.qualifier;
  send_event({.event = kParameterChange,
              .lun = {1, static_cast<u8>(target), 0, static_cast<u8>(lun)},
              .reason = kQualifier << 8 | kCode});
}

void VirtioScsi::take_out(unsigned target, unsigned lun) {
  const auto found = targets_.find(target);
  if (found == targets_.end()) return;
  found->second.remove(lun);
  if (found->second.units().empty()) targets_.erase(found);
}

void VirtioScsi::plug(const UnitPlace& place) {
  put_in(place);
  tell_of(place.target, place.lun, kRescan);
}

void VirtioScsi::unplug(unsigned target, unsigned lun) {
  take_out(target, lun);
  tell_of(target, lun, kRemoved);
}

void VirtioScsi::tell_of(unsigned target, unsigned lun, u32 reason) {
  if (has_feature(kFeatureHotplug))
    send_event({.event = kTransportReset,
                .lun = {1, static_cast<u8>(target), 0, static_cast<u8>(lun)},
                .reason = reason});
}

void VirtioScsi::send_event(const Event& event) {
  if (!running()) return;
  const std::optional<VirtioChain> chain = pop(kEventQueue);
  if (!chain) {
    missed_event_ = true;
    return;
  }
  if (chain->writable_bytes() < kEventRecordBytes) return fail();
  std::array<u8, kEventRecordBytes> bytes{};
  write_unaligned<u32>(&bytes[0], event.event | (std::exchange(missed_event_, false) ? kEventsMissed : 0));
  std::ranges::copy(event.lun, bytes.begin() + 4);
  write_unaligned<u32>(&bytes[12], event.reason);
  VirtioCursor into(chain->writable, dma());
  into.write(bytes);
  push(kEventQueue, *chain, kEventRecordBytes);
}

// --- State ---

void VirtioScsi::serialize(Archive& archive) {
  VirtioDevice::serialize(archive);
  archive.tag("virtio_scsi");
  for (auto& [id, target] : targets_)
    for (const scsi::Target::Place& place : target.units()) place.unit->serialize(archive);
  for (u32 offset = kSenseBytes; offset < kCommandBytes + 4; ++offset) archive.value(config_[offset]);
  archive.value(busy_);
  archive.value(missed_event_);
  u32 count = static_cast<u32>(waiting_.size());
  archive.at_most(count, kMostWaiting);
  if (archive.loading()) waiting_.resize(archive.ok() ? count : 0);
  for (VirtioChain& chain : waiting_) chain.serialize(archive);
  serialize_timer(archive, clock(), timer_);
  serialize_timer(archive, clock(), control_timer_);
  // What complete() relies on.
  if (busy_ && waiting_.empty()) {
    busy_ = false;
    archive.fail();
  }
}

std::string VirtioScsi::debug_dump() const {
  std::string text = VirtioDevice::debug_dump();
  text += fmt::format(" waiting={} busy={}", waiting_.size(), busy_);
  for (const auto& [id, target] : targets_)
    for (const scsi::Target::Place& place : target.units())
      text += fmt::format("\n  {}:{} {}", id, place.lun, place.unit->debug_dump());
  return text;
}

}  // namespace reprise::devices
