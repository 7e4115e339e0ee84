#include "machine/net/net_link.h"

namespace reprise::machine {
namespace {

class NoLink final : public NetLink {
 public:
  explicit NoLink(const NetConfig& config) : config_(config) {}
  void send(std::span<const u8>) override {}
  bool takes_large_frames() const override { return config_.kind == NetConfig::Kind::User; }
  void add_descriptors(std::vector<pollfd>&) override {}
  void serve(std::span<const pollfd>) override {}
  std::optional<u64> wants_service_in_ns() const override { return std::nullopt; }
  bool open() const override { return false; }
  bool connected() const override { return false; }
  bool reached() const override { return false; }
  std::vector<NetForward> forwards() const override { return config_.forwards; }

 private:
  const NetConfig config_;
};

}  // namespace

std::unique_ptr<NetLink> open_nothing(const NetConfig& config) { return std::make_unique<NoLink>(config); }

}  // namespace reprise::machine
