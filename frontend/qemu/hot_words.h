// HotWords: device_add, drive_add and their like, in the words of QEMU's command line, of which they are a continuation: a device may name
// a -drive, a node or a -netdev that was given there.
#pragma once

#include <map>
#include <string>

#include "frontend/qemu/draft.h"
#include "machine/monitor/plug_words.h"

namespace reprise::frontend::qemu {

class HotWords final : public machine::monitor::PlugWords {
 public:
  /// `draft` is what the command line said.
  explicit HotWords(Draft draft);

  void forget_gone(const std::function<bool(const std::string& id)>& has) override;
  Result<machine::DeviceConfig> device(const std::string& text) override;
  Result<Done> add_drive(const std::string& text) override;
  Result<Done> add_node(const std::string& text) override;
  Result<Done> add_netdev(const std::string& text) override;
  Result<Done> remove_drive(const std::string& id) override;
  Result<Done> remove_node(const std::string& id) override;
  Result<Done> remove_netdev(const std::string& id) override;

 private:
  /// As if the option stood on the command line.
  Result<Done> add(std::string_view option, std::string_view command, const std::string& text);

  Draft draft_;
  bool has_network_ = false;
  struct Holding {
    std::string drive;       // that the device has; empty: none
    bool was_added = false;  // while the guest ran, by drive_add: it goes with the device
  };
  std::map<std::string, Holding> holdings_;  // by id of the device
  std::map<std::string, bool> added_;        // drives of drive_add
};

}  // namespace reprise::frontend::qemu
