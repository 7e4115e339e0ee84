#include "machine/record/recorded_error.h"

#include <fmt/format.h>

namespace reprise::machine {

std::string describe_request(const DiskError& error) {
  return fmt::format("{} {} at {}", error.what, error.bytes, error.offset);
}

std::vector<u8> error_answer(const DiskError& error) {
  std::vector<u8> answer;
  answer.reserve(1 + error.outcome.size());
  answer.push_back(static_cast<u8>(error.status));
  answer.insert(answer.end(), error.outcome.begin(), error.outcome.end());
  return answer;
}

bool take_error_answer(const AnswerEvent& answer, DiskError& error) {
  const std::vector<u8>& bytes = answer.answer;
  if (answer.question != describe_request(error) || bytes.empty() || bytes[0] == 0 ||
      bytes[0] > static_cast<u8>(devices::BlockStatus::TooLarge))
    return false;
  error.status = static_cast<devices::BlockStatus>(bytes[0]);
  error.outcome.assign(bytes.begin() + 1, bytes.end());
  return true;
}

}  // namespace reprise::machine
