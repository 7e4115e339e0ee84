// PlugWords: what is plugged in while the guest runs, in the words of whoever asks: QEMU's (frontend/qemu/hot_words.h), else ours.
#pragma once

#include <functional>
#include <string>

#include "common/result.h"
#include "machine/plug/device_config.h"

namespace reprise::machine::monitor {

/// Texts are KEY=VALUE,..., or JSON objects. Errors are sentences. Machine thread.
class PlugWords {
 public:
  virtual ~PlugWords() = default;
  /// `has`: that device is there still, or again.
  virtual void forget_gone(const std::function<bool(const std::string& id)>& has) = 0;
  virtual Result<DeviceConfig> device(const std::string& text) = 0;
  // What devices name: drives, nodes of -blockdev, networks.
  virtual Result<Done> add_drive(const std::string& text) = 0;
  virtual Result<Done> add_node(const std::string& text) = 0;
  virtual Result<Done> add_netdev(const std::string& text) = 0;
  virtual Result<Done> remove_drive(const std::string& id) = 0;
  virtual Result<Done> remove_node(const std::string& id) = 0;
  virtual Result<Done> remove_netdev(const std::string& id) = 0;
};

}  // namespace reprise::machine::monitor
