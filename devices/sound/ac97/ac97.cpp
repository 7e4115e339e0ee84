#include "devices/sound/ac97/ac97.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "devices/timer_state.h"

namespace reprise::devices {
namespace {

constexpr u32 kMixerBytes = 256;
constexpr u16 kSecondCodec = 0x80;
constexpr u32 kBusMasterBytes = 64;
constexpr unsigned kEngineBytes = 16;

// Bus master registers that the engines share, 12.2.8 to 12.2.10.
constexpr unsigned kGlobalControl = 0x2c;
constexpr unsigned kGlobalStatus = 0x30;
constexpr unsigned kAccessSemaphore = 0x34;

constexpr u32 kGlobalControlBits = 0x3b;  // GIE, cold reset#, link off, and two enables of interrupts
constexpr u32 kColdResetOff = 1u << 1;
constexpr u32 kWarmReset = 1u << 2;
constexpr u32 kLinkOff = 1u << 3;

constexpr u32 kStatusOf[] = {1u << 5, 1u << 6, 1u << 7};  // PIINT, POINT, MINT
constexpr u32 kPrimaryReady = 1u << 8;
constexpr u32 kReadTimeout = 1u << 15;    // RCS, cleared by writing 1
constexpr u32 kPowerDownBits = 3u << 16;  // AD3, MD3: for software

/// Between events at least, while there is something to be heard.
constexpr u64 kMostFrames = Ac97Codec::kLinkHz / 200;

u64 frame_at(u64 ns) { return ns_to_clocks(ns, Ac97Codec::kLinkHz); }

}  // namespace

static_assert(Ac97Codec::kLinkHz == AudioSink::kFramesPerSecond);

Ac97::Ac97(AudioSink* sink, Clock& clock, DmaPort& memory, IrqLine interrupt)
    : PciFunction({.vendor = 0x8086,
                   .device = 0x2415,
                   .revision = 0x01,
                   .class_code = 0x040100,
                   .subsystem_vendor = 0x1af4,
                   .subsystem = 0x1100}),
      clock_(clock),
      sink_(sink),
      interrupt_(interrupt),
      event_(clock.create_timer("ac97",
                                [this] {
                                  catch_up();
                                  update();
                                })),
      dma_(*this, memory),
      engines_{Ac97Channel{Ac97Channel::Direction::ToMemory, 2, dma_},
               Ac97Channel{Ac97Channel::Direction::FromMemory, 2, dma_},
               Ac97Channel{Ac97Channel::Direction::ToMemory, 1, dma_}} {
  define_io_bar(0, kMixerBytes, mixer_ports_, Width::Dword);
  define_io_bar(1, kBusMasterBytes, bus_master_ports_, Width::Dword);
  define16(pci::kCommand, 0, pci::kCommandIo | pci::kCommandBusMaster | pci::kCommandInterruptDisable);
  define8(pci::kInterruptLine, 0, 0xff);
  define8(pci::kInterruptPin, 1);
  apply_reset_values();
}

void Ac97::reset(ResetKind kind) {
  catch_up();
  PciFunction::reset(kind);
  for (Ac97Channel& engine : engines_) {
    engine.write(Ac97Channel::kRegisterBytes - 1, 0);
    engine.reset();
  }
  codec_.reset();
  global_control_ = global_status_ = 0;
  access_semaphore_ = 0;
  update();
}

// --- Time ---

bool Ac97::codec_ready() const {
  return (global_control_ & kColdResetOff) && !(global_control_ & kLinkOff) && codec_.link_on();
}

u32 Ac97::rate_of(unsigned engine) const {
  if (!codec_ready() || !bus_master() || !engines_[engine].running()) return 0;
  return engine == kPcmOut ? codec_.dac_hz() : engine == kPcmIn ? codec_.adc_hz() : codec_.mic_hz();
}

u64 Ac97::heard_until() const { return rate_of(kPcmOut) == 0 && dac_.silent() ? ~u64{0} : frame_; }

void Ac97::catch_up() {
  const u64 now = frame_at(clock_.now_ns());
  if (now <= frame_) return;
  play(now - frame_);
  record(kPcmIn, now - frame_);
  record(kMicrophone, now - frame_);
  frame_ = now;
}

void Ac97::play(u64 frames) {
  heard_.clear();
  const Ac97Codec::Gain gain = codec_.gain();
  Ac97Channel& engine = engines_[kPcmOut];
  u32 hz = 0;
  for (u64 left = frames; left != 0 && (hz = rate_of(kPcmOut)) != 0;) {
    const Ac97Channel::Step step = engine.advance(left, hz, samples_);
    dac_.play(step.frames, step.phase, hz, samples_, gain, heard_);
    left -= step.frames;
  }
  using Behind = Ac97Dac::Behind;
  const u64 rest = frames - heard_.size() / AudioSink::kChannels;
  dac_.rest(rest, engine.silent_behind() ? Behind::Silence : Behind::LastSample, gain, heard_);
  if (sink_ != nullptr && !heard_.empty()) sink_->play(frame_, heard_);
}

void Ac97::record(unsigned engine, u64 frames) {
  while (frames != 0) {
    const u32 hz = rate_of(engine);
    if (hz == 0) return;
    frames -= engines_[engine].advance(frames, hz, samples_).frames;
  }
}

void Ac97::update() {
  bool wanted = false;
  u64 frames = dac_.silent() ? ~u64{0} : kMostFrames;
  for (unsigned i = 0; i < engines_.size(); ++i) {
    if (engines_[i].running() && !bus_master()) engines_[i].fifo_error();
    wanted = wanted || engines_[i].interrupts();
    if (const u32 hz = rate_of(i); hz != 0)
      frames = std::min({frames, engines_[i].frames_left(hz), kMostFrames});
  }
  const u8 status = static_cast<u8>(word(pci::kStatus) & ~pci::kStatusInterrupt);
  set_byte(pci::kStatus, static_cast<u8>(wanted ? status | pci::kStatusInterrupt : status));
  interrupt_.set(wanted && !(word(pci::kCommand) & pci::kCommandInterruptDisable));
  if (frames == ~u64{0})
    clock_.cancel(event_);
  else
    clock_.arm(event_, clocks_to_ns(frame_ + frames, Ac97Codec::kLinkHz));
}

/// Who may master the bus decides whether the engines move.
ConfigChange Ac97::config_write(u8 offset, Width width, u32 value) {
  catch_up();
  const ConfigChange change = PciFunction::config_write(offset, width, value);
  update();
  return change;
}

// --- Registers ---

// Reads of the second codec, and of one that does not answer, time out. 12.2.9.
u32 Ac97::read_mixer(u16 offset, Width width) {
  catch_up();
  u32 value = 0;
  for (unsigned i = 0; i < width_bytes(width); ++i) {
    const u16 at = static_cast<u16>((offset + i) % kMixerBytes);
    u8 byte = 0xff;
    if (at < kSecondCodec && codec_ready())
      byte = static_cast<u8>(codec_.read(static_cast<u8>(at & ~1u)) >> 8 * (at & 1));
    else
      global_status_ |= kReadTimeout;
    value |= u32{byte} << 8 * i;
  }
  access_semaphore_ = 0;
  update();
  return value;
}

// The link carries 16 bits at a time: bytes alone go nowhere.
void Ac97::write_mixer(u16 offset, Width width, u32 value) {
  catch_up();
  for (unsigned i = 0; i + 1 < width_bytes(width); i += 2) {
    const unsigned at = offset + i;
    if (at % 2 == 0 && at < kSecondCodec && codec_ready())
      codec_.write(static_cast<u8>(at), static_cast<u16>(value >> 8 * i));
  }
  access_semaphore_ = 0;
  update();
}

u32 Ac97::read_bus_master(u16 offset, Width width) {
  catch_up();
  u32 value = 0;
  for (unsigned i = 0; i < width_bytes(width); ++i) value |= u32{read_byte(offset + i)} << 8 * i;
  update();
  return value;
}

void Ac97::write_bus_master(u16 offset, Width width, u32 value) {
  catch_up();
  for (unsigned i = 0; i < width_bytes(width); ++i) write_byte(offset + i, static_cast<u8>(value >> 8 * i));
  update();
}

u8 Ac97::read_byte(unsigned offset) {
  const unsigned engine = offset / kEngineBytes;
  if (engine < engines_.size() && offset % kEngineBytes < Ac97Channel::kRegisterBytes)
    return engines_[engine].read(offset % kEngineBytes);
  if (offset >= kGlobalControl && offset < kGlobalControl + 4)
    return static_cast<u8>(global_control_ >> 8 * (offset - kGlobalControl));
  if (offset >= kGlobalStatus && offset < kGlobalStatus + 4) {
    u32 status = global_status_ | (codec_ready() ? kPrimaryReady : 0);
    for (unsigned i = 0; i < engines_.size(); ++i)
      if (engines_[i].interrupts()) status |= kStatusOf[i];
    return static_cast<u8>(status >> 8 * (offset - kGlobalStatus));
  }
  // Whoever reads a zero has the link until its access. 12.2.10.
  return offset == kAccessSemaphore ? std::exchange(access_semaphore_, u8{1}) : u8{0};
}

void Ac97::write_byte(unsigned offset, u8 value) {
  const unsigned engine = offset / kEngineBytes;
  if (engine < engines_.size() && offset % kEngineBytes < Ac97Channel::kRegisterBytes)
    return engines_[engine].write(offset % kEngineBytes, value);
  if (offset >= kGlobalControl && offset < kGlobalControl + 4) {
    const unsigned shift = 8 * (offset - kGlobalControl);
    const u32 wanted = u32{value} << shift;
    global_control_ = ((global_control_ & ~(0xffu << shift)) | wanted) & kGlobalControlBits;
    if (!(global_control_ & kColdResetOff))
      codec_.reset();
    else if (wanted & kWarmReset)
      codec_.warm_reset();
  }
  if (offset >= kGlobalStatus && offset < kGlobalStatus + 4) {
    const unsigned shift = 8 * (offset - kGlobalStatus);
    const u32 written = u32{value} << shift;
    const u32 held = kPowerDownBits & (0xffu << shift);
    global_status_ = (global_status_ & ~held & ~(written & kReadTimeout)) | (written & held);
  }
}

// --- State ---

void Ac97::serialize(Archive& archive) {
  PciFunction::serialize(archive);
  archive.tag("ac97");
  codec_.serialize(archive);
  dac_.serialize(archive);
  for (Ac97Channel& engine : engines_) engine.serialize(archive);
  archive.value(global_control_);
  archive.value(global_status_);
  archive.at_most(access_semaphore_, 1);
  archive.value(frame_);
  serialize_timer(archive, clock_, event_);
  if (!archive.loading()) return;
  const u64 now = frame_at(clock_.now_ns());
  bool moves = !dac_.silent();
  for (unsigned i = 0; i < engines_.size(); ++i) moves = moves || rate_of(i) != 0;
  if ((global_control_ & ~kGlobalControlBits) || (global_status_ & ~(kReadTimeout | kPowerDownBits)) ||
      frame_ > now || (moves && now - frame_ > Ac97Codec::kLinkHz))
    archive.fail();
}

std::string Ac97::debug_dump() const {
  constexpr std::string_view kNames[] = {"PCM in", "PCM out", "microphone"};
  std::string text = fmt::format("GLOB_CNT={:08x} GLOB_STA={:08x} CAS={} frame={}\n{}", global_control_,
                                 global_status_, access_semaphore_, frame_, codec_.debug_dump());
  for (unsigned i = 0; i < engines_.size(); ++i)
    text += fmt::format("{}: {}\n", kNames[i], engines_[i].debug_dump());
  return text;
}

}  // namespace reprise::devices
