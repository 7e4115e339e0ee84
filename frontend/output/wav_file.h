// WavFile: the guest's sound in a WAV file: 48 kHz, two channels of 16 bits. What becomes of
// silence: docs/decisions/0013-sound-is-a-function-of-virtual-time.md.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/losses.h"
#include "common/result.h"
#include "devices/sound/audio_sink.h"
#include "frontend/output/open_output.h"
#include "machine/storage/host_fd.h"

namespace reprise::frontend {

class WavFile final : public devices::AudioSink {
 public:
  /// Silence that is longer is so long in the file.
  static constexpr u64 kLongestSilenceFrames = kFramesPerSecond;

  /// Makes or empties the file. `losses` outlives it. Error: it cannot be one, as a pipe.
  static Result<std::unique_ptr<WavFile>> open(const std::string& path, OutputOpener& opener, Losses& losses);
  ~WavFile() override {
    if (begun_) finish();
  }

  /// Machine thread.
  void play(u64 first, std::span<const i16> samples) override;
  /// Everything so far is in the file, and the file is whole. Not before the run begins: until then an existing file stays.
  void finish();

 private:
  WavFile(std::string name, machine::HostFd file, Losses& losses)
      : name_(std::move(name)), file_(std::move(file)), losses_(losses) {}
  void append(std::span<const i16> samples);
  /// The rest is not tried. Of several reasons the first counts.
  void lose(std::string_view why, u64 bytes);
  void store_header();
  /// What has reached the file of a block that had no room: whole frames.
  u64 stored_in_file() const;

  const std::string name_;
  machine::HostFd file_;
  Losses& losses_;
  u64 next_ = 0;             // the frame behind the last one
  u64 stored_bytes_ = 0;     // of samples
  std::vector<u8> waiting_;  // behind them
  bool begun_ = false;       // finish() has been called
  bool lost_ = false;        // something could not be stored: the rest is not tried
};

}  // namespace reprise::frontend
