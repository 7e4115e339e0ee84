// Ac97: a sound card, the AC'97 controller of Intel's 82801AA (ICH) with a codec. Datasheet 290655-003, chapter 12.
//
//     BAR 0    the codec's registers, 16 bits each (NAMBAR)
//     BAR 1    three DMA engines and what they share (NABMBAR): 00h PCM in, 10h PCM out, 20h microphone, 2Ch to 34h
//
// Everything happens on frames of the AC-link, 48000 a second of virtual time. The engines work through memory at events: at
// the end of a buffer, every few milliseconds, and ahead of each access to a register, so what registers say of the position
// is true to the frame, and what a driver changed ahead of the position is heard. What is recorded is silence. Why this card:
// docs/decisions/0014-an-ac97-card.md. Missing: the modem, a second codec, resume by the codec.
#pragma once

#include <array>
#include <vector>

#include "devices/pci/pci_device.h"
#include "devices/pci/pci_dma.h"
#include "devices/pio_ports.h"
#include "devices/sound/ac97/channel.h"
#include "devices/sound/ac97/codec.h"
#include "devices/sound/ac97/dac.h"
#include "devices/sound/audio_sink.h"

namespace reprise::devices {

class Ac97 final : public PciFunction {
 public:
  /// All of it outlives the card. `sink`: nullptr, nobody listens; it changes nothing of the card.
  Ac97(AudioSink* sink, Clock& clock, DmaPort& memory, IrqLine interrupt);

  /// The sink will get nothing ahead of this frame any more.
  u64 heard_until() const;

  std::string_view name() const override { return "ac97"; }
  ConfigChange config_write(u8 offset, Width width, u32 value) override;
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

 private:
  /// In the order of their registers.
  enum Engine : unsigned { kPcmIn, kPcmOut, kMicrophone };

  u32 read_mixer(u16 offset, Width width);
  void write_mixer(u16 offset, Width width, u32 value);
  u32 read_bus_master(u16 offset, Width width);
  void write_bus_master(u16 offset, Width width, u32 value);
  u8 read_byte(unsigned offset);
  void write_byte(unsigned offset, u8 value);

  /// The codec answers.
  bool codec_ready() const;
  /// Samples a second that `engine` moves now; 0: none.
  u32 rate_of(unsigned engine) const;
  /// Up to now.
  void catch_up();
  void play(u64 frames);
  void record(unsigned engine, u64 frames);
  /// After anything changed: the interrupt and the next event.
  void update();

  Clock& clock_;
  AudioSink* const sink_;
  const IrqLine interrupt_;
  const Clock::TimerId event_;
  PciDma dma_;
  PioPorts<Ac97> mixer_ports_{*this, &Ac97::read_mixer, &Ac97::write_mixer};
  PioPorts<Ac97> bus_master_ports_{*this, &Ac97::read_bus_master, &Ac97::write_bus_master};

  Ac97Codec codec_;
  Ac97Dac dac_;
  std::array<Ac97Channel, 3> engines_;
  u32 global_control_ = 0;
  u32 global_status_ = 0;  // what is kept of it
  u8 access_semaphore_ = 0;
  u64 frame_ = 0;  // of the link: all before it is done

  std::vector<i16> samples_, heard_;  // of the moment
};

}  // namespace reprise::devices
