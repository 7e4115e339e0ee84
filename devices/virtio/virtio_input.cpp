#include "devices/virtio/virtio_input.h"

#include <algorithm>
#include <array>

#include "devices/timer_state.h"

namespace reprise::devices {
namespace {

constexpr unsigned kEventQueue = 0;
constexpr unsigned kStatusQueue = 1;
constexpr u16 kQueueSize = 64;
constexpr u64 kTransferNs = 2'000;
constexpr std::size_t kEventBytes = 8;

// Device configuration, 5.8.4.
constexpr u32 kSelect = 0;
constexpr u32 kSubsel = 1;
constexpr u32 kSize = 2;
constexpr u32 kContent = 8;
constexpr u32 kContentBytes = 128;
constexpr u8 kIdName = 0x01;
constexpr u8 kIdDevids = 0x03;
constexpr u8 kEventBits = 0x11;
constexpr u8 kAbsInfo = 0x12;

// Types and codes of events: linux/input.h.
constexpr u16 kSyn = 0x00;
constexpr u16 kKey = 0x01;
constexpr u16 kRel = 0x02;
constexpr u16 kAbs = 0x03;
constexpr u16 kLed = 0x11;
constexpr u16 kRep = 0x14;
constexpr u16 kX = 0x00;
constexpr u16 kY = 0x01;
constexpr u16 kWheel = 0x08;
constexpr u16 kFirstButton = 0x110;  // left, right, middle, side, extra: the order of pointer_buttons
constexpr unsigned kButtons = 5;
/// Our bit for the light with that code: Num, Caps, Scroll lock.
constexpr u8 kLedBits[] = {0x02, 0x04, 0x01};

// As QEMU's devices say who they are.
constexpr u16 kBusVirtual = 0x06;
constexpr u16 kVendor = 0x0627;
constexpr u16 kVersion = 1;

struct Facts {
  std::string_view name;   // of the device, in our words
  std::string_view title;  // in the guest's
  u16 product;
  u32 class_code;
};
constexpr Facts kFacts[] = {{"virtio_keyboard", "Virtio Keyboard", 1, 0x090000},
                            {"virtio_mouse", "Virtio Mouse", 2, 0x090200},
                            {"virtio_tablet", "Virtio Tablet", 3, 0x098000}};

const Facts& facts_of(VirtioInput::Kind kind) { return kFacts[static_cast<unsigned>(kind)]; }

VirtioModel model(VirtioInput::Kind kind) {
  return {.device_id = 18,
          .pci_device = 0x1052,
          .class_code = facts_of(kind).class_code,
          .features = 0,
          .queue_sizes = {kQueueSize, kQueueSize},
          .config_bytes = kContent + kContentBytes,
          .transitional = false};
}

void set_bit(std::vector<u8>& bits, unsigned index) {
  if (bits.size() <= index / 8) bits.resize(index / 8 + 1);
  bits[index / 8] |= static_cast<u8>(1u << (index % 8));
}

template <class T>
void append(std::vector<u8>& bytes, T value) {
  for (unsigned i = 0; i < sizeof(T); ++i) bytes.push_back(static_cast<u8>(value >> (8 * i)));
}

}  // namespace

VirtioInput::VirtioInput(Kind kind, Clock& clock)
    : VirtioDevice(model(kind), clock),
      kind_(kind),
      event_timer_(clock.create_timer(facts_of(kind).name, [this] { send_events(); })),
      status_timer_(clock.create_timer("virtio-input-status", [this] { take_lights(); })) {}

std::string_view VirtioInput::name() const { return facts_of(kind_).name; }

void VirtioInput::reset(ResetKind kind) {
  select_ = subsel_ = 0;
  VirtioDevice::reset(kind);
}

void VirtioInput::reset_kind() {
  leds_ = buttons_ = 0;
  events_.clear();
  clock().cancel(event_timer_);
  clock().cancel(status_timer_);
}

// --- Configuration ---

u8 VirtioInput::config_byte(u32 offset) const {
  if (offset == kSelect) return select_;
  if (offset == kSubsel) return subsel_;
  if (offset != kSize && offset < kContent) return 0;
  const std::vector<u8> content = selected();
  if (offset == kSize) return static_cast<u8>(content.size());
  return offset - kContent < content.size() ? content[offset - kContent] : u8{0};
}

void VirtioInput::config_byte_written(u32 offset, u8 value) {
  if (offset == kSelect) select_ = value;
  if (offset == kSubsel) subsel_ = value;
}

std::vector<u8> VirtioInput::selected() const {
  const Facts& facts = facts_of(kind_);
  std::vector<u8> content;
  switch (select_) {
    case kIdName:
      if (subsel_ == 0) content.assign(facts.title.begin(), facts.title.end());
      break;
    case kIdDevids:
      if (subsel_ == 0)
        for (const u16 id : {kBusVirtual, kVendor, facts.product, kVersion}) append(content, id);
      break;
    case kEventBits: return event_codes(subsel_);
    case kAbsInfo:
      if (kind_ == Kind::Tablet && subsel_ <= kY)
        for (const u32 limit : {0u, static_cast<u32>(kPointerMax), 0u, 0u, 0u}) append(content, limit);
      break;
    default: break;
  }
  return content;
}

std::vector<u8> VirtioInput::event_codes(u16 type) const {
  std::vector<u8> bits;
  if (kind_ == Kind::Keyboard) {
    if (type == kKey)
      for (const KeyRow& row : key_rows()) set_bit(bits, static_cast<u8>(row.key));
    if (type == kLed)
      for (unsigned led = 0; led < std::size(kLedBits); ++led) set_bit(bits, led);
    if (type == kRep) bits.push_back(0);  // the driver repeats keys by itself
    return bits;
  }
  if (type == kKey)
    for (unsigned button = 0; button < kButtons; ++button) set_bit(bits, kFirstButton + button);
  const u16 motion = kind_ == Kind::Mouse ? kRel : kAbs;
  if (type == motion)
    for (const u16 axis : {kX, kY}) set_bit(bits, axis);
  if (type == kRel) set_bit(bits, kWheel);
  return bits;
}

// --- Events ---

bool VirtioInput::has_room(bool release) const {
  constexpr std::size_t kLargestGroup = kButtons + 4;
  return events_.size() + kLargestGroup <= (release ? kMostEvents : kMostEvents / 2);
}

void VirtioInput::press(Key key, bool down) {
  if (!running() || kind_ != Kind::Keyboard || find_key(key) == nullptr || !has_room(!down)) return;
  queue(kKey, static_cast<u8>(key), down);
  report();
}

void VirtioInput::change_pointer(const PointerChange& change) {
  using Motion = PointerChange::Motion;
  const u8 turned = buttons_ ^ change.buttons;
  const bool release = (turned & buttons_) != 0;
  if (!running() || kind_ == Kind::Keyboard || !has_room(release)) return;
  const std::size_t before = events_.size();
  if (kind_ == Kind::Mouse && change.motion == Motion::Relative) {
    if (change.x != 0) queue(kRel, kX, change.x);
    if (change.y != 0) queue(kRel, kY, change.y);
  }
  if (kind_ == Kind::Tablet && change.motion == Motion::Absolute) {
    queue(kAbs, kX, std::clamp(change.x, 0, kPointerMax));
    queue(kAbs, kY, std::clamp(change.y, 0, kPointerMax));
  }
  if (change.wheel != 0) queue(kRel, kWheel, change.wheel);
  for (unsigned button = 0; button < kButtons; ++button)
    if (turned >> button & 1)
      queue(kKey, static_cast<u16>(kFirstButton + button), change.buttons >> button & 1);
  buttons_ = change.buttons;
  if (events_.size() != before) report();
}

void VirtioInput::report() {
  queue(kSyn, 0, 0);
  send_soon();
}

void VirtioInput::send_soon() {
  if (!events_.empty() && clock().deadline_ns(event_timer_) == Clock::kNever)
    clock().arm(event_timer_, clock().now_ns() + kTransferNs);
}

void VirtioInput::notified(unsigned queue) {
  if (queue == kEventQueue) return send_soon();
  if (clock().deadline_ns(status_timer_) == Clock::kNever)
    clock().arm(status_timer_, clock().now_ns() + kTransferNs);
}

void VirtioInput::send_events() {
  while (!events_.empty()) {
    const std::optional<VirtioChain> chain = pop(kEventQueue);
    if (!chain) return;  // the driver will notify of the next buffer
    if (chain->writable_bytes() < kEventBytes) return fail();
    std::vector<u8> bytes;
    append(bytes, events_.front().type);
    append(bytes, events_.front().code);
    append(bytes, events_.front().value);
    events_.pop_front();
    VirtioCursor(chain->writable, dma()).write(bytes);
    push(kEventQueue, *chain, kEventBytes);
  }
}

void VirtioInput::take_lights() {
  for (unsigned requests = 0; requests < kQueueSize; ++requests) {
    const std::optional<VirtioChain> chain = pop(kStatusQueue);
    if (!chain) return;
    std::array<u8, kEventBytes> bytes{};
    if (VirtioCursor(chain->readable, dma()).read(bytes)) {
      const u16 type = read_unaligned<u16>(&bytes[0]);
      const u16 code = read_unaligned<u16>(&bytes[2]);
      const bool on = read_unaligned<u32>(&bytes[4]) != 0;
      if (type == kLed && code < std::size(kLedBits))
        leds_ = static_cast<u8>(on ? leds_ | kLedBits[code] : leds_ & ~kLedBits[code]);
    }
    push(kStatusQueue, *chain, 0);
  }
  clock().arm(status_timer_, clock().now_ns() + kTransferNs);  // there may be more
}

void VirtioInput::serialize(Archive& archive) {
  VirtioDevice::serialize(archive);
  archive.tag("virtio_input");
  archive.value(select_);
  archive.value(subsel_);
  archive.value(leds_);
  archive.value(buttons_);
  u64 count = events_.size();
  archive.at_most(count, kMostEvents);
  if (archive.loading()) events_.assign(archive.ok() ? count : 0, {});
  for (InputEvent& event : events_) {
    archive.value(event.type);
    archive.value(event.code);
    archive.value(event.value);
  }
  serialize_timer(archive, clock(), event_timer_);
  serialize_timer(archive, clock(), status_timer_);
}

}  // namespace reprise::devices
