#include "machine/share/share_set.h"

#include <fmt/format.h>

#include "machine/share/host_share.h"

namespace reprise::machine {

devices::ShareAnswer ToldShare::ask(const devices::ShareQuestion& question) {
  devices::ShareAnswer answer = share_->ask(question);
  const bool closes = question.op == devices::ShareOp::Close || question.op == devices::ShareOp::CloseAll;
  if (listener_ && !closes) listener_(who_, question, answer);
  return answer;
}

Result<ShareSet> ShareSet::open(const std::vector<ShareConfig>& configs) {
  ShareSet set;
  for (const ShareConfig& config : configs) {
    HostFolder folder = TRY(HostFolder::open(config.path));
    set.shares_.push_back(std::make_unique<ToldShare>(std::make_unique<HostShare>(std::move(folder), config),
                                                      fmt::format("share {}", config.tag)));
  }
  return set;
}

std::vector<devices::ShareBackend*> ShareSet::backends() const {
  std::vector<devices::ShareBackend*> all;
  for (const auto& share : shares_) all.push_back(share.get());
  return all;
}

void ShareSet::on_answer(const ShareListener& listener) {
  for (const auto& share : shares_) share->tell(listener);
}

}  // namespace reprise::machine
